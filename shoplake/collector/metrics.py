"""What the collector counts, in Prometheus' text format; labels are sources and outcomes, never parts of an event."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

PREFIX = "shoplake_collector_"
COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The collector's counters: plain numbers, which become metrics only when they are read."""

    def __init__(self, waiting: Callable[[], dict[str, tuple[int, float]]]) -> None:
        """Make a registry of its own.

        Args:
            waiting: gives the events that wait to land and when the oldest arrived (seconds since 1970), by source;
                asked when the metrics are read, so that they never show what was.

        """
        from prometheus_client import CollectorRegistry, Histogram

        self.requests: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        self.landed: Counter[str] = Counter()
        self.ignored: Counter[str] = Counter()
        self.drain_restarts = 0
        self._waiting = waiting
        self._watched: list[tuple[str, str, Callable[[], float]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._commits = Histogram(
            f"{PREFIX}commit_seconds",
            "Seconds to make a group of requests durable.",
            buckets=COMMIT_SECONDS,
            registry=self._registry,
        )

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Time a commit."""
        with self._commits.time():
            yield

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a number that is asked for when it is read."""
        self._watched.append((name, text, value))

    def collect(self) -> Iterator[Metric]:
        """Give the present numbers; the registry calls this."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counters = (
            ("requests", "Requests by status.", "status", self.requests),
            ("events_accepted", "Events taken that keep their contract, repeated ones too.", "source", self.accepted),
            ("events_quarantined", "Events taken that break a rule, repeated ones too.", "source", self.quarantined),
            ("events_duplicate", "Events that had been stored before.", "source", self.duplicates),
            ("events_landed", "Events taken from the spool into the lake.", "source", self.landed),
            ("messages_ignored", "Messages of Segment's API that are no events, by type.", "type", self.ignored),
        )
        for name, text, label, values in counters:
            family = CounterMetricFamily(PREFIX + name, text, labels=[label])
            for value, count in dict(values).items():
                family.add_metric([value], count)
            yield family
        restarts = "Times that the draining process had to be started anew."
        yield CounterMetricFamily(f"{PREFIX}drain_restarts", restarts, value=self.drain_restarts)
        events = GaugeMetricFamily(f"{PREFIX}spool_events", "Events that wait to land.", labels=["source"])
        seconds = GaugeMetricFamily(f"{PREFIX}spool_seconds", "Age of the oldest of them.", labels=["source"])
        for source, (count, oldest) in self._waiting().items():
            events.add_metric([source], count)
            seconds.add_metric([source], max(time.time() - oldest, 0.0) if count else 0.0)
        yield from (events, seconds)
        for name, text, number in self._watched:
            yield GaugeMetricFamily(PREFIX + name, text, value=number())

    def text(self) -> bytes:
        """Give the page."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)
