"""Every rule of every contract is broken by some row, and no file by many."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from shoplake.contracts import Contract, load_contracts
from shoplake.lake.landing import LandedFile, land
from shoplake.pipeline.init import init_home
from shoplake.settings import load_settings
from shoplake.simulator.dirt import CsvCodec, Dirt, Kind
from shoplake.simulator.world import World
from tests.simulator.conftest import Small

SOURCES = ("pos", "inventory", "web_events", "interactions")
STREAMS = ("web_events", "interactions")
WRONG = {"integer": "not_an_integer", "number": "not_a_number", "timestamp": "not_a_time", "string": "not_a_string"}


@pytest.fixture(scope="module")
def landed(small: Small, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[LandedFile]]:
    settings = load_settings(tmp_path_factory.mktemp("dirt") / "home")
    init_home(settings)
    return {
        source: land(settings, source, [small.folder / source], clock=lambda: dt.datetime(2026, 6, 1))  # noqa: DTZ001
        for source in SOURCES
    }


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contract]:
    return dict(load_contracts(load_settings(tmp_path_factory.mktemp("contracts"))))


def reasons_of(contract: Contract) -> Iterator[str]:
    """Name every reason for which a row of the source can be quarantined, but for lines that cannot be read."""
    for field in contract.fields:
        is_list = field.allowed is not None and field.allowed_severity == "error"
        if field.type != "string" or contract.source in STREAMS:
            yield f"{field.name}:{'unknown_value' if is_list else WRONG[field.type]}"
        if field.required:
            yield f"{field.name}:missing_required"
        if field.minimum is not None:
            yield f"{field.name}:below_minimum"
        if field.maximum is not None:
            yield f"{field.name}:above_maximum"
        if field.type == "timestamp":
            yield from (f"{field.name}:time_before_2000", f"{field.name}:time_in_future")
    yield from (rule.name for rule in contract.rules if rule.severity == "error")


def warnings_of(contract: Contract) -> Iterator[str]:
    """Name every warning, but for money finer than a cent, which the simulator never writes."""
    yield "key_conflict"
    yield from (
        rule.name for rule in contract.rules if rule.severity == "warning" and rule.name != "fraction_of_a_cent"
    )
    for field in contract.fields:
        if field.allowed is not None and field.allowed_severity == "warning":
            yield f"{field.name}:unknown_value"


@pytest.mark.parametrize("source", SOURCES)
def test_every_error_rule_of_the_contract_quarantines_some_row(
    landed: dict[str, list[LandedFile]], contracts: dict[str, Contract], source: str
) -> None:
    found = sum((Counter(file.reasons) for file in landed[source]), Counter[str]())
    assert set(reasons_of(contracts[source])) <= set(found)


@pytest.mark.parametrize("source", SOURCES)
def test_every_warning_of_the_contract_is_given_for_some_row(
    landed: dict[str, list[LandedFile]], contracts: dict[str, Contract], source: str
) -> None:
    found = sum((Counter(file.warnings) for file in landed[source]), Counter[str]())
    assert set(warnings_of(contracts[source])) <= set(found)


@pytest.mark.parametrize("source", SOURCES)
def test_every_file_lands_with_few_rows_quarantined_or_repaired(
    landed: dict[str, list[LandedFile]], source: str
) -> None:
    assert {file.status for file in landed[source]} == {"landed"}
    for file in landed[source]:
        assert file.rows_quarantined <= 0.03 * file.rows_read, file
        assert file.rows_quarantined + file.rows_duplicate + file.rows_repaired < 0.05 * max(file.rows_read, 1), file
    assert sum(file.rows_duplicate for file in landed[source]) > 0
    assert sum(file.rows_repaired for file in landed[source]) > 0


def test_one_line_of_the_tills_breaks_off(landed: dict[str, list[LandedFile]]) -> None:
    files = [file.file for file in landed["pos"] if "wrong_number_of_fields" in file.reasons]
    assert files == ["pos_2026-01-06.csv"]


def test_one_web_file_has_a_field_that_no_contract_knows(small: Small) -> None:
    with_it = [name for name, lines in small.lines("web_events").items() if any('"referrer"' in line for line in lines)]
    assert len(with_it) >= 1
    full = [name for name, lines in small.lines("web_events").items() if sum('"referrer"' in x for x in lines) > 100]
    assert full == ["web_events_2026-01-04.jsonl"]


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("pos", r"^ S\d+-\d+-\d+ ,"),
        ("pos", r",00\d+,\d+,-?\d"),
        ("pos", r",-?\d+\.0,"),
        ("pos", r",\d{13}$"),
        ("pos", r",2026-01-0\dT\d\d:\d\d:\d\d\.000Z$"),
        ("inventory", r", \d+ ,"),
        ("inventory", r",00\d,"),
        ("inventory", r",-?\d+\.0,"),
        ("inventory", r",\d{13}$"),
        ("inventory", r"T\d\d:\d\d:\d\d\.000Z$"),
        ("web_events", r'"device_type": "mobile"'),
        ("web_events", r'"event_type": "CLICK"'),
        ("web_events", r'"user_id": "\d+"'),
        ("web_events", r'"page": " /\S* "'),
        ("web_events", r'"timestamp": \d{13}\.0'),
        ("web_events", r'"timestamp": "2026-01-0\dT'),
        ("interactions", r'"interaction_type": " (Feedback|Loyalty|Complaint) "'),
        ("interactions", r'"channel": "email"'),
        ("interactions", r'"rating": 3\.0'),
        ("interactions", r'"customer_id": "\d+"'),
        ("interactions", r'"timestamp": \d{13}\.0'),
        ("interactions", r'"timestamp": "2026-01-0\dT'),
    ],
)
def test_values_are_written_in_ways_that_lose_nothing(small: Small, source: str, pattern: str) -> None:
    assert any(re.search(pattern, line) for lines in small.lines(source).values() for line in lines)


def test_some_rows_come_in_a_later_file(small: Small) -> None:
    for source in ("pos", "web_events", "interactions"):
        late = 0
        for number, lines in enumerate(small.lines(source).values()):
            start = small.world.midnight(number)
            moments = (re.search(r"(\d{10})(\.\d+)?\}?$", line) for line in lines)
            late += sum(1 for found in moments if found and 1_700_000_000 < int(found[1]) < start)
        assert late > 0, source


def test_money_has_two_decimals_at_most(small: Small) -> None:
    for row in small.csv("pos"):
        for name in ("revenue", "discount_applied"):
            assert re.fullmatch(r"\s*(-?\d+(\.\d{1,2})?|free|10%)?\s*", row[name] or ""), row


def test_a_small_file_is_spared_and_a_larger_one_takes_its_turn() -> None:
    kind = Kind("blank", "error", lambda row: row.update(a=""))
    dirt = Dirt(World(), "any", CsvCodec(("a", "b")), [kind])
    assert dirt.soiled(0, ["1,2"] * 39) == ["1,2"] * 39
    assert dirt.soiled(1, ["1,2"] * 80).count(",2") == 2
