"""What a run must do: which days of which tables could have changed, and what must be read for them.

Each day of each table is a pure function of the lake's active rows. So a plan is right when it names at least
every day that could differ, and gives each model all the input days that its own days depend on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.pipeline.manifest import ALL, Manifest, Partition, Table

if TYPE_CHECKING:
    from shoplake.pipeline.models import Model, ModelGraph

ONE_DAY = dt.timedelta(days=1)
Days = frozenset[dt.date]
NO_DAYS: Days = frozenset()


@dataclass(frozen=True)
class Changes:
    """What happened in the lake since the last release."""

    days: Mapping[str, Days]
    """Business days by source that hold rows of files that came or went."""
    references: Collection[str]
    """Reference sources that changed."""
    has_removals: bool
    """A file was superseded, so rows may be gone."""
    all_days: Mapping[str, Days]
    """All business days by source that hold rows now."""
    watermarks: Mapping[str, dt.datetime]
    """Latest event time by source (UTC)."""
    watermark_days: Mapping[str, dt.date]
    left_out: frozenset[str] = frozenset()
    """Sources of which nothing is taken: they stand here as the last release has them, with the ends of their days."""

    def __bool__(self) -> bool:
        """Say whether there is anything to build."""
        return bool(any(self.days.values()) or self.references or self.has_removals)


@dataclass(frozen=True)
class Plan:
    """The work of one run."""

    touched: Mapping[str, Days]
    """Days to rebuild by table; a table without days of its own is here with no days when it is rebuilt."""
    context: Mapping[str, tuple[Partition, ...]]
    """Unchanged partitions of the last release that a build shows beside what it rebuilds."""
    previous: Mapping[str, tuple[Partition, ...]]
    """Partitions of the last release whose state is carried on."""
    lake_days: Mapping[str, Days]
    """Business days to read from the lake, by source."""
    watermarks: Mapping[str, dt.datetime]
    horizon: tuple[dt.date, dt.date] | None
    """First and last business day that the release covers."""
    settled_through: dt.date | None
    """Days up to here are kept in month partitions."""
    first_days: Mapping[str, dt.date] = field(default_factory=dict)
    """First day that the release holds of each table whose rows last for some days; they stay in partitions by day."""

    def settles(self, table: str) -> bool:
        """Say whether any touched day of a table is kept in a month partition."""
        limit = None if table in self.first_days else self.settled_through
        return limit is not None and any(day <= limit for day in self.touched.get(table, NO_DAYS))

    def expires(self, label: str, table: str) -> bool:
        """Say whether the partition of that label is too old to be kept."""
        return table in self.first_days and label < self.first_days[table].isoformat()

    def expires_any(self, tables: Mapping[str, Table]) -> bool:
        """Say whether any partition of a release's tables is too old to be kept."""
        return any(
            self.expires(p.label, name) for name in self.first_days if name in tables for p in tables[name].partitions
        )

    def rebuilds(self, label: str, table: str) -> bool:
        """Say whether the partition of that label is made anew."""
        from shoplake.pipeline.manifest import days_of_label

        if table not in self.touched:
            return False
        return label == ALL or any(day in self.touched[table] for day in days_of_label(label))


def make_plan(
    graph: ModelGraph,
    changes: Changes,
    last: Manifest | None,
    *,
    settle_after_days: int,
    full: bool = False,
    first_days: Mapping[str, dt.date] | None = None,
    again: Mapping[str, Days] | None = None,
) -> Plan:
    """Plan a run.

    Args:
        graph: all models.
        changes: what came and went in the lake.
        last: the release to build upon; None rebuilds everything.
        settle_after_days: days after a month's end from which it is kept as one partition.
        full: show every partition to the audit, touched or not.
        first_days: first day to hold of each table whose rows last for some days.
        again: days to make anew, by table, whatever came or went.

    """
    settled, first_days = _settled_through(changes, last, settle_after_days), first_days or {}
    planner = _Planner(graph, changes, last, settled, first_days, again or {})
    touched = planner.touched()
    needs = planner.needs(touched)
    tables = last.tables if last else {}
    context = {}
    for model in graph.tables():
        if model.name not in tables:
            continue
        kept = tables[model.name].partitions if full else _visible(tables[model.name], needs[model.name])
        days = touched.get(model.name, NO_DAYS)
        is_rebuilt = model.name in touched
        first = first_days[model.name].isoformat() if model.name in first_days else ""
        context[model.name] = tuple(
            p
            for p in kept
            if p.label >= first and not (is_rebuilt and (p.label == ALL or any(d in days for d in p.days())))
        )
    every_day = [day for days in changes.all_days.values() for day in days]
    return Plan(
        touched=touched,
        context=context,
        previous=planner.previous(touched),
        lake_days={source: needs[source] for source in graph.lake_sources()},
        watermarks=changes.watermarks,
        horizon=(min(every_day), max(every_day)) if every_day else None,
        settled_through=settled,
        first_days=first_days,
    )


