"""Whatever is killed or fails: what was acknowledged lands, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from shoplake.collector.drain import drain
from shoplake.pipeline.rotation import rotate
from shoplake.settings import Settings
from tests.collector.running import Running, add_producer, event, landed_sessions, ndjson


class Senders:
    """Threads that send events and note which were acknowledged."""

    def __init__(self, running: Running, first: int, *, threads: int = 3) -> None:
        self._running, self._stop, self._lock = running, threading.Event(), threading.Lock()
        self._next = first
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        draw = random.Random(threading.get_ident())
        running = self._running
        with httpx.Client(
            base_url=running.url, headers=running.client.headers, timeout=60, verify=running.trusted
        ) as client:
            while not self._stop.is_set():
                with self._lock:
                    numbers = range(self._next, self._next + draw.choice([1, 1, 20]))
                    self._next = numbers.stop
                names = {f"s{n}" for n in numbers}
                self.sent |= names
                try:
                    answer = client.post("/v1/events/web_events", content=ndjson([event(n) for n in numbers]))
                except httpx.HTTPError:
                    return
                if answer.status_code == 200:
                    self.acknowledged |= names

    def stop(self) -> int:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self._next


def test_the_draining_process_is_started_anew_and_ends_with_the_collector(settings: Settings) -> None:
    with Running(settings, add_producer(settings), drain_seconds=0.2) as running:
        os.kill(_child(running, "drain"), signal.SIGKILL)
        assert running.send(event(1)).status_code == 200
        _until(lambda: landed_sessions(settings) == ["s1"])
        assert running.metrics()["shoplake_collector_drain_restarts_total"] == 1
        child = _child(running, "drain")
        os.kill(running.process.pid, signal.SIGKILL)
        _until(lambda: not _is_alive(child))


def test_a_full_disk_is_never_acknowledged(settings: Settings) -> None:
    key = add_producer(settings)
    acknowledged, refused = set[str](), 0
    # No file may grow beyond a MiB: to the collector that is a disk without space.
    with Running(settings, key, limits="ulimit -f 1024") as running:
        draw = random.Random(1)
        for number in range(150):
            rows = [event(number * 100 + n, page=f"/{draw.getrandbits(600):x}") for n in range(100)]
            answer = running.send(ndjson(rows))
            if answer.status_code == 200:
                acknowledged |= {row["session_id"] for row in rows}
            else:
                refused += 1
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
                assert "retry-after" in answer.headers
        assert running.client.get("/healthz").status_code == 200
    assert refused > 20
    assert len(acknowledged) > 1_000
    with Running(settings, key) as running:
        assert running.send(event(99_999)).status_code == 200
    drain(settings)
    landed = landed_sessions(settings)
    assert len(landed) == len(set(landed))
    assert acknowledged | {"s99999"} <= set(landed)


def test_what_waits_lands_while_the_collector_goes_on(settings: Settings) -> None:
    with Running(settings, add_producer(settings), drain_seconds=0.3) as running:
        senders = Senders(running, 0)
        _until(lambda: len(senders.acknowledged) > 300 and landed_sessions(settings) != [])
        count = senders.stop()
        _until(lambda: len(landed_sessions(settings)) == count)
        _until(lambda: running.metrics()['shoplake_collector_spool_events{source="web_events"}'] == 0)
    assert landed_sessions(settings) == sorted(f"s{n}" for n in range(count))


def test_new_keys_while_the_collector_runs(settings: Settings) -> None:
    with Running(settings, add_producer(settings), drain_seconds=0.3) as running:
        senders = Senders(running, 0)
        _until(lambda: len(senders.acknowledged) > 100)
        rotate(settings)
        safe = len(senders.acknowledged)
        _until(lambda: len(senders.acknowledged) > safe + 100)
        count = senders.stop()
        assert senders.acknowledged == {f"s{n}" for n in range(count)}
        _until(lambda: len(landed_sessions(settings)) == count)
    rotate(settings)
    with Running(settings, add_producer(settings, "later")) as running:
        assert running.send(event(1)).status_code == 200


def test_a_spool_that_begins_anew_is_another_stream(settings: Settings) -> None:
    key = add_producer(settings)
    for number in range(2):
        with Running(settings, key) as running:
            assert running.send(event(number)).status_code == 200
        drain(settings)
        for path in (settings.home / "store").glob("spool.db*"):
            path.unlink()
    assert landed_sessions(settings) == ["s0", "s1"]


def test_two_collectors_on_one_address(settings: Settings) -> None:
    with Running(settings, add_producer(settings)) as running:
        port = running.url.rsplit(":", 1)[1]
        command = ["-m", "shoplake", "--home", str(settings.home), "collect", "--port", port]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "cannot be listened on" in done.stderr


def _until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _child(running: Running, module: str) -> int:
    """Give the process that the collector runs of a module of its own."""
    tasks = Path(f"/proc/{running.process.pid}/task").glob("*/children")
    found = [int(child) for task in tasks for child in task.read_text(encoding="utf-8").split()]
    (child,) = [n for n in found if f"collector.{module}" in Path(f"/proc/{n}/cmdline").read_text(encoding="utf-8")]
    return child


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
