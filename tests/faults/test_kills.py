"""Killed at any moment, under load without a pause: what producers were told is safe is in the lake, once."""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter
from collections.abc import Callable

import pytest

from shoplake.access.sql import query
from shoplake.collector.drain import drain
from shoplake.lake.browse import show_rows
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.collector.running import add_producer
from tests.faults.actors import ACTORS, PARTITIONS, Assault, Stage
from tests.faults.load import Account, HttpLoad, KafkaLoad
from tests.kafka import Broker


@pytest.fixture
def stage(settings: Settings, broker: Broker) -> Stage:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Stage(settings, port, broker, broker.make_topic(partitions=PARTITIONS))


def landed_sessions(settings: Settings) -> Counter[str]:
    found = show_rows(settings, "web_events", limit=100_000_000)
    place = found.columns.index("session_id")
    return Counter(str(row[place]) for row in found.rows)


def finish(stage: Stage, load: HttpLoad) -> None:
    """Let producers finish at a collector that nobody kills; land all that waits."""
    collector = stage.start("collect", "--no-tls", "--port", str(stage.port), "--drain-seconds", "3600", log="last")
    try:
        load.end()
    finally:
        collector.send(signal.SIGTERM)
        assert collector.exit_code(60) == 0
    drain(stage.settings)
    assert stage.start("consume", "--once", log="last").exit_code(300) == 0


def assault(stage: Stage, kills: int) -> tuple[Assault, Account]:
    """Kill under load; give what was killed, and the account, of which every event has landed once."""
    account, key = Account(), add_producer(stage.settings)
    by_kafka = KafkaLoad(stage.broker, stage.topic, account, partitions=PARTITIONS)
    by_http = HttpLoad(f"http://127.0.0.1:{stage.port}", key, account)
    attack = Assault(stage, kills)
    try:
        attack.carry_out()
    finally:
        by_kafka.end()
        landed_under_attack = stage.landed("")
        finish(stage, by_http)
    landed = landed_sessions(stage.settings)
    assert [name for name, times in landed.items() if times > 1] == [], "an event has landed twice"
    assert account.acknowledged - landed.keys() == set(), "an acknowledged event is lost"
    assert landed.keys() - account.sent == set()
    assert attack.failed == []
    assert attack.killed.keys() == {actor.name for actor in ACTORS}
    assert landed_under_attack > kills / 10, "the processes were hardly ever caught at work"
    report = run(stage.settings)
    assert report.tests.failed == 0
    assert query(stage.settings, "select count(*) from warehouse.fct_web_events").rows == [(len(landed),)]
    return attack, account


def test_fifty_kills_under_load_lose_nothing_and_count_nothing_twice(stage: Stage) -> None:
    _, account = assault(stage, kills=50)
    assert len(account.acknowledged) > 1_000


@pytest.mark.proof
def test_a_thousand_kills(stage: Stage, record_proof: Callable[[str, str], None]) -> None:
    started = time.monotonic()
    attack, account = assault(stage, kills=1_000)
    counts = ", ".join(f"{name} {times}" for name, times in sorted(attack.killed.items()))
    by_http = sum(name.startswith("h") for name in account.acknowledged)
    record_proof(
        "kills",
        f"{attack.killed.total():,} SIGKILLs in {(time.monotonic() - started) / 60:.0f} minutes under load ({counts}). "
        f"Producers were told that {len(account.acknowledged):,} events are safe ({by_http:,} by HTTP, the others by "
        "Kafka). Missing in the lake: 0. Landed twice: 0. The release holds each row of the lake once.",
    )
