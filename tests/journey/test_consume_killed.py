"""Consumers that are frozen, joined by others and outlived by them land each Kafka message once."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from shoplake.keys.keyring import Keyring
from shoplake.lake.browse import show_rows as lake_rows
from shoplake.settings import Settings
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger
from tests.kafka import Broker, a_group

SESSION_SECONDS = 20
"""Short of it, the tests' broker gives up on members that a busy machine slows down."""
PATIENCE_SECONDS = 120


def event(number: int) -> bytes:
    row = {"session_id": f"s{number}", "user_id": number % 97, "page": "/", "timestamp": int(time.time())}
    return json.dumps(row).encode()


class Load:
    """Sends events to a topic at a steady rate until it is ended."""

    def __init__(self, broker: Broker, topic: str, *, partitions: int, a_second: int) -> None:
        self.sent = 0
        self._broker, self._topic, self._partitions, self._step = broker, topic, partitions, a_second // 5
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._is_ending.wait(0.2):
            numbers = range(self.sent, self.sent + self._step)
            self.sent += self._broker.send(self._topic, (event(n) for n in numbers), partitions=self._partitions)

    def end(self) -> int:
        """Give the number of events that the broker has acknowledged."""
        self._is_ending.set()
        self._thread.join()
        return self.sent


class Consumer:
    """A process of `shoplake consume`."""

    started: ClassVar[list[subprocess.Popen[bytes]]] = []

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        topic: str,
        group: str,
        *arguments: str,
        batch_seconds: float = 0.3,
    ) -> None:
        environment = os.environ | {
            "SHOPLAKE_KAFKA_BROKERS": broker.address,
            "SHOPLAKE_KAFKA_TOPICS": json.dumps({"web_events": topic}),
            "SHOPLAKE_KAFKA_GROUP": group,
            "SHOPLAKE_KAFKA_SESSION_SECONDS": str(SESSION_SECONDS),
            "SHOPLAKE_KAFKA_BATCH_SECONDS": str(batch_seconds),
            "SHOPLAKE_THREADS": "2",
            "SHOPLAKE_KAFKA_PASSWORD": "correct-horse-battery",
        }
        command = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "consume", "--format", "json"]
        self.process = subprocess.Popen(
            [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.started.append(self.process)

    def is_reading(self, *, partitions: int) -> None:
        """Wait until the group has given it so many partitions, or fewer."""
        assert self.process.stderr is not None
        limit = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        limit.start()
        try:
            for line in self.process.stderr:
                found = re.match(rb"Reading (\d+) partition", line)
                if found and 0 < int(found[1]) <= partitions:
                    return
        finally:
            limit.cancel()
        raise AssertionError("the consumer ended, or was given no partitions")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> int:
        """End it as an operator does; give the number of rows that it landed."""
        self.process.send_signal(signal.SIGTERM)
        return self.result()

    def result(self) -> int:
        printed, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        return sum(int(found["rows_landed"]) for found in json.loads(printed))


@pytest.fixture(autouse=True)
def _no_consumer_outlives_its_test() -> Iterator[None]:
    yield
    for process in Consumer.started:
        process.kill()
        process.communicate()
    Consumer.started.clear()


def land_the_rest(settings: Settings, broker: Broker, topic: str) -> None:
    Consumer(settings, broker, topic, a_group(), "--once").result()


def sessions(settings: Settings) -> list[str]:
    found = lake_rows(settings, "web_events", limit=10_000_000)
    place = found.columns.index("session_id")
    return sorted(row[place] for row in found.rows)


def positions(settings: Settings, topic: str) -> dict[int, int]:
    """Give how far each partition has landed."""
    store = open_store(settings, Keyring.open(settings))
    try:
        return Ledger(store).positions(f"kafka/{topic}")
    finally:
        store.close()


def landed_offsets(settings: Settings, topic: str) -> int:
    return sum(positions(settings, topic).values())


def everybody_has_landed_more(settings: Settings, topic: str, *, partitions: int) -> None:
    """Wait until each partition has landed more than now, whoever reads it."""
    before, seconds = positions(settings, topic), time.monotonic() + PATIENCE_SECONDS
    while not all(positions(settings, topic).get(n, 0) > before.get(n, 0) for n in range(partitions)):
        assert time.monotonic() < seconds
        time.sleep(0.1)


def test_consumers_share_the_partitions_and_take_over_from_a_killed_one(settings: Settings, broker: Broker) -> None:
    topic, group = broker.make_topic(partitions=4), a_group()
    load = Load(broker, topic, partitions=4, a_second=500)
    try:
        first = Consumer(settings, broker, topic, group)
        first.is_reading(partitions=4)
        doomed = Consumer(settings, broker, topic, group)
        doomed.is_reading(partitions=2)
        for _ in range(2):  # what was read before the second came may land once more
            everybody_has_landed_more(settings, topic, partitions=4)
        doomed.kill()
        third = Consumer(settings, broker, topic, group)
        third.is_reading(partitions=2)
    finally:
        sent = load.end()
    others = [third.end(), first.end()]
    by_doomed = landed_offsets(settings, topic) - sum(others)
    land_the_rest(settings, broker, topic)
    assert sessions(settings) == sorted(f"s{n}" for n in range(sent))
    assert min(by_doomed, others[1]) > 0


def test_a_consumer_that_is_frozen_lands_nothing_that_others_have_landed(settings: Settings, broker: Broker) -> None:
    topic, draw = broker.make_topic(partitions=2), random.Random(4)
    load = Load(broker, topic, partitions=2, a_second=500)
    try:
        # In groups of their own both read all partitions, as after a freeze that has outlasted the session.
        frozen, other = (Consumer(settings, broker, topic, a_group()) for _ in range(2))
        for consumer in (frozen, other):
            consumer.is_reading(partitions=2)
        for _ in range(6):
            frozen.process.send_signal(signal.SIGSTOP)
            time.sleep(draw.uniform(0.2, 1))
            frozen.process.send_signal(signal.SIGCONT)
            time.sleep(draw.uniform(0.2, 0.6))
    finally:
        sent = load.end()
    landed = [frozen.end(), other.end()]
    assert sum(landed) == landed_offsets(settings, topic) > 0
    land_the_rest(settings, broker, topic)
    assert sessions(settings) == sorted(f"s{n}" for n in range(sent))


@pytest.mark.proof
def test_a_consumer_that_is_frozen_past_its_session(settings: Settings, broker: Broker) -> None:
    topic, group = broker.make_topic(partitions=2), a_group()
    load = Load(broker, topic, partitions=2, a_second=500)
    try:
        first = Consumer(settings, broker, topic, group)
        first.is_reading(partitions=2)
        frozen = Consumer(settings, broker, topic, group)
        frozen.is_reading(partitions=1)
        time.sleep(2)
        frozen.process.send_signal(signal.SIGSTOP)
        third = Consumer(settings, broker, topic, group)
        third.is_reading(partitions=1)
        time.sleep(2)
        frozen.process.send_signal(signal.SIGCONT)
        time.sleep(3)
    finally:
        sent = load.end()
    landed = [frozen.end(), third.end(), first.end()]
    assert sum(landed) == landed_offsets(settings, topic) > 0
    land_the_rest(settings, broker, topic)
    assert sessions(settings) == sorted(f"s{n}" for n in range(sent))


def test_a_consumer_that_is_killed_takes_its_landing_processes_with_it(settings: Settings, broker: Broker) -> None:
    topic = broker.make_topic(partitions=2)
    sent = broker.send(topic, (event(n) for n in range(120_000)), partitions=2)
    # Each partition becomes one batch, large enough for a process of its own.
    consumer = Consumer(settings, broker, topic, a_group(), "--once", batch_seconds=200)
    seconds = time.monotonic() + PATIENCE_SECONDS
    while len(descendants(consumer.process.pid)) < 2:  # noqa: PLR2004 - the one that forks, and one that it forked
        assert time.monotonic() < seconds
        time.sleep(0.02)
    time.sleep(random.Random(7).uniform(0, 1))
    landing = descendants(consumer.process.pid)
    consumer.kill()
    while any(Path(f"/proc/{pid}").exists() for pid in landing):
        assert time.monotonic() < seconds
        time.sleep(0.02)
    land_the_rest(settings, broker, topic)
    assert landed_offsets(settings, topic) == sent
    landed = sessions(settings)
    assert len(landed) == sent == len(set(landed))


def descendants(pid: int) -> list[int]:
    """Give the processes under one; none once it has ended."""
    found: list[int] = []
    with suppress(OSError):  # threads end while they are looked at
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def test_the_password_is_in_no_process_list(settings: Settings, broker: Broker) -> None:
    consumer = Consumer(settings, broker, broker.make_topic(), a_group())
    consumer.is_reading(partitions=1)
    assert b"correct-horse" not in Path(f"/proc/{consumer.process.pid}/cmdline").read_bytes()
    assert consumer.end() == 0
