"""A stream lands beside everything else: each offset once, poison never blocks, nothing personal in clear."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from shoplake.errors import InputError, LockedError, PositionMoved
from shoplake.home import home_lock
from shoplake.keys.keyring import Keyring
from shoplake.lake.browse import show_rows as lake_rows
from shoplake.lake.landing import land, land_inbox
from shoplake.lake.locks import landing_lock, stream_lock
from shoplake.lake.quarantine import list_rows, replay, show_rows
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.pipeline.rotation import rotate
from shoplake.settings import Settings
from shoplake.sources.partitions import joined
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger, StreamRange
from tests.journey.test_encryption import readable

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
STREAM = "spool/0badcafe"


def event(number: int, **changes: object) -> bytes:
    row = {"session_id": f"s{number}", "user_id": number, "page": "/", "timestamp": NOON.timestamp() + number}
    return json.dumps(row | changes).encode()


def batch(first: int, lines: list[bytes], *, received_at: dt.datetime = NOON) -> StreamBatch:
    return StreamBatch(StreamRange(STREAM, 0, first, first + len(lines)), joined(lines), received_at)


def lander(settings: Settings) -> StreamLander:
    return StreamLander(settings, "web_events", clock=lambda: NOON + dt.timedelta(hours=2))


def ledger_of(settings: Settings) -> Ledger:
    return Ledger(open_store(settings, Keyring.open(settings)))


def landed_rows(settings: Settings) -> list[dict[str, Any]]:
    found = lake_rows(settings, "web_events")
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def landed_sessions(settings: Settings) -> list[str]:
    return sorted(row["session_id"] for row in landed_rows(settings))


def test_a_range_lands_once(settings: Settings) -> None:
    with lander(settings) as stream:
        assert stream.position(STREAM) is None
        first = stream.land(batch(5, [event(n) for n in range(10)]))
        again = stream.land(batch(5, [event(n) for n in range(10)]))
        assert stream.position(STREAM) == 15
    assert (first.status, first.rows_landed) == ("landed", 10)
    assert first.file == f"{STREAM}/0/000000000005-000000000014"
    assert (again.status, again.rows_landed) == ("unchanged", 0)
    assert landed_sessions(settings) == sorted(f"s{n}" for n in range(10))
    assert ledger_of(settings).positions(STREAM) == {0: 15}


def test_a_range_that_has_landed_in_part_lands_nothing(settings: Settings) -> None:
    with lander(settings) as stream:
        stream.land(batch(0, [event(n) for n in range(10)]))
        with pytest.raises(PositionMoved):
            stream.land(batch(5, [event(n) for n in range(5, 15)]))
        assert stream.position(STREAM) == 10
    assert len(landed_sessions(settings)) == 10


def test_offsets_without_events_are_passed_over(settings: Settings) -> None:
    with lander(settings) as stream:
        stream.land(StreamBatch(StreamRange(STREAM, 0, 0, 100), b"", NOON))
        assert stream.position(STREAM) == 100
    assert ledger_of(settings).files() == []


def test_poison_never_blocks_and_waits_in_quarantine_as_it_came(settings: Settings) -> None:
    bad = [b"{", b"[1]", b"\xff\xfe", event(1, timestamp="soon"), event(2, page=None), b'{"page": "/"}']
    with lander(settings) as stream:
        found = stream.land(batch(0, [*bad, event(3)]))
    assert (found.status, found.rows_read, found.rows_landed, found.rows_quarantined) == ("landed", 7, 1, 6)
    assert found.reasons["not_a_json_object"] == 2
    assert found.reasons["not_utf8"] == 1
    rows = list_rows(settings, "web_events")
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.raw for row in show_rows(settings, [row.id for row in rows])][3] == bad[3].decode()
    (again,) = replay(settings, edits={rows[4].id: event(2).decode()})
    assert (again.rows_landed, again.rows_quarantined) == (1, 5)
    assert landed_sessions(settings) == ["s2", "s3"]


def test_an_event_later_than_the_contract_allows_lands_and_is_marked(settings: Settings) -> None:
    lines = [event(0, timestamp=NOON.timestamp() - 3601), event(1, timestamp=NOON.timestamp() - 3599), event(2)]
    with lander(settings) as stream:
        found = stream.land(batch(0, lines))
    assert (found.rows_landed, found.warnings) == (3, {"late_event": 1})
    marks = {row["session_id"]: row["_notes"] for row in landed_rows(settings)}
    assert marks == {"s0": ["late_event"], "s1": [], "s2": []}


def test_a_file_of_old_events_is_not_late(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(event(1) + b"\n")
    (found,) = land(settings, "web_events", [path])
    assert found.warnings == {}


def test_unknown_fields_are_counted_and_not_landed(settings: Settings) -> None:
    many = {f"field_{n}": n for n in range(200)}
    with lander(settings) as stream:
        found = stream.land(batch(0, [event(1, **many), event(2)]))
    assert found.rows_landed == 2
    assert len(found.warnings) == 50


def test_only_streams_land_this_way(settings: Settings) -> None:
    for source in ("pos", "weather"):
        with pytest.raises(InputError, match=f"no stream source '{source}'"):
            StreamLander(settings, source)


def test_a_stream_lands_while_another_process_holds_the_home(settings: Settings) -> None:
    with lander(settings) as stream, home_lock(settings):
        assert stream.land(batch(0, [event(1)])).rows_landed == 1


def test_a_sweep_waits_for_the_batch_that_is_being_landed(settings: Settings) -> None:
    with landing_lock(settings, "web_events", is_shared=True):
        with landing_lock(settings, "web_events", is_shared=True, wait_seconds=0):
            pass
        with pytest.raises(LockedError), landing_lock(settings, "web_events", wait_seconds=0.1):
            pass
        land_inbox_of_others = landing_lock(settings, "interactions", wait_seconds=0)
        with land_inbox_of_others:
            pass
    assert land_inbox(settings) == []


def test_whoever_waits_for_the_lock_alone_gets_it_between_batches_without_end(settings: Settings) -> None:
    code = """
