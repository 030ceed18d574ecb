"""Figures by day that are known from before: what a day's figures are does not depend on the window that asks for them.

A row is kept under all that it rests on: the KPI and its filters, what else its SQL is given, and the content and key
of the partitions that the day is made of. So a window that moves on by a day makes that day alone, and a new release
only the days that it changed.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from shoplake.access.kpi_inputs import NAMES
from shoplake.access.kpi_window import ONE_DAY, Sight, Window
from shoplake.pipeline.manifest import Held, Manifest

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi

Row = dict[str, Any]
Key = tuple[Hashable, tuple[Held, ...]]
Make = Callable[[Sight], list[Row]]
MOST_DAYS = 20_000
MONTH_LENGTH = len("2026-01")
DAY_KEY = "by_day"


@dataclass(frozen=True)
class Question:
    """What is asked of each day."""

    kpi: Kpi
    manifest: Manifest
    sql: str
    """All SQL of it."""
    where: Mapping[str, tuple[str, ...]]
    engagement_days: int

    def keys(self, days: Iterable[dt.date], sight: Sight) -> dict[dt.date, Key] | None:
        """Give all that the rows of each day rest on; None where they rest on more than some days of partitions."""
        tables = {name: self.manifest.tables[name] for name in NAMES.findall(self.sql) if name in self.manifest.tables}
        own = " ".join([self.kpi.relation or "", *self.kpi.parts.values()])
        is_of_the_window = not self.kpi.is_as_of and ("$from" in own or "$to" in own)
        if is_of_the_window or not all(table.partition_by for table in tables.values()):
            return None
        held = [
            {p.label: (table.key_name, name, p.content, p.key_version) for p in table.partitions}
            for name, table in tables.items()
        ]
        reach = self.engagement_days if "$engagement_days" in own else 1
        asked = (
            self.kpi.name,
            tuple(sorted(self.where.items())),
            sight.days if "$days" in self.sql else None,
            sight.known_until if "$known_until" in self.sql else None,
            reach,
        )
        # Days without partitions of their own may rest on the same ones, and differ all the same.
        return {day: ((day, *asked), tuple(_holding(held, day, reach))) for day in days}


def _holding(held: Sequence[Mapping[str, Held]], day: dt.date, reach: int) -> Iterator[Held]:
    """Give the partitions of a day and of those before it that count for it, of every table."""
    labels = [(day - number * ONE_DAY).isoformat() for number in range(reach)]
    for of_table in held:
        for label in dict.fromkeys([*labels, *(label[:MONTH_LENGTH] for label in labels)]):
            if label in of_table:
                yield of_table[label]


@dataclass
class DayRows:
    """Any thread may use it."""

    _known: OrderedDict[Key, list[Row]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def rows(self, days: Mapping[dt.date, Key], sight: Sight, make: Make) -> list[Row]:
        """Give the rows of days, in their order; those that are not known are made in one go.

        Args:
            days: each day with all that its rows rest on.
            sight: how the days are seen.
            make: gives the rows of a span of days.

        """
        with self._lock:
            found = {day: self._known[key] for day, key in days.items() if key in self._known}
            for day in found:
                self._known.move_to_end(days[day])
        missing = [day for day in days if day not in found]
        if missing:
            made: dict[dt.date, list[Row]] = {day: [] for day in missing}
            span = Window(min(missing), max(missing))
            for row in make(replace(sight, window=span, asked_days=sight.days)):
                if row[DAY_KEY] in made:
                    made[row[DAY_KEY]].append(row)
            with self._lock:
                self._known.update({days[day]: rows for day, rows in made.items()})
                while len(self._known) > MOST_DAYS:
                    self._known.popitem(last=False)
            found |= made
        return [row for day in days for row in found[day]]

    def keep_only(self, held: Collection[Held]) -> None:
        """Let go the rows that are made of other partitions."""
        with self._lock:
            for key in [key for key in self._known if not all(one in held for one in key[1])]:
                del self._known[key]