def _settled_through(changes: Changes, last: Manifest | None, after_days: int) -> dt.date | None:
    """Give the last day of the newest month that ended ``after_days`` or more before the latest watermark."""
    before = last.settled_through if last else None
    if not changes.watermark_days:
        return before
    limit = max(changes.watermark_days.values()) - dt.timedelta(days=after_days)
    settled = (limit + ONE_DAY).replace(day=1) - ONE_DAY
    return max(settled, before) if before else settled


def _visible(table: Table, days: Days) -> tuple[Partition, ...]:
    if table.partition_by is None:
        return table.partitions
    return table.holding(days)


def _around(days: Days, before: int, after: int) -> Days:
    if not before and not after:
        return days
    return frozenset(day + dt.timedelta(days=n) for day in days for n in range(-before, after + 1))


def _range(first: dt.date, last: dt.date) -> Days:
    return frozenset(first + dt.timedelta(days=n) for n in range((last - first).days + 1))


class _Planner:
    def __init__(
        self,
        graph: ModelGraph,
        changes: Changes,
        last: Manifest | None,
        settled: dt.date | None,
        first_days: Mapping[str, dt.date],
        again: Mapping[str, Days],
    ) -> None:
        self.graph, self.changes, self.last, self.settled = graph, changes, last, settled
        self.first_days, self.again = first_days, again
        self.tables: Mapping[str, Table] = last.tables if last else {}

    def touched(self) -> dict[str, Days]:
        """Spread the changed days from the lake through the graph; months that have settled go as a whole."""
        found: dict[str, Days] = {}
        for model in self.graph.models.values():
            is_touched, days = self._incoming(model, found)
            days |= self._anew(model)
            if not is_touched and not days:
                continue
            if model.partition_by is None and model.is_table:
                found[model.name] = NO_DAYS
                continue
            days = self._spread(model, days)
            if model.name in self.first_days:
                days = frozenset(day for day in days if day >= self.first_days[model.name])
            elif model.is_table:
                days = self._whole_months(days)
            if days or not model.is_table:
                found[model.name] = days
        return found

    def _anew(self, model: Model) -> Days:
        """Give the days that are made anew though nothing changed: those asked for, and those that last after all."""
        first, table = self.first_days.get(model.name), self.tables.get(model.name)
        days = self.again.get(model.name, NO_DAYS)
        if first is None or table is None or table.since is None or first >= table.since:
            return days
        known = [p for name in model.parents if name in self.tables for p in self.tables[name].partitions]
        return days | {day for p in known for day in p.days() if first <= day < table.since}

    def _incoming(self, model: Model, found: Mapping[str, Days]) -> tuple[bool, Days]:
        changes, days = self.changes, set[dt.date]()
        is_touched = any(source in changes.references for source in model.sources)
        for source in model.sources:
            days |= changes.days.get(source, NO_DAYS)
        for parent in model.parents:
            if parent in found:
                is_touched = True
                days |= found[parent]
        if is_touched and model.is_table and model.partition_by and self._attributes_changed(model):
            days |= self._all_days(model)
        return is_touched or bool(days), frozenset(days)

    def _attributes_changed(self, model: Model) -> bool:
        """Say whether the model joins a table of attributes whose reference file came anew."""
        waiting = [p for p in model.parents if self.graph[p].partition_by is None]
        while waiting:
            parent = self.graph[waiting.pop()]
            if any(source in self.changes.references for source in parent.sources):
                return True
            waiting += [p for p in parent.parents if self.graph[p].partition_by is None]
        return False

    def _all_days(self, model: Model) -> Days:
        known = self.tables[model.name].partitions if model.name in self.tables else ()
        days = {day for partition in known for day in partition.days()}
        return frozenset(days | {d for s in self._lake_roots(model) for d in self.changes.all_days.get(s, ())})

    def _lake_roots(self, model: Model) -> set[str]:
        roots = set(model.sources)
        for parent in model.parents:
            roots |= self._lake_roots(self.graph[parent])
        return roots

    def _spread(self, model: Model, days: Days) -> Days:
        spread = model.spread
        since = spread.since_watermark
        if not days:
            return days
        if since and self.last and since in self.last.watermarks and since in self.changes.watermark_days:
            days |= {min(self._last_watermark_day(since), self.changes.watermark_days[since])}
        grown = _around(days, spread.before, spread.after)
        if spread.while_running and model.span_end:
            grown |= self._still_running(model, days)
        if spread.to_latest:
            grown |= _range(min(grown), max([*grown, *self._latest_days(model)]))
        return grown

    def _latest_days(self, model: Model) -> list[dt.date]:
        roots = self._lake_roots(model)
        now = [day for source, day in self.changes.watermark_days.items() if source in roots]
        if self.last:
            now += [self._last_watermark_day(s) for s in self.last.watermarks if s in roots]
        return now

    def _last_watermark_day(self, source: str) -> dt.date:
        from zoneinfo import ZoneInfo

        assert self.last is not None  # noqa: S101 - callers look first
        moment = self.last.watermarks[source].replace(tzinfo=dt.UTC)
        return moment.astimezone(ZoneInfo(self.last.timezone)).date()

    def _still_running(self, model: Model, changed: Days) -> Days:
        """Give the earlier days from which something ran until a changed day, or until the day before it."""
        known = self.tables[model.name].partitions if model.name in self.tables else ()
        ends = {p: dt.date.fromisoformat(p.span_end[:10]) + ONE_DAY for p in known if p.span_end}
        return frozenset(day for p, end in ends.items() for day in p.days() if any(day < c <= end for c in changed))

    def _whole_months(self, days: Days) -> Days:
        if self.settled is None:
            return days
        months = {(day.year, day.month) for day in days if day <= self.settled}
        firsts = [dt.date(year, month, 1) for year, month in months]
        return days.union(*(_range(f, (f + 31 * ONE_DAY).replace(day=1) - ONE_DAY) for f in firsts))

    def needs(self, touched: Mapping[str, Days]) -> dict[str, Days]:
        """Give the days of each table and lake source that the touched models read."""
        needs: dict[str, set[dt.date]] = {name: set() for name in self.graph.models}
        needs |= {source: set() for source in self.graph.lake_sources()}
        for model in reversed(list(self.graph.models.values())):
            if model.name not in touched and not needs[model.name]:
                continue
            wanted = self._reads(model, touched) if model.is_table else frozenset(needs[model.name])
            for name in (*model.parents, *model.sources):
                needs[name] |= wanted
        return {name: frozenset(days) for name, days in needs.items()}

    def _reads(self, model: Model, touched: Mapping[str, Days]) -> Days:
        if model.name not in touched:
            return NO_DAYS
        if model.partition_by:
            own = touched[model.name]
            read = _around(own, model.reads_before, model.reads_after)
            return read | (self._run_out(model, own) if model.spread.while_running else NO_DAYS)
        if model.accumulates:
            removed = self.changes.has_removals or self.last is None
            days = [touched.get(p, NO_DAYS) for p in model.parents]
            return self._all_days(model) if removed else NO_DAYS.union(*days)
        # Each source's own latest days: one may have stopped while another went on.
        before = dt.timedelta(days=model.reads_before)
        return NO_DAYS.union(*(_range(day - before, day) for day in self._latest_days(model)))

    def _run_out(self, model: Model, own: Days) -> Days:
        """Give the days on which something that starts in ``own`` days may still run."""
        known = self.tables[model.name].partitions if model.name in self.tables else ()
        ends = {p: dt.date.fromisoformat(p.span_end[:10]) for p in known if p.span_end}
        days = set(own)
        for partition, end in ends.items():
            if any(day in own or day - ONE_DAY in own for day in partition.days()):
                days |= _range(min(partition.days()), end + ONE_DAY)
        return frozenset(days)

    def previous(self, touched: Mapping[str, Days]) -> dict[str, tuple[Partition, ...]]:
        """Pick the partitions of the last release whose state the touched models carry on."""
        picked: dict[str, dict[str, Partition]] = {}
        for model in self.graph.tables():
            for name, before in model.previous.items():
                found = picked.setdefault(name, {})
                if name not in self.tables or model.name not in touched:
                    continue
                table = self.tables[name]
                if table.partition_by is None:
                    keep: Iterable[Partition] = () if self.changes.has_removals else table.partitions
                else:
                    first = min(touched[model.name])
                    keep = table.holding(_range(first - dt.timedelta(days=before), first - ONE_DAY))
                found.update({p.label: p for p in keep})
        return {name: tuple(found.values()) for name, found in picked.items()}
