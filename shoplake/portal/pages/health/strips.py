"""A strip of small bars, one a day: how much of a source came, and where some of it was held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from shoplake.store.landed_counts import Counts

BAR, STEP, HEIGHT, LEAST = 6, 8, 28, 3


@dataclass(frozen=True)
class Bar:
    """One day: a rectangle, and of what kind."""

    x: int
    y: float
    height: float
    kind: str
    """``came``, ``held`` where some of it is in quarantine, or ``none``."""


@dataclass(frozen=True)
class Strip:
    """The bars of an SVG."""

    bars: tuple[Bar, ...]
    width: int
    height: int = HEIGHT
    bar: int = BAR


def strip(days: Sequence[tuple[dt.date, Counts | None]]) -> Strip:
    """Draw days from left to right; the fullest has the whole height."""
    most = max((count.landed + count.quarantined for _, count in days if count is not None), default=0)
    bars = []
    for place, (_, count) in enumerate(days):
        if count is None:
            bars.append(Bar(place * STEP, HEIGHT - 1, 1, "none"))
            continue
        rows = count.landed + count.quarantined
        height = round(max(LEAST, HEIGHT * rows / most if most else 0), 1)
        kind = "held" if count.quarantined else "came"
        bars.append(Bar(place * STEP, round(HEIGHT - height, 1), height, kind))
    return Strip(tuple(bars), max(len(days) * STEP - (STEP - BAR), 1))
