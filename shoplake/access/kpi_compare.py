"""One question, answered for a window and for the window before it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shoplake.access.kpi_answer import Total
from shoplake.access.kpi_query import DAY, HIDDEN, MATCHED, Asked, Query, Row
from shoplake.access.kpi_survival import moments_for, survival_at
from shoplake.access.kpi_window import Sight


@dataclass(frozen=True)
class Compared:
    """A KPI's figure beside that of the window before, or the reason why there is none."""

    query: Query
    asked: Asked
    definition: str
    now: Sight
    earlier: Sight

    @cached_property
    def days_with_data(self) -> int:
        """Count the days of the window with data, whatever the filters."""
        return self.query.days_with_data(self.now)

    def total(self) -> tuple[dict[str, Any], Total]:
        """Give the totals by every definition, and the chosen one in full."""
        kpi, asked = self.query.kpi, self.asked.total()
        row = self.query.groups(self.now, asked)[0]
        unsupported = self._unsupported(asked)
        reason = unsupported or row.get(HIDDEN) or self._unknown_filter(row)
        values = {name: self._total_value(row, name, reason, self.now) for name in kpi.definitions}
        chosen, value = kpi.definitions[self.definition], values[self.definition]
        previous, previous_reason = (None, unsupported) if unsupported else self._previous_total(asked)
        return values, Total(
            value=value,
            parts={name: row[name] for name in kpi.parts},
            numerator=row[chosen.numerator] if chosen.numerator else value,
            denominator=row[chosen.denominator] if chosen.denominator else None,
            previous=previous,
            reason=None if value is not None else f"not measurable: {reason or chosen.reason_when_null}",
            previous_reason=previous_reason,
        )

    def rows(self) -> list[Row]:
        """Give the groups, each beside its previous value; or the ranked list of a KPI that has one."""
        kpi = self.query.kpi
        if not self.asked.by:
            return [self._listed(row) for row in self.query.listing(self.now, self.asked)] if kpi.listing else []
        reason = self._unsupported(self.asked)
        before = {} if reason else self._previous_groups()
        return [self._shown(row, reason, before) for row in self.query.groups(self.now, self.asked)]

    def curve(self) -> list[Row]:
        """Give the survival curve of the cases, beside the one of the earlier window; empty where there is none."""
        kpi, asked = self.query.kpi, self.asked.total()
        if kpi.curve is None or self._unsupported(asked):
            return []
        now, start = self.query.cases(self.now, asked), self._history_start
        has_before = start is not None and start <= self.earlier.window.last
        before = self.query.cases(self.earlier, asked) if has_before else ([], [])
        moments = moments_for(now[0])
        pairs = zip(survival_at(*now, moments), survival_at(*before, moments), strict=True)
        return [
            {
                "seconds": point.seconds,
                "value": point.survival,
                "previous": earlier.survival if before[0] else None,
                "at_risk": point.at_risk,
                "ended": point.ended,
            }
            for point, earlier in pairs
        ]

    def _total_value(self, row: Row, name: str, reason: str | None, sight: Sight) -> Any:  # noqa: ANN401
        """Give a total; a sum over nothing is 0 where the days have data, and null where they have none."""
        if reason:
            return None
        value = row[f"value_{name}"]
        is_zero = value is None and self.query.kpi.definitions[name].is_additive and row[MATCHED] == 0
        return 0 if is_zero and self._has_data(sight) else value

    def _has_data(self, sight: Sight) -> bool:
        return (self.days_with_data if sight is self.now else self.query.days_with_data(sight)) > 0

    def _shown(self, row: Row, reason: str | None, before: dict[tuple[Any, ...], Any]) -> Row:
        kpi = self.query.kpi
        value = None if reason else row[f"value_{self.definition}"]
        shown = self._dimensions(row) | {
            "value": value,
            "parts": {name: row[name] for name in kpi.parts},
            "previous": before.get(self._key(row)),
        }
        why = reason or row.get(HIDDEN) or kpi.definitions[self.definition].reason_when_null
        return shown | {"reason": None if value is not None else f"not measurable: {why}"}

    def _previous_total(self, asked: Asked) -> tuple[Any, str | None]:
        """Give the figure of the window before, or why it would be no fair comparison."""
        start = self._history_start
        if start is None or start > self.earlier.window.last:
            return None, "no data in the previous window"
        if self.query.kpi.definitions[self.definition].is_additive and start > self.earlier.window.first:
            return None, f"the data starts within the previous window, on {start}"
        row = self.query.groups(self.earlier, asked)[0]
        if row.get(HIDDEN):
            return None, row[HIDDEN]
        value = self._total_value(row, self.definition, None, self.earlier)
        return value, None if value is not None else "not measurable in the previous window"

    def _previous_groups(self) -> dict[tuple[Any, ...], Any]:
        start = self._history_start
        if start is None or start > self.earlier.window.last:
            return {}
        is_additive = self.query.kpi.definitions[self.definition].is_additive
        if is_additive and DAY not in self.asked.by and start > self.earlier.window.first:
            return {}
        shift = self.now.window.first - self.earlier.window.first
        groups = self.query.groups(self.earlier, self.asked)
        return {self._key(row, shift): row[f"value_{self.definition}"] for row in groups}

    @cached_property
    def _history_start(self) -> dt.date | None:
        """Give the first day of which the KPI's data knows anything; of a settled month its first day."""
        table = self.query.manifest.tables.get(self.query.kpi.coverage.mart)
        days = [next(partition.days(), None) for partition in table.partitions if partition.rows] if table else []
        return min((day for day in days if day is not None), default=None)

    def _key(self, row: Row, shift: dt.timedelta = dt.timedelta(0)) -> tuple[Any, ...]:
        values = ((name, row[f"by_{name}"]) for name in self.asked.by)
        return tuple(value + shift if name == DAY and value is not None else value for name, value in values)

    def _dimensions(self, row: Row) -> Row:
        shown: Row = {}
        for name in self.asked.by:
            shown[name] = row[f"by_{name}"]
            if self.query.kpi.dimensions[name].label:
                shown[f"{name}_name"] = row[f"label_{name}"]
        return shown

    def _listed(self, row: Row) -> Row:
        listing = self.query.kpi.listing
        assert listing is not None, "rows are listed only by a KPI that lists"  # noqa: S101
        return row | {"value": row[listing.value], "parts": {}, "previous": None}

    def _unsupported(self, asked: Asked) -> str | None:
        """Say why the data cannot answer by one of the dimensions, if so."""
        dimensions = self.query.kpi.dimensions
        for name in (*asked.by, *asked.where):
            if not self.query.is_supported(name, self.now):
                return dimensions[name].reason
        return None

    def _unknown_filter(self, row: Row) -> str | None:
        """Name a filter whose values stand nowhere in the data in sight, when nothing passed the filters."""
        if row[MATCHED]:
            return None
        for name, values in self.asked.where.items():
            if not self.query.is_known(name, values, self.now):
                return f"the data knows no {name} {' or '.join(repr(value) for value in values)}"
        return None
