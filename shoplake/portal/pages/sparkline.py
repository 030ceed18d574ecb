"""A trend as a small drawing of its own: lines through a row of figures, with gaps where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT, MARGIN = 160, 36, 3
FEWEST = 2


@dataclass(frozen=True)
class Sparkline:
    """Lines of an SVG of `WIDTH` by `HEIGHT`, each as its ``points``, and where the last figure is."""

    lines: tuple[str, ...]
    end: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[float | None]) -> Sparkline | None:
    """Draw figures from left to right, the least at the bottom; None where there are too few for a trend."""
    known = [value for value in values if value is not None]
    if len(known) < FEWEST:
        return None
    low, high = min(known), max(known)
    step = (WIDTH - 2 * MARGIN) / (len(values) - 1)
    places = [
        (round(MARGIN + n * step, 1), _height(value, low, high)) if value is not None else None
        for n, value in enumerate(values)
    ]
    runs = [list(run) for is_known, run in groupby(places, key=lambda place: place is not None) if is_known]
    lines = tuple(" ".join(f"{x},{y}" for x, y in run if run) for run in runs)  # type: ignore[misc]
    last = next(place for place in reversed(places) if place is not None)
    return Sparkline(lines, last)


def _height(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1)
