"""Figures as people read them: money with its currency, shares in percent, durations in hours and minutes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

MINUTE, HOUR, DAY = 60, 3600, 86400
SHORT = 10
Figure = int | float | Decimal | None


def shown(value: Figure, unit: str, currency: str) -> str:
    """Give a figure of a unit as text; a dash where there is none."""
    if value is None:
        return "-"
    if unit == "money":
        return f"{value:,.2f} {currency}"
    if unit == "ratio":
        return f"{float(value) * 100:,.1f} %"
    if unit == "seconds":
        return duration(float(value))
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}" + (" days" if unit == "days" else "")
    return f"{float(value):,.2f}" + (" days" if unit == "days" else "")


def shown_part(name: str, value: Figure | str) -> Figure | str:
    """Give a part as its name says: seconds as a duration, a share in percent, all else as it is."""
    if value is None or isinstance(value, str):
        return value
    if name.endswith("_seconds"):
        return duration(float(value))
    if "share" in name.split("_"):
        return f"{float(value) * 100:,.1f} %"
    is_exact = isinstance(value, int) or (isinstance(value, Decimal) and value == round(value, 2))
    return f"{value:,}" if is_exact else f"{value:,.4f}".rstrip("0").rstrip(".")


def label(value: object) -> object:
    """Give a dimension's value as text: an id without separators, a time to the minute; a measure stays a number."""
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def duration(seconds: float) -> str:
    """Give seconds as ``2d 3h``, ``3h 20min``, ``4min 10s`` or ``12s``: the two largest units."""
    if seconds < SHORT and seconds != int(seconds):
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, name, smaller, smaller_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size}{name}" + (f" {rest}{smaller_name}" if rest else "")
    return f"{whole}s"


def change(value: Figure, previous: Figure, unit: str) -> str:
    """Give the change against the days before: points for a share, percent for all else."""
    if value is None or previous is None:
        return "-"
    if unit == "ratio":
        return f"{(float(value) - float(previous)) * 100:+.1f} points"
    if previous == 0:
        return "-"
    return f"{(float(value) / float(previous) - 1) * 100:+.1f} %"
