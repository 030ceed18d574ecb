"""Load without a pause, by HTTP and by Kafka, that keeps an account of what its producers were told."""

from __future__ import annotations

import json
import secrets
import threading
import time
from typing import Any

import httpx

from tests.kafka import Broker

PAUSE_SECONDS = 0.03


class Account:
    """The sessions that were sent, and those of which a producer was told that they are safe."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self.answers: list[httpx.Response] = []
        """Every answer but 200."""


def event(session: str, number: int, **more: object) -> dict[str, Any]:
    row = {"session_id": session, "user_id": 1 + number % 97, "page": "/", "timestamp": round(time.time() - 10, 3)}
    return row | more


class HttpLoad:
    """Producers that send to one address, whoever listens there.

    One of three sends nothing twice; the others send what was not acknowledged again until it is, under an idempotency
    key or with ids in the events.
    """

    def __init__(self, url: str, key: str, account: Account, *, producers: int = 3) -> None:
        self._url, self._key, self._account = url, key, account
        self._is_ending = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=[n]) for n in range(producers)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End as soon as what is sent again and again has been acknowledged: a collector has to be running."""
        self._is_ending.set()
        for thread in self._threads:
            thread.join()

    def _work(self, producer: int) -> None:
        first, headers = 0, {"authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=30) as client:
            while not self._is_ending.wait(PAUSE_SECONDS):
                numbers = range(first, first + (1, 1, 20)[first % 3])
                first = numbers.stop
                names = [f"h{producer}.{number}" for number in numbers]
                self._account.sent.update(names)
                if self._deliver(client, names, way=producer % 3):
                    self._account.acknowledged.update(names)

    def _deliver(self, client: httpx.Client, names: list[str], *, way: int) -> bool:
        has_ids = way == 2
        rows = [event(name, n, **({"event_id": name} if has_ids else {})) for n, name in enumerate(names)]
        body = b"\n".join(json.dumps(row).encode() for row in rows)
        headers = {"idempotency-key": secrets.token_hex(8)} if way == 1 else {}
        while True:
            try:
                answer = client.post("/v1/events/web_events", content=body, headers=headers)
                if answer.status_code == 200:
                    return True
                self._account.answers.append(answer)
            except httpx.HTTPError:
                pass  # nobody listens, or whoever did was killed
            if way == 0:
                return False
            time.sleep(PAUSE_SECONDS)


class KafkaLoad:
    """Sends events to a topic at a steady rate; the broker acknowledges each of them."""

    def __init__(self, broker: Broker, topic: str, account: Account, *, partitions: int, a_second: int = 100) -> None:
        self._broker, self._topic, self._account = broker, topic, account
        self._partitions, self._step, self._sent = partitions, a_second // 5, 0
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def end(self) -> None:
        self._is_ending.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._is_ending.wait(0.2):
            numbers = range(self._sent, self._sent + self._step)
            self._account.sent.update(f"k{number}" for number in numbers)
            values = [json.dumps(event(f"k{number}", number)).encode() for number in numbers]
            self._sent += self._broker.send(self._topic, values, partitions=self._partitions)
            self._account.acknowledged.update(f"k{number}" for number in numbers)