import sys, time
from pathlib import Path
from shoplake.lake.locks import landing_lock, stream_lock
from shoplake.settings import load_settings
settings = load_settings(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    with landing_lock(settings, "web_events", is_shared=True):
        time.sleep(0.2)
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(settings.home)], stdout=subprocess.PIPE) for _ in range(3)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        for _ in range(3):
            with landing_lock(settings, "web_events", wait_seconds=10):
                pass
    finally:
        for process in running:
            process.kill()
            process.communicate()


def test_new_keys_between_two_batches(settings: Settings) -> None:
    with lander(settings) as stream:
        stream.land(batch(0, [event(1)]))
        rotate(settings)
        stream.land(batch(1, [event(2), event(1, page="/2")]))
    rows = landed_rows(settings)
    assert sorted(row["session_id"] for row in rows) == ["s1", "s1", "s2"]
    assert len({row["user_id"] for row in rows}) == 2


def test_each_batch_names_its_own_people(settings: Settings) -> None:
    with lander(settings) as stream:
        for first in (0, 10, 20):
            stream.land(batch(first, [event(n) for n in range(first, first + 10)]))
    people = [row["user_id"] for row in landed_rows(settings)]
    assert None not in people
    assert len(set(people)) == 30


def test_nothing_personal_is_readable_in_any_file(settings: Settings) -> None:
    markers = [str(7_700_000_000_000 + n) for n in range(50)] + [f"MARKER{n:03d}" for n in range(50)]
    lines = [
        json.dumps(
            {
                "customer_id": int(markers[n]) if n < 40 else f"x{markers[n]}",
                "interaction_type": "Complaint",
                "message_excerpt": markers[50 + n],
                "timestamp": NOON.timestamp(),
            }
        ).encode()
        for n in range(50)
    ]
    with StreamLander(settings, "interactions") as stream:
        found = stream.land(batch(0, lines))
    assert (found.rows_landed, found.rows_quarantined) == (40, 10)
    assert readable(settings.home, [m.encode() for m in markers]) == []


LAND = """
import datetime as dt, json, sys
from pathlib import Path
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.sources.partitions import joined
from shoplake.settings import load_settings
from shoplake.store.ledger import StreamRange
settings, size = load_settings(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
with StreamLander(settings, "web_events") as stream:
    start = stream.position("spool/0badcafe") or 0
    for first in range(start, 600, size):
        until = min(first + size, 600)
        lines = [
            json.dumps({"session_id": f"s{n}", "user_id": n, "page": "/", "timestamp": 1772366400 + n}).encode()
            for n in range(first, until)
        ]
        stream.land(StreamBatch(StreamRange("spool/0badcafe", 0, first, until), joined(lines), dt.datetime.now(dt.UTC)))
"""


def test_killed_at_any_moment_each_offset_lands_once(settings: Settings) -> None:
    draw = random.Random(7)
    for kill in range(8):
        # Each attempt cuts the stream otherwise: a batch that was cut off never lands beside its own repetition.
        process = subprocess.Popen(
            [sys.executable, "-c", LAND, str(settings.home), str(7 + kill)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0.1, 1.2))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        land_inbox(settings)
    subprocess.run([sys.executable, "-c", LAND, str(settings.home), "50"], check=True, capture_output=True)
    assert landed_sessions(settings) == sorted(f"s{n}" for n in range(600))
    recorded = {o.name for o in ledger_of(settings).objects()}
    land_inbox(settings)
    present = {p.name.split(".")[0] for p in (settings.home / "lake" / "web_events").rglob("*.parquet")}
    assert present == recorded


def test_each_batch_of_a_lander_gives_its_own_people_their_pseudonyms(settings: Settings) -> None:
    with lander(settings) as stream:
        for number in range(3):
            stream.land(batch(number * 2, [event(number), event(number, user_id=99, page="/2")]))
    people = [row["user_id"] for row in landed_rows(settings)]
    assert all(str(person).startswith("c_") for person in people)
    assert len(set(people)) == 4


def test_a_stream_of_the_longest_name_that_kafka_knows(settings: Settings) -> None:
    names = [f"kafka/{'é' if n else 'e'}{'x' * 248}/AAAAAAAAAAAAAAAAAAAAAA~1" for n in range(2)]
    with StreamLander(settings, "web_events") as lander, stream_lock(settings, names[1], 12):
        batch = StreamBatch(StreamRange(names[0], 12, 0, 1), b"{}", dt.datetime.now(dt.UTC))
        assert lander.land(batch).status == "landed"
        with pytest.raises(LockedError), stream_lock(settings, names[1], 12, wait_seconds=0):
            pass
