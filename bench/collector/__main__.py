"""Measures the collector: ``python -m bench.collector [--seconds 5] [--rounds 3]``.

A bare endpoint of the same server and the collector answer the same requests in turn, each from a fresh start; then
batches of 1,000 events are sent, and the whole way into the lake is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.collector.load import Found, Load, run
from bench.machine import describe
from bench.measure import cpu_seconds

CONNECTIONS, BATCH_CONNECTIONS, BATCH_EVENTS = 64, 8, 1_000
ONE_RATIO, BATCH_RATE, LAKE_RATE = 0.5, 300_000, 100_000
PATH = "/v1/events/web_events"


def main() -> int:
    """Measure and print; give 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.collector", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind; the median counts")
    parser.add_argument("--work", type=Path, help="folder for the home (default: the system's temporary one)")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-", dir=given.work) as work:
        met = [_one_a_request(Path(work), given.seconds, given.rounds)]
        met.append(_batches(Path(work), given.seconds, given.rounds))
        met.append(_into_the_lake(Path(work), given.seconds))
    return 0 if all(met) else 1


def _one_a_request(work: Path, seconds: float, rounds: int) -> bool:
    bodies = [_event(random.Random(n)) for n in range(500)]  # noqa: S311 - test data
    bare, ours = list[Found](), list[Found]()
    bare_cost, our_cost = list[float](), list[float]()
    for _ in range(rounds):
        with _bare() as (port, pid):
            bare.append(_timed(Load(port, PATH, "none", bodies, CONNECTIONS, seconds), pid, bare_cost))
        with running_collector(work) as (port, key, _home, pid):
            ours.append(_timed(Load(port, PATH, key, bodies, CONNECTIONS, seconds), pid, our_cost))
    reference, found = _median(bare), _median(ours)
    print(f"processor time a request: bare {statistics.median(bare_cost):.1f} us, ", end="")
    print(f"durable {statistics.median(our_cost):.1f} us; ", end="")
    print(f"the client {_client(bare):.1f} us beside the bare one, {_client(ours):.1f} us beside the durable one")
    print(f"bare 204 endpoint: {reference:,.0f} requests/s at {CONNECTIONS} connections")
    print(f"one durable event a request: {found:,.0f} requests/s, p99 {ours[-1].p99_milliseconds:.1f} ms", end=", ")
    print(f"{found / reference:.2f} of the bare endpoint (target {ONE_RATIO}); failures {_failures(ours)}")
    return found >= ONE_RATIO * reference and not _failures(ours)


def _timed(load: Load, pid: int, costs: list[float]) -> Found:
    """Send; note the microseconds of processor that the server took for a request."""
    before = cpu_seconds(pid)
    found = run(load)
    costs.append((cpu_seconds(pid) - before) / found.requests * 1e6)
    return found


def _batches(work: Path, seconds: float, rounds: int) -> bool:
    bodies, found = ndjson(20), list[Found]()
    for _ in range(rounds):
        with running_collector(work) as (port, key, *_):
            found.append(run(Load(port, PATH, key, bodies, BATCH_CONNECTIONS, seconds)))
    rate = _median(found) * BATCH_EVENTS
    print(f"NDJSON of {BATCH_EVENTS:,} events: {rate:,.0f} durable events/s (target {BATCH_RATE:,}), ", end="")
    print(f"p99 {found[-1].p99_milliseconds:.0f} ms; failures {_failures(found)}")
    return rate >= BATCH_RATE and not _failures(found)


def _into_the_lake(work: Path, seconds: float) -> bool:
    """Send batches for a while with the drain running, then wait until the last one has landed."""
    with running_collector(work, drain_seconds=0.5) as (port, key, home, _):
        started = time.perf_counter()
        requests = int(seconds * 4 * LAKE_RATE / BATCH_EVENTS)
        found = run(Load(port, PATH, key, ndjson(50), BATCH_CONNECTIONS, 600, requests))
        _wait_until_landed(port, (found.requests - found.failures) * BATCH_EVENTS)
        took = time.perf_counter() - started
    events = (found.requests - found.failures) * BATCH_EVENTS
    print(f"all the way into the lake: {events:,} events in {took:.1f} s, {events / took:,.0f} events/s ", end="")
    print(f"(target {LAKE_RATE:,}); lake {_size(home / 'lake') / 2**20:.0f} MiB")
    return events / took >= LAKE_RATE


def _wait_until_landed(port: int, events: int) -> None:
    import urllib.request

    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:  # noqa: S310 - our own server
            lines = page.read().decode().splitlines()
        landed = [line for line in lines if line.startswith("shoplake_collector_events_landed_total")]
        if landed and float(landed[0].split()[-1]) >= events:
            return
        time.sleep(0.2)


@contextmanager
def _bare() -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.collector.bare", str(port)])
    try:
        _wait_for(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def running_collector(work: Path, *, drain_seconds: float = 3600) -> Iterator[tuple[int, str, Path, int]]:
    """Run a collector on a home of its own; give its port, a key, the home and its process."""
    home = Path(tempfile.mkdtemp(dir=work))
    shoplake = [sys.executable, "-m", "shoplake", "--home", str(home)]
    subprocess.run([*shoplake, "init"], check=True, capture_output=True)
    add = [*shoplake, "producers", "add", "bench", "--source", "web_events", "--format", "json"]
    key = json.loads(subprocess.run(add, check=True, capture_output=True, text=True).stdout)["key"]
    serve = [*shoplake, "collect", "--no-tls", "--port", "0", "--drain-seconds", str(drain_seconds)]
    process = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert process.stdout is not None  # noqa: S101 - it is piped
        yield int(process.stdout.readline().rsplit(":", 1)[1]), key, home, process.pid
    finally:
        process.terminate()
        process.wait()


def child_of(pid: int, module: str) -> int:
    """Give the process that a collector runs of a module of its own."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text(encoding="utf-8").split()]
    name = f"shoplake.collector.{module}"
    return next(child for child in children if name in Path(f"/proc/{child}/cmdline").read_text(encoding="utf-8"))


def _wait_for(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return


def _event(draw: random.Random) -> str:
    row = {
        "session_id": f"{draw.getrandbits(64):016x}",
        "user_id": draw.choice([None, draw.randrange(50_000)]),
        "page": f"/product/{draw.randrange(2_000)}",
        "device_type": draw.choice(["Desktop", "Mobile", "Tablet"]),
        "browser": draw.choice(["Chrome", "Firefox", "Safari"]),
        "event_type": draw.choice(["Click", "View", "Scroll"]),
        "timestamp": round(time.time() - draw.random() * 600, 3),
    }
    return json.dumps(row)


def ndjson(bodies: int) -> list[str]:
    """Make bodies of 1,000 events, one a line."""
    draw = random.Random(7)  # noqa: S311 - test data
    return ["\n".join(_event(draw) for _ in range(BATCH_EVENTS)) for _ in range(bodies)]


def _median(found: list[Found]) -> float:
    return statistics.median(each.per_second for each in found)


def _client(found: list[Found]) -> float:
    return statistics.median(each.client_microseconds for each in found)


def _failures(found: list[Found]) -> int:
    return sum(each.failures for each in found)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
