"""What KPIs read of a release: which tables, which days of them, which columns."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from shoplake.access.kpi_definition import Kpi, load_kpis
from shoplake.access.kpi_inputs import NAMES, tables_made_of
from shoplake.access.kpi_window import ONE_DAY, Clock, Sight, Window

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest, Table
    from shoplake.settings import Settings

LOOKBACK_DAYS = 40
"""Days before the compared windows that as-of figures may need: demand of five weeks, stock that still holds."""
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Needs:
    """Works out what of a release some questions read."""

    settings: Settings
    manifest: Manifest

    def of(self, asked: Iterable[tuple[Kpi, Window]]) -> Manifest:
        """Give the release with only those tables and partitions that KPIs over their windows can need.

        Marts are opened for the compared windows and some weeks before. Facts are read only where an earlier day is
        made again, for that day and for as long before it as a stock count holds.
        """
        days: dict[str, set[dt.date]] = {}
        clock = Clock(self.manifest)
        for kpi, window in asked:
            named = [name for name in tables_named(kpi) if name in self.manifest.tables]
            span = set(Window(opened_from(window, self.settings.engagement_window_days), window.last).dates())
            for sight in (clock.now(kpi.sources, window), clock.earlier(kpi.sources, window)):
                for name in tables_made_of(self.manifest, sight, named):
                    is_fact = name.startswith("fct_") and name not in named
                    days.setdefault(name, set()).update(self._held_at(sight) if is_fact else span)
        tables = {
            name: self._with_days(table, days[name]) for name, table in self.manifest.tables.items() if name in days
        }
        return msgspec.structs.replace(self.manifest, tables=tables)

    def _held_at(self, sight: Sight) -> set[dt.date]:
        """Give the last day of a window with those before it whose stock may still hold."""
        held = self.settings.stock_hold_hours // 24 + 2
        return {sight.window.last - number * ONE_DAY for number in range(held + 1)}

    @staticmethod
    def _with_days(table: Table, days: set[dt.date]) -> Table:
        return msgspec.structs.replace(table, partitions=table.holding(days)) if table.partition_by else table


def opened_from(window: Window, engagement_days: int) -> dt.date:
    """Give the first day of marts that an answer over a window may see."""
    return window.before().first - max(LOOKBACK_DAYS, engagement_days) * ONE_DAY


def tables_named(kpi: Kpi) -> list[str]:
    """Name the tables that a KPI itself reads, without those that they are made of."""
    named = " ".join([kpi.relation or "", kpi.coverage.mart, *(mart.name for mart in kpi.marts)])
    return list(dict.fromkeys(NAMES.findall(named)))


def columns_read(manifest: Manifest) -> frozenset[str]:
    """Give every word of the KPIs and of the SQL that tables are made by; a column that is none of them is not read."""
    return _words(tuple(table.sql for table in manifest.tables.values()))


@lru_cache(maxsize=4)
def _words(made_by: tuple[str, ...]) -> frozenset[str]:
    texts = [kpi.model_dump_json() for kpi in load_kpis().values()] + list(made_by)
    return frozenset(word for text in texts for word in WORD.findall(text))
