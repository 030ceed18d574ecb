"""A round of a stream makes what streams feed, shares the rest, and takes turns with a run."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from shoplake.access.sql import query
from shoplake.errors import AuditFailed
from shoplake.home import home_lock
from shoplake.keys.keyring import Keyring
from shoplake.lake.landing import land
from shoplake.pipeline import releases
from shoplake.pipeline.diff import compare
from shoplake.pipeline.manifest import Manifest
from shoplake.pipeline.run import run
from shoplake.pipeline.stream import Stream, stream
from shoplake.settings import Settings
from shoplake.store.deposits import Deposit
from shoplake.store.spool import Spool, open_spool

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
EVENTS = "select count(*) from marketing.mart_marketing__sessions"
BATCH_TABLES = {"fct_sale_lines", "fct_stock_levels", "mart_sales__store_day", "mart_finance__revenue_day"}


@pytest.fixture
def spool(settings: Settings) -> Iterator[Spool]:
    """Give the spool of a collector that is not running."""
    opened = open_spool(settings, Keyring.open(settings))
    yield opened
    opened.close()


def put(spool: Spool, source: str, *rows: dict[str, Any]) -> None:
    lines = b"\n".join(json.dumps(row).encode() for row in rows)
    spool.put([Deposit(source, lines, len(rows), time.time())])


def view(number: int, **changes: Any) -> dict[str, Any]:
    row = {"session_id": f"s{number}", "user_id": number % 5, "page": "/", "event_type": "View"}
    return row | {"timestamp": NOW.timestamp() - 3600 + number} | changes


def contact(number: int, **changes: Any) -> dict[str, Any]:
    row = {"customer_id": number, "interaction_type": "Complaint", "channel": "Email", "rating": 2}
    return row | {"timestamp": NOW.timestamp() - 3600 + number} | changes


def sell(settings: Settings, number: int, *, day: int = 0) -> None:
    path = settings.home.parent / f"sales{number}.csv"
    moment = (NOW - dt.timedelta(days=day)).timestamp()
    path.write_text(f"{HEADER}T{number},1,2,1,10.00,,{moment}\n", encoding="utf-8")
    land(settings, "pos", [path])


def contents(settings: Settings) -> dict[str, dict[str, str]]:
    """Give the content of each partition that is served, by table and label."""
    manifest = releases.required(settings, None)
    return {name: {p.label: p.content for p in table.partitions} for name, table in manifest.tables.items()}


def test_rounds_and_runs_together_make_what_one_run_makes(settings: Settings, spool: Spool) -> None:
    sell(settings, 1, day=2)
    run(settings)
    before = releases.required(settings, None)
    sell(settings, 2, day=30)
    put(spool, "web_events", *(view(n) for n in range(20)))
    put(spool, "interactions", *(contact(n) for n in range(3)))
    rounds = Stream(settings)
    report = rounds.round()
    assert report is not None
    assert report.published
    assert report.as_dict().keys() == {"release", "published", "steps", "watermarks", "tests"}
    assert [step.name for step in report.steps if not step.name.startswith("build ")] == [
        "land",
        "merge",
        "plan",
        "publish",
    ]
    assert query(settings, EVENTS).rows == [(20,)]
    # Sales that wait for a run are none of its business.
    after = releases.required(settings, None)
    assert {name: after.tables[name] for name in BATCH_TABLES} == {name: before.tables[name] for name in BATCH_TABLES}
    assert after.watermarks["pos"] == before.watermarks["pos"]
    assert after.release_id.endswith("-stream")
    assert not any("sale" in step.name or "stock" in step.name for step in report.steps)
    assert compare(settings, before.release_id, after.release_id).tables
    # Nothing new: nothing is published, whatever waits for a run.
    quiet = rounds.round()
    assert quiet is not None
    assert (quiet.published, quiet.release) == (False, report.release)
    put(spool, "web_events", view(21))
    assert rounds.round() is not None
    assert query(settings, EVENTS).rows == [(21,)]
    assert run(settings).published
    assert query(settings, "select count(*) from warehouse.fct_sale_lines").rows == [(2,)]
    piecewise = contents(settings)
    assert run(settings, rebuild=True).published
    assert contents(settings) == piecewise


def test_without_a_release_a_round_makes_everything(settings: Settings, spool: Spool) -> None:
    quiet = Stream(settings).round()
    assert quiet is not None
    assert (quiet.published, quiet.release) == (False, None)
    sell(settings, 1)
    put(spool, "web_events", view(1))
    report = Stream(settings).round()
    assert report is not None
    assert report.published
    assert query(settings, "select count(*) from warehouse.fct_sale_lines").rows == [(1,)]
    assert not run(settings).published


def test_a_round_whose_audit_fails_publishes_nothing_and_the_next_one_tries_again(
    settings: Settings, spool: Spool
) -> None:
    put(spool, "interactions", contact(1, timestamp=NOW.timestamp() - 3 * 86_400))
    rounds = Stream(settings)
    assert rounds.round() is not None
    good = releases.required(settings, None)
    releases.replace_manifest(settings, _with_doubled_interactions(good))
    put(spool, "interactions", contact(2))
    for _ in range(2):
        with pytest.raises(AuditFailed, match="audit test"):
            rounds.round()
        assert releases.list_ids(settings) == [good.release_id]
    releases.replace_manifest(settings, good)
    report = rounds.round()
    assert report is not None
    assert report.published
    assert query(settings, "select count(*) from support.mart_support__interactions").rows == [(2,)]


def _with_doubled_interactions(manifest: Manifest) -> Manifest:
    """Damage a release: a day of interactions stands in it twice."""
    table = manifest.tables["fct_interactions"]
    doubled = tuple(msgspec.structs.replace(p, files=p.files * 2) for p in table.partitions)
    tables = {**manifest.tables, "fct_interactions": msgspec.structs.replace(table, partitions=doubled)}
    return msgspec.structs.replace(manifest, tables=tables)


def test_a_round_waits_for_its_turn_and_ends_when_asked(settings: Settings, spool: Spool) -> None:
    put(spool, "web_events", view(1))
    stopping = threading.Event()
    rounds = Stream(settings, is_stopping=stopping.is_set)
    with home_lock(settings):
        made: list[object] = []
        waiting = threading.Thread(target=lambda: made.append(rounds.round()))
        waiting.start()
        time.sleep(0.5)
        stopping.set()
        waiting.join(30)
    assert made == [None]
    assert releases.list_ids(settings) == []
    # What had landed before it was asked has landed.
    assert run(settings).published
    assert query(settings, EVENTS).rows == [(1,)]


def test_a_round_that_fails_does_not_end_the_rounds(settings: Settings, spool: Spool) -> None:
    put(spool, "interactions", contact(1, timestamp=NOW.timestamp() - 3 * 86_400))
    Stream(settings).round()
    good = releases.required(settings, None)
    releases.replace_manifest(settings, _with_doubled_interactions(good))
    put(spool, "interactions", contact(2))
    failed, done = list[Exception](), list[object]()

    def on_failure(error: Exception) -> None:
        failed.append(error)
        releases.replace_manifest(settings, good)

    stream(
        settings,
        every_seconds=0.1,
        is_stopping=lambda: bool(done),
        on_round=done.append,
        on_failure=on_failure,
    )
    assert [type(error) for error in failed] == [AuditFailed]
    assert len(done) == 1


def test_the_command_publishes_and_ends_cleanly_on_sigterm(settings: Settings, spool: Spool) -> None:
    put(spool, "web_events", view(1))
    command = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "stream", "--every", "0.2"]
    process = subprocess.Popen([*command, "--format", "json"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["published"] is True
        put(spool, "web_events", view(2))
        second = json.loads(process.stdout.readline())
        assert second["release"] > first["release"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert query(settings, EVENTS).rows == [(2,)]
