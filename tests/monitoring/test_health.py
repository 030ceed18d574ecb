"""The health of a home's data: late sources, files that wait, releases that failed and why, restatements, streams."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import msgspec
import pytest

from shoplake.audit.reading import Wanted, find
from shoplake.errors import AuditFailed
from shoplake.keys.keyring import Keyring
from shoplake.lake.landing import land
from shoplake.monitoring.health import health
from shoplake.monitoring.releases import detail
from shoplake.pipeline import releases
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from shoplake.store.deposits import Deposit
from shoplake.store.spool import open_spool, spool_path

HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
DAY = 86_400


def sell(settings: Settings, name: str, *lines: str) -> None:
    path: Path = settings.home.parent / name
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    land(settings, "pos", [path])


def sold(number: int, revenue: object = "10.00", at: float = 1767600000) -> str:
    return f"T{number},1,2,1,{revenue},,{at}"


def contact(settings: Settings, name: str, *customers: int, day: int = 0) -> None:
    path: Path = settings.home.parent / name
    told = {"interaction_type": "Complaint", "channel": "Email", "rating": 2, "message_excerpt": "hello"}
    at = 1767600000 + day * DAY
    lines = [json.dumps(told | {"customer_id": n, "timestamp": at + n}) for n in customers]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    land(settings, "interactions", [path])


def test_a_fresh_home_knows_nothing_and_says_so(settings: Settings) -> None:
    found = health(settings)
    assert {one.state for one in found.sources} == {"nothing landed"}
    assert [one.recent for one in found.sources if one.recent] == []
    assert (found.release_id, found.waiting, found.makings, found.restatements) == (None, (), (), ())
    assert (found.failure, found.published, found.streams.positions, found.streams.has_spool) == (None, None, (), False)


def test_a_source_is_late_after_its_cadence_and_what_is_allowed_on_top(settings: Settings) -> None:
    newest = 1767600000
    sell(settings, "a.csv", *[sold(n) for n in range(30)], sold(30, "x"))
    allowed = DAY + 129_600
    for seconds, state in ((allowed, "on time"), (allowed + 90, "late")):
        now = dt.datetime.fromtimestamp(newest + seconds, dt.UTC)
        (pos,) = [one for one in health(settings, now=now).sources if one.source == "pos"]
        assert pos.state == state
        assert pos.due_at == dt.datetime.fromtimestamp(newest + allowed, dt.UTC).replace(tzinfo=None)
        assert pos.late_seconds == (90 if state == "late" else None)
    found = health(settings, days=7)
    (pos,) = found.late
    assert pos.recent is not None
    assert (pos.recent.landed, pos.recent.quarantined, pos.rows_open, len(pos.days)) == (30, 1, 1, 7)
    assert [count is not None for _, count in pos.days] == [False] * 6 + [True]


def test_a_file_that_waits_and_a_restatement_are_told(settings: Settings) -> None:
    sell(settings, "a.csv", sold(1), sold(2))
    sell(settings, "a.csv", sold(1, "12.00"), sold(3))
    sell(settings, "b.csv", sold(4), sold(5, "x"))
    found = health(settings)
    assert [(f.logical_name, f.status, f.rows_quarantined) for f in found.waiting] == [("b.csv", "failed", 2)]
    (restated,) = found.restatements
    assert (restated.rows_added, restated.rows_removed, restated.rows_changed) == (1, 1, 1)
    assert restated.net_sales_moved == "2.00"


@pytest.fixture(scope="module")
def failing(module_home: Settings) -> Settings:
    """Give a home whose release is damaged: contacts stand in it twice, so that the next audit fails."""
    contact(module_home, "day0.jsonl", 1, 2)
    run(module_home)
    good = releases.required(module_home, None)
    table = good.tables["fct_interactions"]
    doubled = tuple(msgspec.structs.replace(p, files=p.files * 2) for p in table.partitions)
    tables = {**good.tables, "fct_interactions": msgspec.structs.replace(table, partitions=doubled)}
    releases.replace_manifest(module_home, msgspec.structs.replace(good, tables=tables))
    contact(module_home, "day1.jsonl", 1, day=4)
    for _ in range(2):
        with pytest.raises(AuditFailed):
            run(module_home)
    releases.replace_manifest(module_home, good)
    return module_home


def test_a_failed_audit_is_remembered_with_its_tests_and_where_their_rows_came_from(failing: Settings) -> None:
    found = health(failing)
    failure, published = found.failure, found.published
    assert failure is not None
    assert published is not None
    assert (failure.made_by, failure.code, failure.times, failure.release_id) == ("run", "audit", 2, None)
    twice = next(test for test in failure.failed_tests if test.kind == "counted_once")
    assert (twice.table, twice.rows) == ("fct_interactions", 4)
    assert sorted((place.file, place.line) for place in twice.places) == [("day0.jsonl", n) for n in (1, 1, 2, 2)]
    assert "Complaint" not in repr(failure)
    assert (published.release_id, published.is_served, published.is_kept) == (found.release_id, True, True)
    assert published.seconds is not None
    assert published.tests_passed
    assert published.rebuilt
    assert published.rebuilt["fct_interactions"] == 1


def test_a_release_says_how_it_differs_from_the_one_before(failing: Settings) -> None:
    first = health(failing).release_id
    assert first is not None
    before = detail(failing, first)
    assert (before.diff, before.making.release_id) == (None, first)
    assert {step["name"] for step in before.steps} >= {"plan", "publish", "build fct_interactions"}
    contact(failing, "day0.jsonl", 1, 3)
    run(failing)
    found = health(failing)
    assert found.failure is None
    assert found.release_id is not None
    after = detail(failing, found.release_id)
    assert after.diff is not None
    assert (after.diff.before, {row["table"] for row in after.diff.tables} >= {"fct_interactions"}) == (first, True)
    assert [r.file for r in after.making.restatements] == ["day0.jsonl"]
    assert find(failing, Wanted(action="releases show"))[-1].release == found.release_id


def test_streams_say_how_far_they_have_landed_and_what_waits(settings: Settings) -> None:
    spool = open_spool(settings, Keyring.open(settings))
    event = b'{"session_id":"s","page":"/","timestamp":1767600000}'
    spool.put([Deposit("web_events", event + b"\n" + event, 2, time.time())])
    spool.close()
    found = health(settings).streams
    assert found.has_spool
    assert found.backlog is not None
    assert [(name, events) for name, events, _ in found.backlog] == [("web_events", 2)]
    spool_path(settings).write_bytes(b"no spool" * 1_000)
    assert health(settings).streams.backlog is None
