"""JSON Lines land alike from a file and from memory, whichever reader took a line."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from shoplake.contracts import load_contracts
from shoplake.keys.duckdb_session import add_parquet_key, connect, parquet_options
from shoplake.keys.keyring import Keyring
from shoplake.lake import events
from shoplake.lake.batch import Lander, Offered
from shoplake.lake.objects import lake_key
from shoplake.lake.outcomes import BatchOutcome, FileOutcome
from shoplake.privacy.vault import Vault
from shoplake.settings import Settings
from shoplake.sources.json_lines import blocks_of, events_shape
from shoplake.sources.shape import look
from shoplake.store.engine import open_store

NOW = dt.datetime(2026, 3, 2)
NOON = 1_772_366_400
WEB = load_contracts()["web_events"]


def event(number: int, **changes: object) -> bytes:
    """Give a line; each number is another moment and another visitor of twenty."""
    row = {"session_id": f"s{number}", "user_id": number % 20, "page": "/", "timestamp": NOON + number, **changes}
    return json.dumps(row).encode()


GOOD = [event(number) for number in range(300)]
MIXED = [
    *GOOD[:10],
    event(10, timestamp="yesterday"),
    b"no json",
    event(11, user_id=-1.5),
    b"",
    event(12, page=None),
    event(13, timestamp=1),
    event(14, user_id=14.0),
    event(15, colour="red"),
    event(16, timestamp=(NOON + 16) * 1000),
    event(17, browser=" Firefox "),
    GOOD[3],
    event(4, browser="Chrome"),
    *GOOD[20:],
]


@pytest.fixture
def lander(settings: Settings) -> Iterator[Lander]:
    """Give a lander of web events into a fresh home."""
    ring = Keyring.open(settings)
    store = open_store(settings, ring)
    ring.current(lake_key("web_events"))
    with connect(settings) as con:
        yield Lander(settings, WEB, ring, Vault(store, ring), con, NOW)
    store.close()


def rows_of(lander: Lander, outcome: BatchOutcome) -> list[tuple[object, ...]]:
    assert outcome.path is not None
    key = add_parquet_key(lander.con, lander.keyring.current(lake_key("web_events")))
    source = f"read_parquet('{outcome.path}', {parquet_options(key)})"
    return lander.con.execute(f"select * exclude (_landed_at) from {source} order by _file_id, _line").fetchall()


def land(lander: Lander, *contents: bytes, block: int = 50) -> BatchOutcome:
    """Land what is in memory, in blocks of some bytes."""
    files = [
        (Offered(f"f{n}", f"f{n}", events_shape(content)), cut(content, block)) for n, content in enumerate(contents)
    ]
    return lander.land_events(files)


def cut(content: bytes, size: int) -> Iterable[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


def test_every_row_is_accounted_for_with_its_line_and_its_raw_text(lander: Lander) -> None:
    found = land(lander, joined(MIXED)).files["f0"]
    assert [(line, raw.encode()) for line, _, raw in found.rejected] == [
        (n, MIXED[n - 1]) for n in (11, 12, 13, 15, 16)
    ]
    reasons = {line: why for line, why, _ in found.rejected}
    assert reasons == {
        11: ("timestamp:not_a_time",),
        12: ("not_a_json_object",),
        13: ("user_id:not_an_integer",),
        15: ("page:missing_required",),
        16: ("timestamp:time_before_2000",),
    }
    assert found.drift == {"colour": 1}
    assert found.repairs == {"user_id:repaired": 1, "timestamp:repaired": 1, "browser:repaired": 1}
    assert (found.rows_duplicate, found.warnings) == (1, {"key_conflict": 2})
    assert found.rows_read == len(MIXED) - 1 == found.rows_landed + found.rows_duplicate + len(found.rejected)
    assert found.days == {dt.date(2026, 3, 1): found.rows_landed}


def test_a_file_lands_as_its_lines_in_memory_do(lander: Lander, tmp_path: Path) -> None:
    path = tmp_path / "web.jsonl"
    path.write_bytes(joined(MIXED))
    file = Offered("f0", "f0", look(path, WEB))
    (from_file,) = lander.land([file])
    rows = rows_of(lander, from_file)
    from_memory = land(lander, joined(MIXED))
    assert from_memory.files == from_file.files
    assert rows_of(lander, from_memory) == rows
    assert b"".join(blocks_of(file.shape)) == joined(MIXED)


def test_checks_by_few_rows_give_what_one_check_gives(lander: Lander, monkeypatch: pytest.MonkeyPatch) -> None:
    one = land(lander, joined(MIXED), joined(GOOD), joined(MIXED[::-1]))
    rows = rows_of(lander, one)
    monkeypatch.setattr(events, "CHECK_ROWS", 7)
    few = land(lander, joined(MIXED), joined(GOOD), joined(MIXED[::-1]))
    assert (few.files, rows_of(lander, few)) == (one.files, rows)


def test_duplicates_count_within_a_file_only(lander: Lander) -> None:
    found = land(lander, joined([*GOOD, *GOOD]), joined(GOOD))
    assert [(f.rows_landed, f.rows_duplicate) for f in found.files.values()] == [(300, 300), (300, 0)]


def test_nothing_lands_from_lines_that_are_all_bad(lander: Lander) -> None:
    found = land(lander, b"{}\n[]\n", b"")
    assert (found.object, found.path) == (None, None)
    assert [f.rows_read for f in found.files.values()] == [2, 0]
    assert found.files["f1"] == FileOutcome()


def test_identifiers_are_pseudonyms_in_what_is_written_and_nothing_clear_is_left_behind(lander: Lander) -> None:
    rows = rows_of(lander, land(lander, joined([*GOOD, event(400, user_id=None)])))
    known = lander.vault.pseudonyms(str(number) for number in range(20))
    assert {row[1] for row in rows} == {*known.values(), None}
    assert [row[1] for row in rows[:20]] == [known[str(number)] for number in range(20)]
    assert lander.con.execute("select table_name from duckdb_tables()").fetchall() == []
