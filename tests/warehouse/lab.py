"""A warehouse in miniature: the real models and the real planner over small files, without keys or Parquet.

The models' compiled SQL runs on an in-memory DuckDB. Each build sees just the days and the earlier partitions that the
plan grants it, so that a model that reads too little gives another table than one full build does.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from shoplake.pipeline.manifest import ALL, AuditCounts, Manifest, Partition, Table
from shoplake.pipeline.models import ModelGraph
from shoplake.pipeline.plan import Changes, Plan, make_plan

Row = dict[str, Any]
CONFLICT = 4
KEYS = {
    "pos": ("transaction_id", "product_id"),
    "inventory": ("product_id", "warehouse_id", "last_updated"),
    "interactions": ("customer_id", "interaction_type", "timestamp"),
    "web_events": ("session_id", "user_id", "timestamp", "page", "event_type"),
}
PLAN_TABLES = """
create schema lake; create schema plan; create schema previous;
create table plan.touched_days (table_name varchar, day date);
create table plan.watermarks (source varchar, watermark timestamp);
create table plan.horizon (first_day date, last_day date);
create macro open_text(person, sealed) as sealed;
"""
TEXT_DAYS = 90


@dataclass(frozen=True)
class Compiled:
    """The dbt project, ready to run."""

    graph: ModelGraph = field(repr=False)
    sql: Mapping[str, str] = field(repr=False)
    audits: Mapping[str, str] = field(repr=False)
    """SQL of the data tests by name; what it returns breaks the test."""
    lake_columns: Mapping[str, Mapping[str, str]] = field(repr=False)
    timezone: str = "UTC"


@dataclass
class Lab:
    """A lake of small files and the release that was built from it."""

    project: Compiled
    settle_after_days: int = 35
    today: dt.date = dt.date(2026, 5, 1)
    """Day on which builds run: rows that last for some days are counted from it."""
    files: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    """Active files by source and name."""
    release: dict[str, dict[str, pa.Table]] = field(default_factory=dict)
    """Rows by table and partition label."""
    scratch: duckdb.DuckDBPyConnection | None = None
    """The database of the last build."""
    _pending: list[tuple[str, list[Row], bool]] = field(default_factory=list)
    _manifest: Manifest | None = None

    def land(self, source: str, rows: Sequence[Row], name: str = "") -> None:
        """Land rows as one file; the name of an earlier file restates it."""
        key = (source, name or f"{source}-{len(self.files)}")
        if key in self.files:
            self._pending.append((source, self.files[key], True))
        self.files[key] = _landed(source, key[1], rows)
        self._pending.append((source, self.files[key], False))

    def run(self) -> Plan:
        """Build what landed since the last run."""
        changes = self._changes()
        plan = self._plan(changes)
        self.scratch = con = duckdb.connect(config={"threads": 1})
        self.prepare(con, plan)
        for name, model in self.project.graph.models.items():
            if not model.is_table:
                con.execute(f"create view {model.database}.{name} as {self.project.sql[name]}")
                continue
            context = self._partitions(plan.context.get(name, ()), name)
            made = con.execute(self.project.sql[name]).to_arrow_table() if name in plan.touched else context
            con.register("made_rows", made)
            con.register("context_rows", context)
            extra = " union all select * from context_rows" if name in plan.touched else ""
            con.execute(f"create table {model.database}.{name} as select * from made_rows{extra}")
            if name in plan.touched:
                self._keep(plan, name, made)
        for name in plan.first_days.keys() & self.release.keys():
            self.release[name] = {k: t for k, t in self.release[name].items() if not plan.expires(k, name)}
        self._settle(plan)
        self._manifest = self._describe(changes, plan)
        return plan

    def _plan(self, changes: Changes) -> Plan:
        first_day = self.today - dt.timedelta(days=TEXT_DAYS - 1)
        return make_plan(
            self.project.graph,
            changes,
            self._manifest,
            settle_after_days=self.settle_after_days,
            first_days={model.name: first_day for model in self.project.graph.tables() if model.lasts},
        )

    def table(self, name: str) -> list[Row]:
        """Give all rows of a released table, in a fixed order."""
        tables = list(self.release.get(name, {}).values())
        rows = pa.concat_tables(tables).to_pylist() if tables else []
        return sorted(rows, key=lambda row: tuple((v is not None, str(v)) for v in row.values()))

    def audit(self) -> dict[str, list[Row]]:
        """Give the rows that break a test, by test; tests that hold are left out."""
        assert self.scratch is not None, "nothing was built"
        found = {
            name: self.scratch.execute(sql).to_arrow_table().to_pylist() for name, sql in self.project.audits.items()
        }
        return {name: rows for name, rows in found.items() if rows}

    def plan(self) -> Plan:
        """Plan what the next run would do, without building it."""
        pending = list(self._pending)
        plan = self._plan(self._changes())
        self._pending = pending
        return plan

    def _changes(self) -> Changes:
        days: dict[str, set[dt.date]] = {}
        for source, rows, _ in self._pending:
            days.setdefault(source, set()).update(self._days(source, rows))
        every = {source: set[dt.date]() for source in KEYS}
        marks: dict[str, dt.datetime] = {}
        for (source, _), rows in self.files.items():
            if source in KEYS and rows:
                every[source] |= self._days(source, rows)
                latest = max(row[_time(source)] for row in rows)
                marks[source] = max(latest, marks.get(source, latest))
        removed = any(is_gone for *_, is_gone in self._pending)
        references = {source for source, *_ in self._pending if source not in KEYS}
        self._pending.clear()
        return Changes(
            days={s: frozenset(d) for s, d in days.items() if s in KEYS},
            references=references,
            has_removals=removed,
            all_days={s: frozenset(d) for s, d in every.items()},
            watermarks=marks,
            watermark_days={s: self._business_day(m) for s, m in marks.items()},
        )

    def prepare(self, con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
        """Fill a scratch database with the plan, the lake and the last release's carried state."""
        con.execute(PLAN_TABLES)
        for database in {model.database for model in self.project.graph.models.values()}:
            con.execute(f"create schema {database}")
        touched = [(name, day) for name, days in plan.touched.items() for day in days]
        _fill(con, "plan.touched_days", [{"table_name": n, "day": d} for n, d in touched])
        _fill(con, "plan.watermarks", [{"source": s, "watermark": w} for s, w in plan.watermarks.items()])
        if plan.horizon:
            _fill(con, "plan.horizon", [dict(zip(("first_day", "last_day"), plan.horizon, strict=True))])
        for source, columns in self.project.lake_columns.items():
            declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            con.execute(f"create table lake.{source} ({declared})")
            _fill(con, f"lake.{source}", self._scan(source, plan.lake_days.get(source, frozenset())))
        for name in {name for model in self.project.graph.tables() for name in model.previous}:
            con.register("rows", self._partitions(plan.previous.get(name, ()), name))
            con.execute(f"create table previous.{name} as select * from rows")

    def _scan(self, source: str, days: frozenset[dt.date]) -> list[Row]:
        """Give the rows of files that touch the days, as the lake shows them."""
        named = {n: rows for (s, n), rows in self.files.items() if s == source}
        if source not in KEYS:
            return [{**row, "_may_repeat": False} for rows in named.values() for row in rows]
        holders = Counter(day for rows in named.values() for day in self._days(source, rows))
        return [
            {
                **row,
                "_may_repeat": row["_flags"] == CONFLICT or any(holders[day] > 1 for day in self._days(source, rows)),
            }
            for rows in named.values()
            if self._days(source, rows) & days
            for row in rows
        ]

    def _days(self, source: str, rows: Sequence[Row]) -> set[dt.date]:
        return {self._business_day(row[_time(source)]) for row in rows} if source in KEYS else set()

    def _business_day(self, moment: dt.datetime) -> dt.date:
        if self.project.timezone == "UTC":
            return moment.date()
        return moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(self.project.timezone)).date()

    def _partitions(self, partitions: Sequence[Partition], name: str) -> pa.Table:
        columns = self.project.graph[name].columns
        kept = [self.release[name][p.label] for p in partitions]
        return pa.concat_tables(kept) if kept else _no_rows(tuple(columns.items()))

    def _keep(self, plan: Plan, name: str, made: pa.Table) -> None:
        column = self.project.graph[name].partition_by
        kept = {k: t for k, t in self.release.get(name, {}).items() if not plan.rebuilds(k, name)}
        rows: dict[str, list[Row]] = {}
        for row in made.to_pylist():
            rows.setdefault(_label(plan, name, row[column]) if column else ALL, []).append(row)
        fresh = {k: pa.Table.from_pylist(group, schema=made.schema) for k, group in rows.items()}
        self.release[name] = kept | fresh

    def _settle(self, plan: Plan) -> None:
        """Merge the days of months that have settled."""
        for name, partitions in self.release.items():
            merged: dict[str, list[pa.Table]] = {}
            for label, rows in partitions.items():
                target = (
                    label
                    if label == ALL or len(label) == len("2026-01")
                    else _label(plan, name, dt.date.fromisoformat(label))
                )
                merged.setdefault(target, []).append(rows)
            self.release[name] = {k: pa.concat_tables(tables) for k, tables in merged.items()}

    def _describe(self, changes: Changes, plan: Plan) -> Manifest:
        tables = {}
        for name, partitions in self.release.items():
            model = self.project.graph[name]
            found = []
            for label, rows in partitions.items():
                ends = [row[model.span_end] for row in rows.to_pylist()] if model.span_end else []
                found.append(Partition(label, "", rows.num_rows, (), 1, max(ends).isoformat() if ends else None))
            since = plan.first_days.get(name)
            tables[name] = Table(model.database, dict(model.columns), model.partition_by, tuple(found), since=since)
        now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        return Manifest(
            "r",
            now,
            1,
            self.project.timezone,
            "v",
            dict(changes.watermarks),
            plan.settled_through,
            tables,
            AuditCounts(0, 0),
        )


