"""A collector under steady load for a while, for leaks: ``python -m bench.soak [--minutes 10] [--rate 20000]``.

Sends NDJSON of 1,000 events at a steady rate to a collector that drains meanwhile. Prints the resident memory of the
collector and of the process that drains every so often, and at the end how much they grew from their first settled
value to the last. Ends by itself; gives 1 if a request failed, events did not land, or memory grew by half.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.collector.__main__ import BATCH_EVENTS, PATH, child_of, ndjson, running_collector
from bench.machine import describe

MOST_GROWTH, WARM_UP_RATIO, BODIES, PATIENCE_SECONDS = 1.5, 0.25, 40, 120


@dataclass(frozen=True)
class Sample:
    """Resident memory (MiB) at one moment."""

    seconds: float
    collector: float
    drain: float
    waiting: int
    """Events that have not landed."""


class Sender:
    """Sends bodies in turn at a steady rate, in a thread, until it is ended."""

    def __init__(self, port: int, key: str, rate: int) -> None:
        """Send ``rate`` events a second."""
        self.sent = self.failed = 0
        self._port, self._key, self._pause, self._ending = port, key, BATCH_EVENTS / rate, threading.Event()
        self._bodies = [body.encode() for body in ndjson(BODIES)]
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def end(self) -> None:
        """End."""
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        due = time.monotonic()
        while not self._ending.wait(max(due - time.monotonic(), 0)):
            due = max(due + self._pause, time.monotonic() - 1)
            url, headers = f"http://127.0.0.1:{self._port}{PATH}", {"authorization": f"Bearer {self._key}"}
            body = self._bodies[self.sent % len(self._bodies)]
            try:
                urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60).close()  # noqa: S310 - ours
                self.sent += 1
            except OSError:
                self.failed += 1


def main() -> int:
    """Measure and print; give 1 if something failed or grew."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="length")
    parser.add_argument("--rate", type=int, default=20_000, help="events a second")
    parser.add_argument("--every", type=float, default=30, help="seconds between two looks at the memory")
    parser.add_argument("--work", type=Path, help="folder for the home (default: the system's temporary one)")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    with (
        tempfile.TemporaryDirectory(prefix="shoplake-soak-", dir=given.work) as work,
        running_collector(Path(work), drain_seconds=0.5) as (port, key, _home, pid),
    ):
        sender = Sender(port, key, given.rate)
        try:
            samples = _watch(port, pid, given.minutes * 60, given.every)
        finally:
            sender.end()
        waiting = _wait_until_landed(port)
    print(f"{sender.sent * BATCH_EVENTS:,} events acknowledged; requests that failed: {sender.failed}; ", end="")
    print(f"events that have not landed {PATIENCE_SECONDS} s later at most: {waiting:,}")
    growths = [_growth(samples, name) for name in ("collector", "drain")]
    return 0 if not sender.failed and not waiting and max(growths) < MOST_GROWTH else 1


def _watch(port: int, pid: int, seconds: float, every: float) -> list[Sample]:
    samples, started = list[Sample](), time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        time.sleep(min(every, seconds - passed))
        drain = _resident(child_of(pid, "drain"))
        sample = Sample(time.monotonic() - started, _resident(pid), drain, _waiting(port))
        print(f"{sample.seconds:6.0f} s  collector {sample.collector:6.1f} MiB", end="  ")
        print(f"drain {drain:6.1f} MiB  waiting {sample.waiting:,}", flush=True)
        samples.append(sample)
    return samples


def _growth(samples: list[Sample], name: str) -> float:
    """Compare the middle of the first values after the warm-up with that of the last."""
    values = [getattr(sample, name) for sample in samples[int(len(samples) * WARM_UP_RATIO) :]]
    part = max(len(values) // 4, 1)
    first, last = statistics.median(values[:part]), statistics.median(values[-part:])
    print(f"{name}: {first:.1f} MiB -> {last:.1f} MiB, ratio {last / first:.2f} (limit {MOST_GROWTH})")
    return last / first


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _waiting(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:  # noqa: S310 - our own server
        lines = page.read().decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("shoplake_collector_spool_events{")))


def _wait_until_landed(port: int) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (waiting := _waiting(port)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return waiting


if __name__ == "__main__":
    sys.exit(main())
