"""A round that is killed at any moment, merging and publishing included, loses nothing and counts nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shoplake.access.sql import query
from shoplake.home import HomePaths
from shoplake.keys.keyring import Keyring
from shoplake.lake.landing import land_inbox
from shoplake.pipeline import releases
from shoplake.pipeline.run import run
from shoplake.pipeline.stream import Stream
from shoplake.settings import Settings
from shoplake.store.deposits import Deposit
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger
from shoplake.store.spool import Spool, open_spool

START = time.time() - 6 * 3600
COUNTS = "select count(*), count(distinct session_id) from warehouse.fct_web_events"
MART = "select count(*), sum(events) from marketing.mart_marketing__sessions"
ROUND_EVENTS = 40


class Rounds:
    """A process that makes rounds in children of its own."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "tests.journey.rounds", str(settings.home)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asks, self._answers = self._process.stdin, self._process.stdout
        assert self._answers.readline() == "ready\n"

    def one(self, kill_after: float | None = None) -> bool:
        """Make a round; kill it after so many seconds. Say whether it was killed."""
        self._asks.write("\n")
        self._asks.flush()
        child = int(self._answers.readline())
        timer = threading.Timer(kill_after, os.kill, (child, signal.SIGKILL)) if kill_after is not None else None
        if timer:
            timer.start()
        status = int(self._answers.readline())
        if timer:
            timer.cancel()
        assert status in {0, -signal.SIGKILL}
        return status != 0

    def close(self) -> None:
        self._asks.close()
        self._process.wait()
        self._answers.close()


ROOT = Path(__file__).parents[2]


def put(spool: Spool, first: int) -> None:
    """Put events into the spool as a collector does: in several bodies, so that objects are there to merge."""
    for start in range(first, first + ROUND_EVENTS, ROUND_EVENTS // 4):
        rows = [
            {"session_id": f"s{n}", "user_id": n % 9, "page": "/", "event_type": "View", "timestamp": START + n}
            for n in range(start, start + ROUND_EVENTS // 4)
        ]
        lines = b"\n".join(json.dumps(row).encode() for row in rows)
        spool.put([Deposit("web_events", lines, len(rows), time.time())])


def assault(settings: Settings, kills: int) -> int:
    """Kill rounds at random moments; what is served is whole after each. Give the number of events."""
    draw, sent, killed, served = random.Random(kills), 0, 0, 0
    spool = open_spool(settings, Keyring.open(settings))
    rounds = Rounds(settings)
    try:
        put(spool, sent)
        sent += ROUND_EVENTS
        rounds.one()
        put(spool, sent)
        sent += ROUND_EVENTS
        started = time.monotonic()
        rounds.one()
        typical = time.monotonic() - started
        attempts = 0
        while killed < kills:
            attempts += 1
            assert attempts < 4 * kills + 4, "a round was hardly ever caught alive"
            put(spool, sent)
            sent += ROUND_EVENTS
            killed += rounds.one(kill_after=draw.uniform(0, 1.05 * typical))
            (events, sessions) = query(settings, COUNTS).rows[0]
            assert events == sessions
            assert events >= served, "what was served is gone"
            served = events
            assert releases.current(settings) is not None
    finally:
        rounds.close()
        spool.close()
    report = Stream(settings).round()
    assert report is not None
    assert report.tests.failed == 0
    assert query(settings, COUNTS).rows == [(sent, sent)]
    assert query(settings, MART).rows == [(sent, sent)]
    run(settings, rebuild=True)
    assert query(settings, COUNTS).rows == [(sent, sent)]
    assert query(settings, MART).rows == [(sent, sent)]
    land_inbox(settings)  # which sweeps the lake
    _assert_no_orphan(settings)
    return sent


def _assert_no_orphan(settings: Settings) -> None:
    store = open_store(settings, Keyring.open(settings))
    known = {f"{o.name}.v{o.key_version}.parquet" for o in Ledger(store).objects()}
    store.close()
    paths = HomePaths(settings.home)
    assert {path.name for path in (paths.lake / "web_events").iterdir() if path.is_file()} <= known
    used = releases.files_in(releases.kept(settings))
    assert {str(path.relative_to(paths.partitions)) for path in paths.partitions.rglob("*.parquet")} == used


def test_six_kills_of_rounds(settings: Settings) -> None:
    assault(settings, kills=6)


@pytest.mark.proof
def test_two_hundred_kills_of_rounds(settings: Settings, record_proof: Callable[[str, str], None]) -> None:
    events = assault(settings, kills=200)
    record_proof(
        "stream-sigkill",
        f"200 SIGKILLs of rounds of a stream at random moments: all of {events:,} events in the marts, none twice.",
    )