@cache
def _no_rows(columns: tuple[tuple[str, str], ...]) -> pa.Table:
    typed = ", ".join(f"null::{kind} as {name}" for name, kind in columns)
    return duckdb.sql(f"select {typed} where false").to_arrow_table()


def _label(plan: Plan, table: str, day: dt.date) -> str:
    settled = None if table in plan.first_days else plan.settled_through
    return f"{day:%Y-%m}" if settled and day <= settled else day.isoformat()


def _time(source: str) -> str:
    return "last_updated" if source == "inventory" else "timestamp"


def _landed(source: str, name: str, rows: Sequence[Row]) -> list[Row]:
    """Do what landing does within one file: drop exact duplicates, flag rows that share a key."""
    distinct = [row for number, row in enumerate(rows) if row not in rows[:number]]
    key = KEYS.get(source, ())
    shared = Counter(tuple(row.get(c) for c in key) for row in distinct)
    return [
        {
            **row,
            "_file_id": name,
            "_line": number + 2,
            "_flags": CONFLICT if key and shared[tuple(row.get(c) for c in key)] > 1 else 0,
        }
        for number, row in enumerate(distinct)
    ]


def _fill(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    if rows:
        names = {name: None for row in rows for name in row}
        con.register("batch", pa.table({name: [row.get(name) for row in rows] for name in names}))
        con.execute(f"insert into {table} by name select * from batch")
