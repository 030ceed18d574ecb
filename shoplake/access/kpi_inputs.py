"""The tables that a KPI reads, as common table expressions: as released, or as they stood at an earlier instant."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.access.kpi_window import Sight
from shoplake.errors import NotFoundError

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest, Table

EVENT_TIMES = {
    "fct_sale_lines": ("pos", "sold_at"),
    "fct_web_events": ("web_events", "occurred_at"),
    "fct_interactions": ("interactions", "interacted_at"),
    "fct_support_cases": ("interactions", "opened_at"),
    "fct_stock_levels": ("inventory", "observed_at"),
    "fct_stock_movements": ("inventory", "moved_at"),
}
"""Facts whose rows are events: to see them at an instant is to leave out the later ones."""
HELD = {"fct_stock_levels"}
"""Facts of which earlier days reach into the cut one."""
BEFORE = "before__"
"""Begins the name of what was known of a table before the cut day."""
NAMES = re.compile(r"\b(?:dim|fct|mart)_[a-z0-9_]+")
PREVIOUS = re.compile(r'\bprevious\."?(\w+)"?')


@dataclass
class Inputs:
    """Collects the expressions that a query over marts needs, each table after those that it is made of."""

    manifest: Manifest
    sight: Sight
    _made: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest, sight: Sight, sql: str) -> dict[str, str]:
        """Give the SELECT of every table that ``sql`` names, by name, in the order in which they build on each other.

        Raises:
            NotFoundError: the release lacks one of them.

        """
        inputs = cls(manifest, sight)
        for name in dict.fromkeys(NAMES.findall(sql)):
            if name not in manifest.tables:
                raise NotFoundError(
                    f"Release {manifest.release_id} holds no table {name}.",
                    hint="`shoplake run` builds a release of today's tables.",
                )
            inputs._add(name)
        return inputs._made

    def _named_in(self, sql: str) -> list[str]:
        return [name for name in dict.fromkeys(NAMES.findall(sql)) if name in self.manifest.tables]

    def _add(self, name: str) -> None:
        if name in self._made:
            return
        table = self.manifest.tables[name]
        if self.sight.cut is None or name.startswith("dim_"):
            self._made[name] = _released(name, table)
        elif table.partition_by and not self.sight.is_running:
            self._made[name] = f"{_released(name, table)} where {table.partition_by} <= {_date(self.sight.window.last)}"
        elif name in EVENT_TIMES:
            self._made[name] = self._events(name, table, self.sight.cut)
        else:
            self._made[name] = self._made_again(name, table, self.sight.cut)

    def _events(self, name: str, table: Table, cut: Mapping[str, dt.datetime]) -> str:
        source, moment = EVENT_TIMES[name]
        until = f"{moment} <= {_timestamp(cut[source])}" if source in cut else "false"
        if name not in HELD and table.partition_by:  # Only the cut day is made again; this skips the other files.
            until += f" and {table.partition_by} = {_date(self.sight.window.last)}"
        return f"{_released(name, table)} where {until}"

    def _made_again(self, name: str, table: Table, cut: Mapping[str, dt.datetime]) -> str:
        """Run the table's own SQL over its inputs as they stood; days before the cut one are as released."""
        sql = PREVIOUS.sub(lambda found: f"{BEFORE}{found.group(1)}", table.sql)
        for before in dict.fromkeys(PREVIOUS.findall(table.sql)):
            self._add_before(before)
        self._add_plan(cut)
        for parent in self._named_in(sql):
            if parent != name:
                self._add(parent)
        if not table.partition_by:
            return sql
        day = f"{table.partition_by} < {_date(self.sight.window.last)}"
        return f"{_released(name, table)} where {day} union all by name (select * from ({sql}))"

    def _add_before(self, name: str) -> None:
        """Add what was known of a table before the cut day, as a build knows it from the release before."""
        table = self.manifest.tables[name]
        day = f"{table.partition_by} < {_date(self.sight.window.last)}" if table.partition_by else "true"
        self._made.setdefault(f"{BEFORE}{name}", f"{_released(name, table)} where {day}")

    def _add_plan(self, cut: Mapping[str, dt.datetime]) -> None:
        """Add the two tables by which a build tells the models what to make."""
        day = _date(self.sight.window.last)
        touched = ", ".join(f"('{name}', {day})" for name in self.manifest.tables)
        marks = ", ".join(f"('{source}', {_timestamp(mark)})" for source, mark in cut.items())
        self._made.setdefault("touched_days", f"select * from (values {touched}) as days (table_name, day)")
        self._made.setdefault("watermarks", f"select * from (values {marks}) as marks (source, watermark)")


def tables_made_of(manifest: Manifest, sight: Sight, names: Iterable[str]) -> set[str]:
    """Name tables and all those that they are made of as they stood."""
    inputs = Inputs.of(manifest, sight, " ".join(names))
    return {name.removeprefix(BEFORE) for name in inputs} & manifest.tables.keys()


def is_made_again(manifest: Manifest, sight: Sight, sql: str) -> bool:
    """Say whether any table that ``sql`` names stood otherwise than its released rows of some days say."""
    if sight.cut is None:
        return False
    named = [name for name in NAMES.findall(sql) if not name.startswith("dim_") and name in manifest.tables]
    return sight.is_running or any(manifest.tables[name].partition_by is None for name in named)


def _released(name: str, table: Table) -> str:
    return f'select * from "{table.database}"."{name}"'


def _date(day: dt.date) -> str:
    return f"date '{day.isoformat()}'"


def _timestamp(moment: dt.datetime) -> str:
    return f"timestamp '{moment.isoformat(sep=' ')}'"
