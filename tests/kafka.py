"""A real Kafka-protocol broker for the tests: noida-db, or the one that ``SHOPLAKE_TEST_KAFKA`` names.

What noida-db 0.2 does, as measured here: topics of several partitions, consumer groups with eager assignment
(round-robin and range), offsets, headers, time stamps, tombstones, ``acks=all``, offsets by time, deletion and
re-creation of topics, "offset out of range", retention. A bare ``consume()`` loop read 140,000 to 210,000 small
messages a second on two cores, with the broker on the same.

What it does not: it gives topics no ids (all zero) and knows no cooperative assignment (partitions that one member
gives up reach nobody). It never misses a member that died: the partitions go to others only at the next rebalance,
once ``max.poll.interval.ms`` has passed, and never if it was the group's first member. After that it now and then
takes the partitions from members that live, which is a test of its own. It ignores the largest response that a client
asks for: one answer holds all of a partition that is left. At the end of a partition it answers at once that there is
nothing, where others wait: a client that reads on asks it 30,000 times a second. When it is killed it
forgets what it has not flushed, so that tests kill our process and stop this one in order.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from shoplake.settings import Settings

GIVEN = os.environ.get("SHOPLAKE_TEST_KAFKA", "")
SECONDS = 60
"""How long a busy machine may take for what the broker is asked."""


class Broker:
    """A broker and what tests do with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = GIVEN or f"127.0.0.1:{_free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int | None:
        """Its process; None if it is not ours."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        if GIVEN:
            return
        # The installed script would start the server as a child: signals would not reach it.
        binary = Path(str(files("noida_db") / "noida-db"))
        binary.chmod(0o755)
        port = self.address.rpartition(":")[2]
        self._process = subprocess.Popen(
            [binary, "start", "--only", "kafka", "--kafka-port", port, "--data-dir", self.folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=SECONDS)
            self._process = None

    def make_topic(self, name: str = "", *, partitions: int = 1) -> str:
        """Make a topic, of a new name unless given one; give the name."""
        name = name or f"shop.{secrets.token_hex(4)}"
        sizes = {"max.message.bytes": "50000000"}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=sizes)
        admin = self._admin()  # it drops what it is asked for when it goes
        admin.create_topics([new])[name].result(SECONDS)
        return name

    def remove_topic(self, name: str) -> None:
        admin = self._admin()
        admin.delete_topics([name])[name].result(SECONDS)
        _wait_for(lambda: name not in self._admin().list_topics(timeout=5).topics)

    def send(self, topic: str, values: Iterable[bytes | None], *, partitions: int = 1) -> int:
        """Send messages in turn to each partition; give their number once the broker has them all."""
        failed: list[str] = []
        producer = Producer({"bootstrap.servers": self.address, "acks": "all", "message.max.bytes": 100_000_000})
        sent = 0
        for sent, value in enumerate(values, start=1):
            report = lambda error, _: failed.append(str(error)) if error else None  # noqa: E731
            producer.produce(topic, value, partition=(sent - 1) % partitions, on_delivery=report)
            if sent % 10_000 == 0:
                producer.flush()
        assert producer.flush(SECONDS) == 0
        assert failed == []
        return sent

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address})

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", int(self.address.rpartition(":")[2])), timeout=1):
                pass
            return bool(self._admin().list_topics(timeout=2).brokers)
        except (OSError, KafkaException):
            return False


def a_group() -> str:
    """Name a consumer group that nobody is in."""
    return f"group-{secrets.token_hex(4)}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the broker did not answer as it should"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Give a broker that every test of this process shares: each makes topics of its own."""
    started = Broker(tmp_path_factory.mktemp("kafka"))
    yield started
    started.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """Give a broker that a test may stop and start."""
    if GIVEN:
        pytest.skip("the given broker is not ours to stop")
    started = Broker(tmp_path / "kafka")
    yield started
    started.stop()


def reading(settings: Settings, broker: Broker, **topics: str) -> Settings:
    """Give settings that read topics, by source, in a group of their own."""
    changes = {
        "kafka_brokers": broker.address,
        "kafka_topics": topics,
        "kafka_group": f"shoplake-{secrets.token_hex(4)}",
        "kafka_session_seconds": 10,
        "kafka_batch_seconds": 0.5,
    }
    return settings.model_copy(update=changes)
