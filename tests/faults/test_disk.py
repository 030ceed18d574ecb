"""A disk that is full or fails: nothing is promised meanwhile, and what was promised before lands, once."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shoplake.collector.drain import drain
from shoplake.keys.keyring import Keyring
from shoplake.lake.landing import land
from shoplake.settings import Settings
from shoplake.store.spool import open_spool
from tests.collector.running import Running, add_producer, landed_sessions
from tests.faults.disk import FAILURES, NAMES, BadDisk
from tests.faults.load import Account, HttpLoad, KafkaLoad, event
from tests.kafka import Broker, a_group


def until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def check(settings: Settings, account: Account) -> None:
    """Compare what producers were told with the lake."""
    landed = landed_sessions(settings)
    assert len(landed) == len(set(landed)), "an event has landed twice"
    assert account.acknowledged - set(landed) == set(), "an acknowledged event is lost"
    assert set(landed) <= account.sent


def test_the_collector_refuses_while_the_disk_fails_and_goes_on_by_itself(
    settings: Settings, bad_disk: BadDisk
) -> None:
    account, key = Account(), add_producer(settings)
    with Running(settings, key, drain_seconds=0.2, environment=bad_disk.environment, is_clear=True) as running:
        load = HttpLoad(running.url, key, account)
        for error, calls in FAILURES:
            safe, refused = len(account.acknowledged), len(account.answers)
            until(lambda safe=safe: len(account.acknowledged) > safe + 20)
            with bad_disk.failing(error, calls):
                until(lambda refused=refused: len(account.answers) > refused + 10)
                time.sleep(0.5)
        safe = len(account.acknowledged)
        until(lambda: len(account.acknowledged) > safe + 20)
        load.end()
        until(lambda: account.acknowledged <= set(landed_sessions(settings)))
    assert {answer.status_code for answer in account.answers} == {503}
    assert {answer.json()["error"]["code"] for answer in account.answers} == {"unavailable"}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in account.answers)
    drain(settings)
    check(settings, account)


def test_a_commit_whose_sync_failed_is_made_durable_or_undone_by_whoever_opens_it_next(
    settings: Settings, bad_disk: BadDisk
) -> None:
    key, log = add_producer(settings), settings.home / "store" / "spool.db-wal"
    row = json.dumps(event("s1", 1)).encode()
    running = Running(settings, key, environment=bad_disk.environment)
    with bad_disk.failing(errno.EIO, "sync", "spool.db"):
        assert running.send(row, idempotency_key="k1").status_code == 503
        running.kill()
    assert log.stat().st_size > 0
    spool = open_spool(settings, Keyring.open(settings))
    assert log.stat().st_size == 0
    spool.close()
    with Running(settings, key, environment=bad_disk.environment) as running:
        assert running.send(row, idempotency_key="k1").status_code == 200
    drain(settings)
    assert landed_sessions(settings) == ["s1"]


def test_a_collector_does_not_start_on_a_disk_that_cannot_keep_what_it_finds(
    settings: Settings, bad_disk: BadDisk
) -> None:
    key = add_producer(settings)
    running = Running(settings, key)
    assert running.send(json.dumps(event("s1", 1)).encode()).status_code == 200
    running.kill()
    with bad_disk.failing(errno.EIO, "sync", "spool.db"):
        done = shoplake(settings, bad_disk, "collect", "--port", "0")
    assert done.returncode == 2
    assert "The spool" in done.stderr
    assert "cannot be opened: disk I/O error" in done.stderr
    drain(settings)
    assert landed_sessions(settings) == ["s1"]


@pytest.mark.parametrize(("error", "calls"), FAILURES[::2], ids=NAMES[::2])
def test_landing_a_file_ends_with_what_broke_and_the_next_call_lands_it(
    settings: Settings, bad_disk: BadDisk, tmp_path: Path, error: int, calls: str
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(event(f"s{n}", n)) + "\n" for n in range(500)), encoding="utf-8")
    for part in ("/lake/", "/operations.db"):
        with bad_disk.failing(error, calls, part):
            done = shoplake(settings, bad_disk, "land", "web_events", str(path))
        assert done.returncode == 2
        assert "cannot be" in done.stderr
        assert "Traceback" not in done.stderr
    assert landed_sessions(settings) == []
    (landed,) = land(settings, "web_events", [path])
    assert (landed.status, landed.rows_landed) == ("landed", 500)


def test_a_home_is_made_once_there_is_space(settings: Settings, bad_disk: BadDisk) -> None:
    there = settings.model_copy(update={"home": settings.home / "another"})
    with bad_disk.failing(errno.ENOSPC, "write"):
        done = shoplake(there, bad_disk, "init")
    assert done.returncode == 2
    assert "The disk is full or fails: No space left on device." in done.stderr, done.stderr
    assert shoplake(there, bad_disk, "init").returncode == 0


def test_consuming_goes_on_after_the_disk_has_failed(settings: Settings, bad_disk: BadDisk, broker: Broker) -> None:
    account, topic = Account(), broker.make_topic(partitions=2)
    environment = {
        "SHOPLAKE_KAFKA_BROKERS": broker.address,
        "SHOPLAKE_KAFKA_TOPICS": json.dumps({"web_events": topic}),
        "SHOPLAKE_KAFKA_BATCH_SECONDS": "0.2",
    }
    load = KafkaLoad(broker, topic, account, partitions=2)
    try:
        for error, calls in FAILURES[::2]:
            before = len(landed_sessions(settings))
            group = {"SHOPLAKE_KAFKA_GROUP": a_group()}
            process = start(settings, bad_disk, "consume", **environment, **group)
            until(lambda before=before: len(landed_sessions(settings)) > before)
            with bad_disk.failing(error, calls):
                _, said = process.communicate(timeout=120)
            assert process.returncode == 2
            assert "cannot be written" in said, said
            assert "Traceback" not in said
    finally:
        load.end()
    last = start(settings, bad_disk, "consume", "--once", **environment, SHOPLAKE_KAFKA_GROUP=a_group())
    last.communicate(timeout=120)
    assert last.returncode == 0
    check(settings, account)


def start(settings: Settings, disk: BadDisk, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "shoplake", "--home", str(settings.home), *arguments],
        env=os.environ | dict(disk.environment) | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shoplake(settings: Settings, disk: BadDisk, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(settings, disk, *arguments)
    out, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, out, errors)
