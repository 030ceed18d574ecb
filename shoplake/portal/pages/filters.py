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
COMPARED = {"": "Window before", "year": "A year before"}
CHOSEN_DAYS = "Days of your choice"
"""What figures can be compared with; days of one's own choice are ``against-from`` and ``against-to``."""
DAYS = ("from", "to", "against-from", "against-to")
DIMENSIONS = ("region", "store", "warehouse", "category", "product", "channel", "type", "device", "page")
"""What pages filter by, in this order; a KPI names those that it has."""


@dataclass(frozen=True)
class Filters:
    """A span of days and wanted values by dimension."""

    preset: str = DEFAULT_PRESET
    first: dt.date | None = None
    last: dt.date | None = None
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    against: str = ""
    """One of `COMPARED`."""
    against_first: dt.date | None = None
    against_last: dt.date | None = None

    @property
    def compares_own_days(self) -> bool:
        """Say whether the days to compare with were chosen."""
        return self.against_first is not None or self.against_last is not None

    @property
    def compared(self) -> str:
        """Give the words for what figures are compared with."""
        return CHOSEN_DAYS if self.compares_own_days else COMPARED[self.against]

    def against_window(self, window: Window) -> Window | None:
        """Give the days to compare a window with; None for those just before it.

        Of chosen days an end that is not given makes them as many as the window has.
        """
        first, last = self.against_first, self.against_last
        if first is not None or last is not None:
            span = (window.days - 1) * ONE_DAY
            start = first if first is not None else (last or window.last) - span
            return Window(start, last if last is not None else start + span)
        return window.a_year_before() if self.against == "year" else None

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
        chosen = [("against-from", self.against_first), ("against-to", self.against_last)]
        found += [(name, day.isoformat()) for name, day in chosen if day is not None]
        if self.against and not self.compares_own_days:
            found.append(("against", self.against))
        return found + [(name, value) for name, values in self.where.items() for value in values]

    def over(self, preset: str) -> Filters:
        """Give the same filters over the days of a preset."""
        return replace(self, preset=preset, first=None, last=None)

    def compared_with(self, against: str) -> Filters:
        """Give the same filters, compared with something else."""
        return replace(self, against=against, against_first=None, against_last=None)

    def on(self, day: dt.date) -> Filters:
        """Give the same filters on one day."""
        return replace(self, first=day, last=day)

    def only(self, dimension: str, value: str) -> Filters:
        """Give the same filters with one value of a dimension."""
        return replace(self, where={**self.where, dimension: (value,)})

    def less(self, dimension: str, value: str) -> Filters:
        """Give the same filters without one value of a dimension."""
        left = tuple(one for one in self.where.get(dimension, ()) if one != value)
        return replace(self, where={**self.where, dimension: left}) if left else self.without(dimension)

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
    preset, against, days, where = DEFAULT_PRESET, "", dict[str, str](), dict[str, tuple[str, ...]]()
    for name, value in pairs:
        if not value:
            continue
        if name in DAYS:
            days[name] = value
        elif name == "days":
            preset = value
        elif name == "against":
            against = value
        elif name in dimensions:
            where[name] = tuple(dict.fromkeys([*where.get(name, ()), value]))
    if preset not in PRESETS:
        raise InputError(f"days={preset[:20]!r} is not known.", hint=f"Give one of {', '.join(PRESETS)}.")
    if against not in COMPARED:
        raise InputError(f"against={against[:20]!r} is not known.", hint="Give year, or days by against-from.")
    if any(len(values) > MOST_VALUES or max(map(len, values)) > LONGEST_VALUE for values in where.values()):
        raise InputError("A filter is too long.", hint=f"At most {MOST_VALUES} values of {LONGEST_VALUE} characters.")
    first, last, against_first, against_last = (parse_day(days.get(name), name) for name in DAYS)
    for start, end in ((first, last), (against_first, against_last)):
        if start and end and start > end:
            raise InputError(f"The window ends ({end}) before it starts ({start}).", hint="Swap the two days.")
    return Filters(preset, first, last, where, against, against_first, against_last)


def _preset(name: str, reaches: dt.date) -> Window:
    if name.isdigit():
        return Window(reaches - (int(name) - 1) * ONE_DAY, reaches)
    if name == "month":
        return Window(reaches.replace(day=1), reaches)
    last = reaches.replace(day=1) - ONE_DAY
    return Window(last.replace(day=1), last.replace(day=calendar.monthrange(last.year, last.month)[1]))
