"""Follows probes from the collector's answer to the mart of the release that is served."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.stream.sending import Probe, Sender, Sent
from shoplake.access.sql import query
from shoplake.home import HomePaths
from shoplake.settings import Settings, load_settings

LONGEST_WAIT_SECONDS = 300
WARM_UP_RATE, WARM_UP_SECONDS = 100, 2
MARTS = {
    "web_events": "select started_at from marketing.mart_marketing__sessions "
    "where microsecond(started_at) % 1000000 > 0",
    "interactions": "select interacted_at from support.mart_support__interactions "
    "where microsecond(interacted_at) % 1000000 > 0",
}
COUNTS = {
    "web_events": "select sum(events) from marketing.mart_marketing__events_day",
    "interactions": "select count(*) from support.mart_support__interactions",
}


@dataclass(frozen=True)
class Sample:
    """What a process held and had used at one moment."""

    resident_bytes: int
    cpu_seconds: float


@dataclass(frozen=True)
class Freshness:
    """What was found."""

    sent: Sent
    in_marts: dict[str, int]
    rounds: list[float]
    """Seconds of each round that published."""
    samples: list[Sample]
    """Of the stream's process, at each release."""

    def seconds(self) -> list[float]:
        """Give each probe's seconds from its answer to its mart, in order; one that never came is endless."""
        found = (p.visible_at - p.answered_at if p.visible_at else float("inf") for p in self.sent.probes)
        return sorted(found)


def at(values: Sequence[float], share: float) -> float:
    """Give the value that ``share`` of sorted values do not pass."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def measure_freshness(work: Path, *, rate: int, seconds: float, every: float) -> Freshness:
    """Run a collector, a stream and a sender on a home of their own until every probe is seen."""
    home = work / "freshness"
    shoplake = [sys.executable, "-m", "shoplake", "--home", str(home)]
    subprocess.run([*shoplake, "init"], check=True, capture_output=True)
    add = ["producers", "add", "bench", "--source", "web_events", "--source", "interactions", "--format", "json"]
    key = json.loads(subprocess.run([*shoplake, *add], check=True, capture_output=True, text=True).stdout)["key"]
    settings = load_settings(home)
    with _process([*shoplake, "collect", "--no-tls", "--port", "0"]) as collector:
        assert collector.stdout is not None  # noqa: S101 - it is piped
        port = int(collector.stdout.readline().rsplit(":", 1)[1])
        with _process([*shoplake, "stream", "--every", str(every), "--format", "json"]) as rounds:
            lines = _Lines(rounds)
            _warm_up(settings, Sender(port, key, rate=WARM_UP_RATE, seconds=WARM_UP_SECONDS))
            before = len(lines.found), _in_marts(settings)
            sender = Sender(port, key, rate=rate, seconds=seconds)
            samples = _follow(settings, sender, rounds.pid)
            rounds.send_signal(signal.SIGTERM)
            lines.join()
    published = [sum(s["seconds"] for s in line["steps"] if _is_whole(s["name"])) for line in lines.found[before[0] :]]
    in_marts = {source: count - before[1][source] for source, count in _in_marts(settings).items()}
    return Freshness(sender.sent, in_marts, published, samples)


def _warm_up(settings: Settings, sender: Sender) -> None:
    """Wait for the first release, which makes every table."""
    sender.run()
    while not HomePaths(settings.home).pointer.exists() or _in_marts(settings) != sender.sent.events:
        time.sleep(0.5)


def _in_marts(settings: Settings) -> dict[str, int]:
    """Count the events in the marts, by source."""
    return {source: int(query(settings, sql).rows[0][0] or 0) for source, sql in COUNTS.items()}


def _follow(settings: Settings, sender: Sender, pid: int) -> list[Sample]:
    """Send, and look at every new release which probes it shows; give what the stream's process held and used."""
    pointer, seen, samples = HomePaths(settings.home).pointer, "", list[Sample]()
    started = time.monotonic()
    sender.start()
    while True:
        now = time.monotonic()
        served = pointer.read_text(encoding="ascii") if pointer.exists() else ""
        if served != seen:
            seen = served
            _note(settings, sender.sent.probes, now)
            with contextlib.suppress(OSError):
                samples.append(_sample(pid))
        waiting = [probe for probe in sender.sent.probes if probe.visible_at is None]
        is_over = now - started > sender.seconds + LONGEST_WAIT_SECONDS
        if not sender.is_alive() and (not waiting or is_over):
            return samples
        time.sleep(0.1)


def _sample(pid: int) -> Sample:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    used = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    cpu_seconds = sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
    return Sample(int(pages) * os.sysconf("SC_PAGE_SIZE"), cpu_seconds)


def _note(settings: Settings, probes: Sequence[Probe], now: float) -> None:
    for source, sql in MARTS.items():
        moments = {row[0].replace(tzinfo=dt.UTC) for row in query(settings, sql).rows}
        for probe in probes:
            if probe.source == source and probe.visible_at is None and _moment(probe) in moments:
                probe.visible_at = now


def _moment(probe: Probe) -> dt.datetime:
    return dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=round(probe.moment * 1_000_000))


def _is_whole(step: str) -> bool:
    """Tell the steps of a round from the models within one of them."""
    return not step.startswith("build ") or step == "build and audit"


class _Lines(threading.Thread):
    """Reads what the stream prints, a line of JSON each round."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process, self.found = process, list[dict[str, list[dict[str, float | str]]]]()
        self.start()

    def run(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is piped
        for line in self._process.stdout:
            self.found.append(json.loads(line))


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
