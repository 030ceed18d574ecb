"""What the service counts, in Prometheus' text format; labels are routes and outcomes, never parts of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoplake.portal.lanes import Lane

PREFIX = "shoplake_service_"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class ServiceMetrics:
    """Counters with a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            f"{PREFIX}requests", "Requests by route and status.", ["route", "method", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            f"{PREFIX}request_seconds", "Seconds to answer.", ["route"], buckets=SECONDS, registry=self._registry
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a number that is asked for when it is read."""
        Gauge(PREFIX + name, text, registry=self._registry).set_function(value)

    def watch_lane(self, lane: Lane) -> None:
        """Show how many calls of a lane run or wait."""
        self.watch(f"{lane.name.replace('-', '_')}_calls", f"Calls that run or wait ({lane.name}).", lambda: lane.busy)

    def text(self) -> bytes:
        """Give the page."""
        return generate_latest(self._registry)
