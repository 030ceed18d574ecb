"""Asks a service by HTTPS, from several clients at once, each on a connection that it keeps."""

from __future__ import annotations

import re
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.measure import cpu_seconds
from shoplake.settings import Settings

OK = 200
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
RECEIVE_BYTES = 1 << 16


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
    client_seconds: float = 0.0
    """Processor time of the clients, which share the machine."""

    def words(self) -> str:
        """Say it in a line."""
        number = len(self.milliseconds)
        return (
            f"p50 {statistics.median(self.milliseconds):.1f} ms, p95 {self.p95:.1f} ms, {number / self.seconds:,.0f} a "
            f"second, {self.processor_seconds / number * 1000:.2f} ms of processor each, beside "
            f"{self.client_seconds / number * 1000:.2f} ms of the clients; failures {self.failures}"
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
    host = urlsplit(url).netloc
    written = [_written(host, one) for one in asked]

    def client(number: int) -> None:
        sock = _connected(settings, url)
        for turn in range(number, requests, clients):
            request = written[turn % len(written)]
            started = time.perf_counter()
            sock.sendall(request)
            status = _answered(sock)
            with lock:
                took.append((time.perf_counter() - started) * 1000)
                failures.extend([status] if status != OK else [])
        sock.close()

    threads = [threading.Thread(target=client, args=[number]) for number in range(clients)]
    before, ours, started = cpu_seconds(pid), time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, ours = time.perf_counter() - started, time.process_time() - ours
    return Found(took, seconds, cpu_seconds(pid) - before, len(failures), ours)


def _connected(settings: Settings, url: str) -> ssl.SSLSocket:
    place = urlsplit(url)
    trusted = ssl.create_default_context(cafile=str(settings.home / "tls" / "ca.pem"))
    plain = socket.create_connection((place.hostname, place.port or 443), timeout=120)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return trusted.wrap_socket(plain, server_hostname=place.hostname)


def _written(host: str, one: Asked) -> bytes:
    """Give the bytes of a request: made once, for a client takes its processor from the service."""
    lines = [f"{'POST' if one.body else 'GET'} {one.path} HTTP/1.1", f"host: {host}"]
    lines += [f"authorization: Bearer {one.token}"] if one.token else []
    body = one.body.encode()
    lines += ["content-type: application/json", f"content-length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def _answered(sock: ssl.SSLSocket) -> int:
    """Read one answer, which says its length; give its status."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _some(sock)
    length = LENGTH.search(data, 0, end + 2)
    if length is None:
        raise RuntimeError("An answer does not say its length.")
    left = int(length.group(1)) - (len(data) - end - 4)
    while left > 0:
        left -= len(_some(sock))
    return int(data[9:12])


def _some(sock: ssl.SSLSocket) -> bytes:
    data = sock.recv(RECEIVE_BYTES)
    if not data:
        raise RuntimeError("The service has hung up.")
    return data
