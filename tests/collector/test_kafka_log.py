"""With Kafka as its log the collector answers when the brokers have the events; `consume` lands each once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import KafkaError

from shoplake.collector.kafka_log import _Delivery
from shoplake.lake.browse import show_rows
from shoplake.lake.consuming import Consumed, consume
from shoplake.lake.quarantine import list_rows
from shoplake.settings import Settings, load_settings
from shoplake.store.deposits import Stored
from tests.collector.running import Running, add_producer, event, landed_sessions, ndjson
from tests.kafka import Broker


def logging_to(settings: Settings, broker: Broker, **topics: str) -> Settings:
    """Give the settings of a home whose collector stores in topics."""
    lines = [
        'collector_log = "kafka"',
        f'kafka_brokers = "{broker.address}"',
        f"kafka_topics = {{{', '.join(f'{source} = {json.dumps(topic)}' for source, topic in topics.items())}}}",
        f'kafka_group = "{next(iter(topics.values()))}"',
        "kafka_batch_seconds = 0.5",
    ]
    (settings.home / "settings.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_settings(settings.home)


def consumed(settings: Settings) -> Consumed:
    (found,) = consume(settings, ["web_events"], once=True)
    return found


def test_what_is_acknowledged_lands_once(settings: Settings, broker: Broker) -> None:
    there = logging_to(settings, broker, web_events=broker.make_topic(partitions=3))
    rows = [event(n, event_id=f"e{n}") for n in range(30)]
    with Running(there, add_producer(there)) as running:
        assert running.send(ndjson([*rows[:20], event(99, timestamp="soon")])).json()["quarantined"] == 1
        assert running.send(ndjson(rows)).json() == {"accepted": 30, "quarantined": 0, "duplicates": 20, "reasons": []}
        first = running.send(event(30), idempotency_key="k")
        assert first.json()["duplicates"] == 0
        assert running.send(event(30), idempotency_key="k").content == first.content
        assert running.send(event(31), idempotency_key="k").status_code == 422
        assert running.send({"customer_id": 1}, "interactions").status_code == 404
        tasks = Path(f"/proc/{running.process.pid}/task").glob("*/children")
        assert [child.read_text(encoding="utf-8") for child in tasks if child.read_text(encoding="utf-8")] == []
        found = consumed(there)
    assert (found.rows_landed, found.rows_quarantined, found.rows_duplicate) == (31, 1, 0)
    assert landed_sessions(there) == sorted(f"s{n}" for n in range(31))
    assert [row.reasons for row in list_rows(there, "web_events")] == [("timestamp:not_a_time",)]


def test_an_event_that_the_log_holds_twice_lands_once(settings: Settings, broker: Broker) -> None:
    there = logging_to(settings, broker, web_events=broker.make_topic(partitions=2))
    key = add_producer(there)
    rows = [event(n, event_id=f"e{n}") for n in range(10)]

    def send(first: int) -> None:
        with Running(there, key, is_clear=True) as running:
            assert running.send(ndjson(rows[first:])).status_code == 200
            assert running.send(ndjson([event(n) for n in (20, 21)]), idempotency_key="k").status_code == 200

    send(0)
    # What it remembers is lost, as if it had been killed between the brokers' answer and its own.
    for path in (there.home / "store").glob("spool.db*"):
        path.unlink()
    send(5)
    found = consumed(there)
    assert (found.rows_read, found.rows_landed, found.rows_duplicate) == (19, 12, 7)
    for path in (there.home / "store").glob("spool.db*"):
        path.unlink()
    send(0)
    again = consumed(there)
    assert (again.rows_read, again.rows_landed, again.rows_duplicate) == (12, 0, 12)
    expected = sorted(f"s{n}" for n in [*range(10), 20, 21])
    assert landed_sessions(there) == expected
    assert len(show_rows(there, "web_events").rows) == 12


class Senders:
    """Threads that send events with ids, each until it is acknowledged, whatever the answer was before."""

    def __init__(self, key: str, *, threads: int = 3) -> None:
        self.url, self.sent, self.answers = "", set[str](), Counter[Any]()
        self.has_retry_after = True
        self._key, self._next, self._lock, self._stop = key, 0, threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    def are_answered(self) -> None:
        """Wait until some more of what they send is acknowledged."""
        before, deadline = self.answers[200], time.monotonic() + 120
        while self.answers[200] < before + 10:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _send(self) -> None:
        with httpx.Client(headers={"authorization": f"Bearer {self._key}"}, timeout=30) as client:
            while not self._stop.is_set():
                with self._lock:
                    numbers = range(self._next, self._next + 5)
                    self._next = numbers.stop
                    self.sent |= {f"s{n}" for n in numbers}
                body = ndjson([event(n, event_id=f"e{n}") for n in numbers])
                while self._post(client, body) != 200:
                    time.sleep(0.2)

    def _post(self, client: httpx.Client, body: bytes) -> int:
        try:
            answer = client.post(f"{self.url}/v1/events/web_events", content=body)
        except httpx.HTTPError:
            return 0
        with self._lock:
            self.answers[answer.status_code] += 1
            if answer.status_code == 503:
                self.has_retry_after &= "retry-after" in answer.headers
        return answer.status_code


def test_no_event_is_lost_or_lands_twice_when_brokers_go_away_and_the_collector_is_killed(
    settings: Settings, own_broker: Broker
) -> None:
    there = logging_to(settings, own_broker, web_events=own_broker.make_topic(partitions=2))
    key = add_producer(there)
    senders, running = Senders(key), Running(there, key, is_clear=True)
    assert own_broker._process is not None
    try:
        senders.url = running.url
        senders.start()
        senders.are_answered()
        own_broker._process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 120
        while not senders.answers[503]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert running.client.get("/healthz").status_code == 200
        own_broker._process.send_signal(signal.SIGCONT)
        for _ in range(3):
            senders.are_answered()
            running.kill()
            consume(there, ["web_events"], once=True)
            running = Running(there, key, is_clear=True)
            senders.url = running.url
        senders.are_answered()
    finally:
        os.kill(own_broker._process.pid, signal.SIGCONT)
        senders.stop()
        running.kill()
    consume(there, ["web_events"], once=True)
    assert landed_sessions(there) == sorted(senders.sent)
    assert set(senders.answers) == {200, 503}
    assert senders.has_retry_after


def test_a_topic_that_is_missing_at_the_start_is_said(settings: Settings, broker: Broker) -> None:
    logging_to(settings, broker, web_events="nowhere")
    command = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "collect", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no topic 'nowhere'" in done.stderr


def test_an_event_that_is_too_large_for_the_brokers_is_told_from_brokers_that_are_away() -> None:
    delivery = _Delivery(Stored("stored"))
    delivery.report(None)
    assert delivery.failure == ""
    delivery.report(KafkaError(KafkaError._MSG_TIMED_OUT))
    assert delivery.failure == "unavailable"
    delivery.report(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    assert delivery.failure == "too_large"
