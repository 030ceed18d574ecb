"""Asks a service by HTTPS, from several clients at once, each on a connection that it keeps."""

from __future__ import annotations

import http.client
import ssl
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.measure import cpu_seconds
from shoplake.settings import Settings


@dataclass(frozen=True)
class Asked:
    """An address and the token to ask it with."""

    path: str
    token: str = ""
    body: str = ""
    """JSON to send; without it the address is only read."""


@dataclass(frozen=True)
class Found:
    """What a measurement found."""

    milliseconds: list[float]
    seconds: float
    processor_seconds: float
    failures: int

    def words(self) -> str:
        """Say it in a line."""
        number = len(self.milliseconds)
        return (
            f"p50 {statistics.median(self.milliseconds):.1f} ms, p95 {self.p95:.1f} ms, {number / self.seconds:,.0f} a "
            f"second, {self.processor_seconds / number * 1000:.2f} ms of processor each; failures {self.failures}"
        )

    @property
    def p95(self) -> float:
        """Give the milliseconds below which 95 of 100 are."""
        return self.below(0.95)

    def below(self, share: float) -> float:
        """Give the milliseconds below which a share of all are."""
        return sorted(self.milliseconds)[int(share * (len(self.milliseconds) - 1))]


def ask(settings: Settings, url: str, pid: int, asked: Sequence[Asked], clients: int, requests: int) -> Found:
    """Ask one after the other, in turn; each client on a connection of its own."""
    took, failures, lock = list[float](), list[int](), threading.Lock()

    def client(number: int) -> None:
        con = _connection(settings, url)
        for turn in range(number, requests, clients):
            one = asked[turn % len(asked)]
            headers = {"authorization": f"Bearer {one.token}"} if one.token else {}
            headers |= {"content-type": "application/json"} if one.body else {}
            started = time.perf_counter()
            con.request("POST" if one.body else "GET", one.path, one.body or None, headers)
            answer = con.getresponse()
            answer.read()
            with lock:
                took.append((time.perf_counter() - started) * 1000)
                failures.extend([answer.status] if answer.status != http.client.OK else [])
        con.close()

    threads = [threading.Thread(target=client, args=[number]) for number in range(clients)]
    before, started = cpu_seconds(pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Found(took, time.perf_counter() - started, cpu_seconds(pid) - before, len(failures))


def _connection(settings: Settings, url: str) -> http.client.HTTPSConnection:
    place = urlsplit(url)
    trusted = ssl.create_default_context(cafile=str(settings.home / "tls" / "ca.pem"))
    return http.client.HTTPSConnection(str(place.hostname), place.port, context=trusted, timeout=120)
