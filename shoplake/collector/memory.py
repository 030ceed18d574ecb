"""How much the collector holds in memory, and what a producer may send."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from shoplake.collector.refusal import Refusal, overloaded


class MemoryLimit:
    """Counts the bytes of bodies between their first byte and their answer."""

    def __init__(self, limit: int) -> None:
        """Hold at most ``limit`` bytes."""
        self.limit, self.held = limit, 0

    def take(self, size: int) -> int:
        """Take bytes for a request, which gives them back when it has been answered.

        Raises:
            Refusal: (503) there is no room for so many.

        """
        if self.held + size > self.limit:
            raise overloaded("The collector holds as much as it may.")
        self.held += size
        return size

    def give_back(self, size: int) -> None:
        """Give bytes back."""
        self.held -= size


class RateLimit:
    """A token bucket: a second's worth of events at once, and so many a second after that."""

    def __init__(self, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Let ``per_second`` events through a second."""
        self._per_second, self._clock = per_second, clock
        self._tokens, self._at = float(per_second), clock()

    def take(self, events: int) -> None:
        """Let a request of ``events`` through; one larger than the bucket passes when that is full, and is paid off.

        Raises:
            Refusal: (429) too soon.

        """
        now = self._clock()
        self._tokens = min(self._per_second, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < min(events, self._per_second):
            wait = (min(events, self._per_second) - self._tokens) / self._per_second
            raise Refusal(
                429,
                "rate_limit",
                f"This key may send {self._per_second} events a second.",
                "Send the same request again after Retry-After seconds.",
                retry_after=max(1, math.ceil(wait)),
            )
        self._tokens -= events
