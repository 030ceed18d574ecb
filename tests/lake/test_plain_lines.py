"""Reading plain lines as typed values is a short cut: every row has the fate that the careful reader gives it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from shoplake.contracts import load_contracts
from shoplake.keys.duckdb_session import connect
from shoplake.keys.keyring import Keyring
from shoplake.lake.batch import Lander
from shoplake.lake.relations import Offered
from shoplake.lake.scan import scan_objects_sql
from shoplake.settings import Settings, load_settings
from shoplake.sources.shape import Shape, look

POS = load_contracts()["pos"]
HEADER = ",".join(field.name for field in POS.fields)
NOW = dt.datetime(2026, 3, 2)
NOON = "1772366400"
TEXTS = [
    "T1",
    "T2",
    "Größe 😀",
    " T",
    "T ",
    "",
    "  ",
    "\u00a0T",
    '"T,1"',
    '"a ""b"""',
    '" T"',
    'x"y',
    "T\x00",
    "a\tb",
    "\x07",
]
INTEGERS = [
    "1",
    "0",
    "-1",
    "90000",
    "4006381333931",
    "007",
    "+1",
    "1.0",
    "1.",
    "-0",
    "1e2",
    "0x10",
    "1_0",
    '"2"',
    "x",
    "",
]
INTEGERS += ["999999999999999999", "9223372036854775807", "9223372036854775808", " 3"]
NUMBERS = [
    "9.99",
    "0",
    "-9.99",
    "9.999",
    "1.005",
    "+1",
    ".5",
    "5.",
    "1e1",
    "nan",
    "inf",
    "1,5",
    "€5",
    "",
    '"9.99"',
    "-0.0",
]
NUMBERS += ["123456789012345678901234567890123456789", "0.1234567890123456789", "007.5"]
TIMES = [
    NOON,
    f"{NOON}.25",
    f"{NOON}000",
    "2026-03-01T12:00:00Z",
    "0",
    "4102444800",
    "99999999999",
    "100000000000",
    "-1",
]
TIMES += ["", "soon", f"{NOON}.123456789"]


def columns(odd: bool) -> Any:
    few = (2, 2, 1, 2) if not odd else (99, 99, 99, 99)
    texts, integers, numbers, times = (
        strategies.sampled_from(values[:n]) for values, n in zip((TEXTS, INTEGERS, NUMBERS, TIMES), few, strict=True)
    )
    return strategies.tuples(texts, integers, integers, integers, numbers, strategies.just("") | numbers, times)


LINES = strategies.one_of(
    columns(odd=False).map(",".join),
    columns(odd=True).map(",".join),
    strategies.sampled_from(["", "T,1", ",,,,,,", ",,,,,,,", "T\rU,1,1,1,1,,0", "\ufeffT,1,1,1,9.99,," + NOON]),
)


@pytest.fixture(scope="module")
def lander(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lander]:
    from shoplake.pipeline.init import init_home

    home = load_settings(tmp_path_factory.mktemp("plain") / "home")
    init_home(home)
    con = connect(home, threads=1)
    yield Lander(home, POS, Keyring.open(home), None, con, NOW)  # type: ignore[arg-type] # sales name nobody
    con.close()


def fates(lander: Lander, home: Settings, shape: Shape) -> tuple[Any, ...]:
    """Land a file; give its rows as they lie in the lake, what was rejected and what was counted."""
    (outcome,) = lander.land([Offered("a-file", "pos.csv", shape)])
    found = outcome.files["a-file"]
    rows: list[Any] = []
    if outcome.object is not None:
        lander.keep(outcome)
        scan = scan_objects_sql(lander.con, lander.keyring, [outcome.object], POS, settings=home)
        rows = lander.con.execute(f"select * from ({scan}) order by _line").fetchall()
    counts = (found.rows_read, found.rows_landed, found.rows_duplicate, found.repaired_rows)
    return rows, found.rejected, counts, found.repairs, found.warnings, found.days


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=strategies.lists(LINES, max_size=30),
    ending=strategies.sampled_from(["\n", "\r\n"]),
    is_whole=strategies.booleans(),
)
def test_typed_text_and_careful_reading_give_every_row_the_same_fate(
    lander: Lander,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    ending: str,
    is_whole: bool,
) -> None:
    path = tmp_path / "pos.csv"
    content = ending.join([HEADER, *lines]) + (ending if is_whole else "")
    path.write_bytes(content.encode())
    shape = look(path, POS)
    expected = fates(lander, lander.settings, replace(shape, reading="careful", odd=()))
    assert fates(lander, lander.settings, shape) == expected
    with monkeypatch.context() as patch:
        patch.setattr("shoplake.sources.plain.ODD_LINES", 0)
        assert fates(lander, lander.settings, look(path, POS)) == expected


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_file_with_a_ragged_row_is_still_read_as_typed(lander: Lander, tmp_path: Path, ending: str) -> None:
    path = tmp_path / "pos.csv"
    good = [f"T{n},1,2,3,9.99,,{NOON}" for n in range(3000)]
    path.write_bytes(ending.join([HEADER, *good[:7], "T,1,2", *good[7:], ""]).encode())
    shape = look(path, POS)
    assert (shape.reading, shape.odd) == ("typed", ((9, b"T,1,2"),))
    rows, rejected, counts, *_ = fates(lander, lander.settings, shape)
    assert counts == (3001, 3000, 0, 0)
    assert rejected == [(9, ("wrong_number_of_fields",), "T,1,2")]
    assert [row[-3] for row in rows] == [line for line in range(2, 3003) if line != 9]


@pytest.mark.parametrize("odd", ["", "T,1,2", f"T, 1,2,3,9.99,,{NOON}"])
def test_rows_of_a_batch_stay_with_their_files(lander: Lander, tmp_path: Path, odd: str) -> None:
    offered = []
    for number in range(3):
        path = tmp_path / f"{number}.csv"
        lines = [f"T{number}-{row},{number},{row},3,9.99,,{NOON}" for row in range(50 + number)]
        path.write_text("\n".join([HEADER, *lines, *([odd] if odd else [])]) + "\n", encoding="utf-8")
        offered.append(Offered(f"file-{number}", path.name, look(path, POS)))
    (outcome,) = lander.land(offered)
    assert outcome.object is not None
    lander.keep(outcome)
    scan = scan_objects_sql(lander.con, lander.keyring, [outcome.object], POS, settings=lander.settings)
    rows = lander.con.execute(
        f"select _file_id, count(*), min(_line), max(_line), count(distinct _line) from ({scan}) "
        "where transaction_id <> 'T' and _file_id = 'file-' || store_id group by all order by all"
    ).fetchall()
    assert rows == [(f"file-{n}", 50 + n, 2, 51 + n, 50 + n) for n in range(3)]
