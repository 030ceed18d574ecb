"""A load client: raw sockets that send prepared requests again and again, in a process of its own.

It shares the machine with the server, so it takes as little of it as it can: of a request it does no more than send
it, and of an answer it reads the status and the length. ``python -m bench.collector.load`` reads a `Load` as JSON from
standard input and prints a `Found` as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field

LARGEST_READ = 4_096
"""An answer is shorter; a larger buffer would be made and cut for each of them."""


@dataclass(frozen=True)
class Load:
    """What to send."""

    port: int
    path: str
    key: str
    bodies: list[str]
    connections: int
    seconds: float
    requests: int = 0
    """Stop after so many, however long it takes; 0 for no such end."""


@dataclass(frozen=True)
class Found:
    """What came of it."""

    requests: int
    seconds: float
    failures: int
    p99_milliseconds: float
    client_microseconds: float
    """Processor time of the client for a request."""

    @property
    def per_second(self) -> float:
        """Give the requests a second that were answered by 2xx."""
        return (self.requests - self.failures) / self.seconds


def run(load: Load) -> Found:
    """Send from another process; give what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.collector.load"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        check=True,
    )
    return Found(**json.loads(done.stdout))


class _Sender:
    """Sends over many connections, on each the next request when the last one has been answered."""

    def __init__(self, load: Load) -> None:
        self._load, self._requests = load, [_request(load, body.encode()) for body in load.bodies]
        self._epoll, self._open = select.epoll(), dict[int, _Connection]()
        self._sent, self._failures, self._took = 0, 0, list[float]()
        self._ends: dict[bytes, int] = {}
        """By the head of an answer, where the whole answer ends."""
        self._started = self._now = time.perf_counter()

    def run(self) -> Found:
        before = time.process_time()
        for number in range(self._load.connections):
            opened = _Connection(socket.create_connection(("127.0.0.1", self._load.port)), number)
            opened.socket.setblocking(False)
            opened.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open[opened.socket.fileno()] = opened
            self._epoll.register(opened.socket, select.EPOLLIN)
            self._next(opened)
        while self._open:
            for number, event in self._epoll.poll():
                connection = self._open[number]
                if event & select.EPOLLOUT:
                    self._go_on(connection)
                else:
                    self._receive(connection)
        seconds = time.perf_counter() - self._started
        took, cost = sorted(self._took), time.process_time() - before
        slow = took[int(len(took) * 0.99)] * 1000 if took else 0.0
        return Found(len(took), seconds, self._failures, slow, cost / max(len(took), 1) * 1e6)

    def _next(self, connection: _Connection) -> None:
        is_late = self._now - self._started >= self._load.seconds
        if is_late or (self._load.requests and self._sent >= self._load.requests):
            self._epoll.unregister(connection.socket)
            del self._open[connection.socket.fileno()]
            connection.socket.close()
            return
        request = self._requests[(self._sent + connection.number) % len(self._requests)]
        self._sent += 1
        connection.at = self._now
        try:
            sent = connection.socket.send(request)
        except BlockingIOError:
            sent = 0
        if sent < len(request):
            connection.rest = memoryview(request)[sent:]
            self._go_on(connection)

    def _go_on(self, connection: _Connection) -> None:
        """Send what is left of the request, as far as the connection takes it now."""
        was_waiting = connection.is_waiting
        with suppress(BlockingIOError):
            connection.rest = connection.rest[connection.socket.send(connection.rest) :]
        connection.is_waiting = bool(connection.rest)
        if connection.is_waiting != was_waiting:
            self._epoll.modify(connection.socket, select.EPOLLOUT if connection.is_waiting else select.EPOLLIN)

    def _receive(self, connection: _Connection) -> None:
        data = connection.socket.recv(LARGEST_READ)
        if not data:
            raise ConnectionError("The server closed a connection.")
        answer = connection.answer = connection.answer + data if connection.answer else data
        head = answer[: answer.find(b"\r\n\r\n") + 4]
        if len(head) < 4:  # noqa: PLR2004 - not even its end is there
            return
        end = self._ends.get(head)
        if end is None:
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0].strip()
            end = self._ends[head] = len(head) + int(length or b"0")
        if len(answer) >= end:
            self._failures += answer[9:10] != b"2"
            self._now = time.perf_counter()
            self._took.append(self._now - connection.at)
            connection.answer = b""
            self._next(connection)


@dataclass
class _Connection:
    """A connection, and how far its request and answer have come."""

    socket: socket.socket
    number: int
    rest: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytes = b""
    is_waiting: bool = False
    """Whether the request has not been sent whole."""
    at: float = 0.0


def _request(load: Load, body: bytes) -> bytes:
    head = (
        f"POST {load.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {load.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    print(json.dumps(asdict(_Sender(Load(**json.load(sys.stdin))).run())))
