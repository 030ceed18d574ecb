"""Messages a second from Kafka into the encrypted lake, beside a bare ``consume()`` loop that drops them.

Run as ``python -m bench.consume``. The broker is that of the tests (noida-db, or what SHOPLAKE_TEST_KAFKA names); it
shares the machine with the consumer. Both read the same topic in turn, in groups of their own; shoplake lands each
round in a home of its own. The clock of the bare loop runs from its first message, that of shoplake from the call.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import cpu_seconds

if TYPE_CHECKING:
    from tests.kafka import Broker

MESSAGES = 2_000_000
PARTITIONS = 4
ROUNDS = 3
RATIO = 0.5
"""The target: ours at least half as fast as the bare loop."""


class LostMessagesError(Exception):
    """Not every message came or landed."""


@dataclass(frozen=True)
class Round:
    """Messages a second, and microseconds of processor a message: the reader's with its processes, and the broker's."""

    bare: float
    bare_cpu: float
    bare_broker: float
    ours: float
    ours_cpu: float
    ours_broker: float


def measure(work: Path, *, messages: int, rounds: int) -> list[Round]:
    """Send the messages once, then read them by turns.

    Raises:
        LostMessagesError: not every message came or landed.

    """
    from tests.kafka import Broker  # here, for the landing processes import this module too

    broker = Broker(work / "kafka")
    try:
        topic = broker.make_topic(partitions=PARTITIONS)
        broker.send(topic, (_event(n) for n in range(messages)), partitions=PARTITIONS)
        return [_round(broker, topic, work / f"home-{number}", messages) for number in range(rounds)]
    finally:
        broker.stop()


def _event(number: int) -> bytes:
    signed_in = number % 50_000 if number // 5 % 5 < 2 else "null"  # noqa: PLR2004 - 40 % of the visits
    return (
        f'{{"session_id":"{number // 5:016x}","user_id":{signed_in},"page":"/product/{number % 3000}",'
        f'"device_type":"Mobile","browser":"Firefox","event_type":"View","timestamp":{1_767_225_600 + number / 100}}}'
    ).encode()


def _round(broker: Broker, topic: str, home: Path, messages: int) -> Round:
    marks = [_of_broker(broker)]
    bare, bare_cpu = _bare(broker, topic, messages)
    marks.append(_of_broker(broker))
    ours, ours_cpu = _ours(broker, topic, home, messages)
    marks.append(_of_broker(broker))
    spent = [(after - before) / messages * 1e6 for before, after in pairwise(marks)]
    return Round(bare, bare_cpu, spent[0], ours, ours_cpu, spent[1])


def _of_broker(broker: Broker) -> float:
    """Give the processor time that the broker has taken so far; 0 for one that is not ours."""
    return cpu_seconds(broker.pid) if broker.pid else 0.0


def _bare(broker: Broker, topic: str, messages: int) -> tuple[float, float]:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": broker.address,
            "group.id": f"bare-{time.time_ns()}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "receive.message.max.bytes": 1 << 30,
        }
    )
    consumer.subscribe([topic])
    seen, started, cpu = 0, 0.0, 0.0
    while seen < messages:
        found = consumer.consume(10_000, 1.0)
        if found and not started:
            started, cpu = time.monotonic(), time.process_time()
        seen += len(found)
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    consumer.close()
    return messages / seconds, cpu / messages * 1e6


def _ours(broker: Broker, topic: str, home: Path, messages: int) -> tuple[float, float]:
    from shoplake.lake.consuming import consume
    from shoplake.pipeline.init import init_home
    from shoplake.settings import load_settings
    from tests.kafka import reading

    settings = reading(load_settings(home), broker, web_events=topic)
    init_home(settings)
    started, cpu = time.monotonic(), _cpu_seconds()
    (found,) = consume(settings, once=True)
    seconds, cpu = time.monotonic() - started, _cpu_seconds() - cpu
    if found.rows_landed != messages:
        raise LostMessagesError(f"{found.rows_landed:,} of {messages:,} messages landed")
    return messages / seconds, cpu / messages * 1e6


def _cpu_seconds() -> float:
    """Give the processor time of this process and of the landing processes that have ended, but not the broker's."""
    landing = 0.0
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                landing += cpu_seconds(int(pid), with_ended_children=True)
    return time.process_time() + landing


def main() -> int:
    """Measure and print; give 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        rounds = measure(Path(work), messages=given.messages, rounds=given.rounds)
    for number, one in enumerate(rounds, start=1):
        sys.stdout.write(
            f"round {number}: bare loop {one.bare:,.0f} a second ({one.bare_cpu:.1f} us of processor a message, broker "
            f"{one.bare_broker:.1f}), into the lake {one.ours:,.0f} a second ({one.ours_cpu:.1f} us, broker "
            f"{one.ours_broker:.1f}), ratio {one.ours / one.bare:.2f}\n"
        )
    ratio = sum(one.ours / one.bare for one in rounds) / len(rounds)
    met = "met" if ratio >= RATIO else "not met"
    sys.stdout.write(f"Kafka into the lake: {ratio:.2f} of a bare loop (at least {RATIO} is the target: {met})\n")
    return 0 if ratio >= RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
