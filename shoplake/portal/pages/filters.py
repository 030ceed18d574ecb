"""What a page is about, held whole in its address: a link shows the same page to whoever may see it."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from shoplake.access.kpi_window import DEFAULT_DAYS, ONE_DAY, Window, parse_day
from shoplake.errors import InputError

LONGEST_VALUE, MOST_VALUES = 200, 50
PRESETS = {
    "7": "Last 7 days",
    "30": "Last 30 days",
    "90": "Last 90 days",
    "month": "This month",
    "last-month": "Last month",
}
DEFAULT_PRESET = str(DEFAULT_DAYS)
DIMENSIONS = ("region", "store", "warehouse", "category", "product", "channel", "type", "device", "page")
"""What pages filter by, in this order; a KPI names those that it has."""


@dataclass(frozen=True)
class Filters:
    """A span of days and wanted values by dimension."""

    preset: str = DEFAULT_PRESET
    first: dt.date | None = None
    last: dt.date | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def has_own_days(self) -> bool:
        """Say whether days were chosen, instead of a preset."""
        return self.first is not None or self.last is not None

    def window(self, reaches: dt.date) -> Window:
        """Give the days, where the data reaches ``reaches``.

        Raises:
            InputError: the window ends before it starts.

        """
        if not self.has_own_days:
            return _preset(self.preset, reaches)
        last = self.last or max(reaches, self.first or reaches)
        window = Window(self.first or last - (DEFAULT_DAYS - 1) * ONE_DAY, last)
        if window.days < 1:
            raise InputError(f"The window ends ({last}) before it starts ({window.first}).", hint="Swap the two days.")
        return window

    def address(self, path: str, **more: str) -> str:
        """Give the address of a page with these filters."""
        query = self.pairs() + [(name, value) for name, value in more.items() if value]
        return f"{path}?{urlencode(query)}" if query else path

    def pairs(self) -> list[tuple[str, str]]:
        """Give names and values as they stand in an address; what is as by default is left out."""
        days = [("from", self.first), ("to", self.last)]
        found = [(name, day.isoformat()) for name, day in days if day is not None]
        if not found and self.preset != DEFAULT_PRESET:
            found.append(("days", self.preset))
        return found + [(name, value) for name, values in self.where.items() for value in values]

    def over(self, preset: str) -> Filters:
        """Give the same filters over the days of a preset."""
        return replace(self, preset=preset, first=None, last=None)

    def on(self, day: dt.date) -> Filters:
        """Give the same filters on one day."""
        return replace(self, first=day, last=day)

    def only(self, dimension: str, value: str) -> Filters:
        """Give the same filters with one value of a dimension."""
        return replace(self, where={**self.where, dimension: (value,)})

    def without(self, dimension: str) -> Filters:
        """Give the same filters without a dimension."""
        return replace(self, where={name: values for name, values in self.where.items() if name != dimension})


def read_filters(pairs: Iterable[tuple[str, str]], dimensions: Sequence[str]) -> Filters:
    """Read the filters of an address; names that it has for other purposes are left alone.

    Args:
        pairs: names and values of the query string.
        dimensions: what the page can be filtered by.

    Raises:
        InputError: a day is none, a preset is unknown, or there are too many or too long values.

    """
    preset, days, where = DEFAULT_PRESET, dict[str, str](), dict[str, tuple[str, ...]]()
    for name, value in pairs:
        if not value:
            continue
        if name in {"from", "to"}:
            days[name] = value
        elif name == "days":
            preset = value
        elif name in dimensions:
            where[name] = tuple(dict.fromkeys([*where.get(name, ()), value]))
    if preset not in PRESETS:
        raise InputError(f"days={preset[:20]!r} is not known.", hint=f"Give one of {', '.join(PRESETS)}.")
    if any(len(values) > MOST_VALUES or max(map(len, values)) > LONGEST_VALUE for values in where.values()):
        raise InputError("A filter is too long.", hint=f"At most {MOST_VALUES} values of {LONGEST_VALUE} characters.")
    first, last = parse_day(days.get("from"), "from"), parse_day(days.get("to"), "to")
    if first and last and first > last:
        raise InputError(f"The window ends ({last}) before it starts ({first}).", hint="Swap the two days.")
    return Filters(preset, first, last, where)


def _preset(name: str, reaches: dt.date) -> Window:
    if name.isdigit():
        return Window(reaches - (int(name) - 1) * ONE_DAY, reaches)
    if name == "month":
        return Window(reaches.replace(day=1), reaches)
    last = reaches.replace(day=1) - ONE_DAY
    return Window(last.replace(day=1), last.replace(day=calendar.monthrange(last.year, last.month)[1]))
