"""A load client: raw sockets that send one prepared request again and again, in a process of its own.

``python -m bench.collector.load`` reads a `Load` as JSON from standard input and prints a `Found` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass


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


async def _send(load: Load) -> Found:
    took: list[float] = []
    failures, sent, started = 0, 0, time.perf_counter()
    requests = [_request(load, body.encode()) for body in load.bodies]

    async def connection(number: int) -> None:
        nonlocal failures, sent
        reader, writer = await asyncio.open_connection("127.0.0.1", load.port, limit=1 << 20)
        while time.perf_counter() - started < load.seconds and not (load.requests and sent >= load.requests):
            at = time.perf_counter()
            writer.write(requests[(sent + number) % len(requests)])
            sent += 1
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0].strip()
            if length:
                await reader.readexactly(int(length))
            failures += head[9:10] != b"2"
            took.append(time.perf_counter() - at)
        writer.close()

    await asyncio.gather(*(connection(n) for n in range(load.connections)))
    seconds = time.perf_counter() - started
    took.sort()
    return Found(len(took), seconds, failures, took[int(len(took) * 0.99)] * 1000 if took else 0.0)


def _request(load: Load, body: bytes) -> bytes:
    head = (
        f"POST {load.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {load.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    import uvloop

    print(json.dumps(asdict(uvloop.run(_send(Load(**json.load(sys.stdin)))))))
