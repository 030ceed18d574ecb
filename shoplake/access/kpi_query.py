"""Puts a KPI's definition, the asked dimensions and the window together into one SELECT."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from shoplake.access.catalogue import CUSTOMER
from shoplake.access.kpi_days import Question
from shoplake.access.kpi_inputs import NAMES, Inputs, is_made_again
from shoplake.access.kpi_needs import opened_from
from shoplake.access.kpi_scope import SEEN, Scope, suppressed
from shoplake.access.kpi_window import Window
from shoplake.errors import InputError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.access.kpi_days import DayRows
    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.kpi_window import Sight
    from shoplake.pipeline.manifest import Manifest

PARAMETER = re.compile(r"\$(\w+)")
DAY = "day"
NUMBERS = count(1)
HIDDEN = "hidden_because"
"""Column that a group of too few customers has instead of its figures."""
MATCHED = "rows_matched"
"""Column that tells a group of nothing from one whose figure cannot be measured."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What to group and to filter by."""

    by: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Wanted values by dimension, compared as text; an empty text stands for a missing value."""

    def __hash__(self) -> int:
        return hash((self.by, tuple(sorted(self.where.items()))))

    def total(self) -> Asked:
        """Give the same without groups."""
        return Asked((), self.where)


@dataclass(frozen=True)
class Query:
    """One KPI on one connection."""

    con: DuckDBPyConnection
    manifest: Manifest
    kpi: Kpi
    engagement_days: int = 30
    scope: Scope | None = None
    """The person whose rights narrow what is read; None where the connection shows no more than may be read."""
    beyond: Callable[[], Query] | None = None
    """Answers for instants before the release, which are made from tables that the person has no files of."""
    days: DayRows | None = None
    """Figures by day that are known already."""
    _made: dict[Hashable, str] = field(default_factory=dict, repr=False, compare=False)
    """Tables that were made again for an answer, so that its next query finds them."""

    def groups(self, sight: Sight, asked: Asked) -> list[Row]:
        """Give a row for each group: dimensions as ``by_<name>``, labels, parts, ``value_<definition>``."""
        steps = self._steps(asked)
        if self.days is not None and self.scope is None and asked.by == (DAY,):
            return self._by_day(self.days, steps, sight, asked)
        return self._without_small_groups(self._run(steps, sight, asked.where), sight, asked)

    def _steps(self, asked: Asked) -> list[str]:
        kpi, by = self.kpi, _keys(self.kpi, asked.by)
        parts = kpi.parts | self._mart_parts(asked)
        steps = [self._rows(asked)]
        for step in kpi.per:
            columns = [*by, *step.by, *(f"({sql}) as {name}" for name, sql in step.measures.items())]
            steps.append(f"select {', '.join(columns)} from {{before}} group by {', '.join([*by, *step.by])}")
        aggregates = [*by, f"count(*) as {MATCHED}", *(f"({sql}) as {name}" for name, sql in parts.items())]
        grouped = f" group by {', '.join(by)}" if by else ""
        steps.append(f"select {', '.join(aggregates)} from {{before}}{grouped}")
        values = ", ".join(f"({one.value}) as value_{name}" for name, one in kpi.definitions.items())
        order = f" order by {', '.join(f'{key} nulls last' for key in by)}" if by else ""
        return [*steps, f"select *, {values} from {{before}}{order}"]

    def _by_day(self, known: DayRows, steps: Sequence[str], sight: Sight, asked: Asked) -> list[Row]:
        """Give the rows by day: those of a day that is made again now, all others as they are known where they are."""
        last = sight.window.last
        whole = [day for day in sight.window.dates() if not (sight.is_running and day == last)]
        question = Question(self.kpi, self.manifest, " ".join(steps), asked.where, self.engagement_days)
        keys = question.keys(whole, sight)
        if keys is None:
            return self._run(steps, sight, asked.where)
        released = replace(sight, cut=None, is_running=False)
        rows = known.rows(keys, released, lambda part: self._run(steps, part, asked.where))
        if sight.is_running:
            rows += self._run(steps, replace(sight, window=Window(last, last), asked_days=sight.days), asked.where)
        return rows

    def _without_small_groups(self, groups: list[Row], sight: Sight, asked: Asked) -> list[Row]:
        """Empty the groups of too few customers, where the person sees the KPI in figures only."""
        if self.scope is None or not self.scope.is_in_figures_only:
            return groups
        by, smallest = _keys(self.kpi, asked.by), self.scope.rights.role.group_size
        selected = ", ".join([*by, f"count(distinct {CUSTOMER}) as customers"])
        grouped = f" group by {', '.join(by)}" if by else ""
        counting = f"select {selected} from {{before}}{grouped}"
        counted = self._run([self._rows(asked), counting], sight, asked.where)
        customers = {tuple(row[key] for key in by): row["customers"] for row in counted}
        hidden = suppressed([group for group in groups if group[MATCHED]], customers, by, smallest)
        return [_emptied(row, by, smallest) if tuple(row[key] for key in by) in hidden else row for row in groups]

    def listing(self, sight: Sight, asked: Asked) -> list[Row]:
        """Give the single rows that a KPI lists when it is not grouped, by rank."""
        assert self.kpi.listing is not None, "asked of a KPI that lists nothing"  # noqa: S101
        if self.scope is not None and self.scope.is_in_figures_only:
            return []
        columns = ", ".join(f"{sql} as {name}" for name, sql in self.kpi.listing.columns.items())
        last = f"select {columns} from {{before}} where {self.kpi.listing.where} order by {self.kpi.listing.order}"
        return self._run([self._rows(asked), last], sight, asked.where)

    def cases(self, sight: Sight, asked: Asked) -> tuple[list[float], list[bool]]:
        """Give for how long each case was followed, and whether it ended then; none to who sees figures only."""
        assert self.kpi.curve is not None, "asked of a KPI without a curve"  # noqa: S101
        if self.scope is not None and self.scope.is_in_figures_only:
            return [], []
        chosen = f"({self.kpi.curve.seconds}) as seconds, ({self.kpi.curve.ended}) as ended"
        rows = self._run([self._rows(asked), f"select {chosen} from {{before}}"], sight, asked.where)
        known = [row for row in rows if row["seconds"] is not None]
        return [float(row["seconds"]) for row in known], [bool(row["ended"]) for row in known]

    def count(self, sight: Sight, asked: Asked) -> int:
        """Count the rows of the mart that pass the window and the filters."""
        return int(
            self._run([self._rows(asked), "select count(*) as found from {before}"], sight, asked.where)[0]["found"]
        )

    def text(self, manifest: Manifest, sight: Sight, asked: Asked) -> str:
        """Give the SELECT of those rows as a person would write it over a release, its values in place."""
        from shoplake.keys.duckdb_session import text

        def value(match: re.Match[str]) -> str:
            found = values[match[1]]
            if isinstance(found, int):
                return str(found)
            kind = {dt.date: "date ", dt.datetime: "timestamp "}.get(type(found), "")
            return f"{kind}{text(str(found))}" if found is not None else "null"

        values = self._values(sight, asked.where)
        first = self._first(asked, is_daily=False)
        inner = self._base(asked, first)
        named = NAMES.sub(lambda match: f"{manifest.tables[match[0]].database}.{match[0]}", inner).strip()
        tests = " and ".join(self._tests(asked, first))
        return PARAMETER.sub(value, f"select kpi_rows.* from (\n{named}\n) as kpi_rows\nwhere {tests}")

    def days_with_data(self, sight: Sight) -> int:
        """Count the days of the window for which the KPI's source has data."""
        seen = self.kpi.coverage
        sql = (
            f"select count(distinct {seen.date}) as days from {seen.mart} "
            f"where {seen.date} between $from and $to and {seen.where}"
        )
        return int(self._run([sql], sight)[0]["days"])

    def is_supported(self, dimension: str, sight: Sight) -> bool:
        """Say whether the window's data can answer by a dimension."""
        condition = self.kpi.dimensions[dimension].supported_when
        return condition is None or bool(self._run([f"select ({condition}) as yes"], sight)[0]["yes"])

    def is_known(self, dimension: str, values: Sequence[str], sight: Sight) -> bool:
        """Say whether any row of the days that are opened for the window has one of the values."""
        base = self._base(Asked((), {dimension: tuple(values)}), "$from")
        condition = self._condition(dimension, len(values))
        first = opened_from(sight.window, self.engagement_days)
        since = f"{self.kpi.date} >= date '{first.isoformat()}'"
        sql = f"select count(*) > 0 as yes from ({base}) as kpi_rows where {condition} and {since}"
        return bool(self._run([sql], sight, {dimension: tuple(values)})[0]["yes"])

    def _rows(self, asked: Asked) -> str:
        """Give the rows of the window that pass the filters, with the asked dimensions beside them."""
        kpi = self.kpi
        keys = [
            f"{column} as {key}"
            for name in asked.by
            for key, column in _key_columns(name, kpi.dimensions[name].column, kpi.dimensions[name].label)
        ]
        is_daily = DAY in asked.by
        last_day = kpi.date if is_daily else "$to"
        columns = ", ".join([*keys, f"{last_day} as last_day", "kpi_rows.*"])
        first = self._first(asked, is_daily=is_daily)
        tests = " and ".join(self._tests(asked, first))
        return f"select {columns} from ({self._base(asked, first)}) as kpi_rows where {tests}"

    def _first(self, asked: Asked, *, is_daily: bool) -> str:
        """Give the parameter of the first day that is looked at: how things stand needs the last one alone."""
        return "$to" if self.kpi.is_as_of and not is_daily and DAY not in asked.where else "$from"

    def _tests(self, asked: Asked, first: str) -> list[str]:
        """Give what a row must fulfil: the window and the filters."""
        tests = [f"{self.kpi.date} between {first} and $to"]
        return tests + [self._condition(name, len(values)) for name, values in asked.where.items()]

    def _base(self, asked: Asked, first: str) -> str:
        relation = self.kpi.relation or f"select * from {self._mart(asked)}"
        return relation.replace("$shown_from", first)

    def _mart(self, asked: Asked) -> str:
        """Choose the first mart that has every asked dimension: they stand from coarse to fine."""
        needed = {self.kpi.dimensions[name].column for name in (*asked.by, *asked.where)}
        for mart in self.kpi.marts:
            table = self.manifest.tables.get(mart.name)
            if table is None or needed <= table.columns.keys():
                return mart.name
        raise InputError(
            f"No mart of {self.kpi.name} has all of {', '.join([*asked.by, *asked.where])}.",
            hint="Ask for fewer dimensions at once.",
        )

    def _mart_parts(self, asked: Asked) -> dict[str, str]:
        if self.kpi.relation:
            return {}
        chosen = self._mart(asked)
        return next(mart.parts for mart in self.kpi.marts if mart.name == chosen)

    def _condition(self, name: str, values: int) -> str:
        dimension = self.kpi.dimensions[name]
        wanted = ", ".join(f"$where_{name}_{n}" for n in range(values))
        columns = [dimension.column, *([dimension.label] if dimension.label else [])]
        tests = (f"coalesce(cast(kpi_rows.{column} as varchar), '') in ({wanted})" for column in columns)
        return f"({' or '.join(tests)})"

    def _run(self, steps: Sequence[str], sight: Sight, where: Mapping[str, tuple[str, ...]] | None = None) -> list[Row]:
        """Run SELECTs of which each reads the one ``{before}`` it; give the rows of the last."""
        if self.beyond is not None and is_made_again(self.manifest, sight, " ".join(steps)):
            return self.beyond()._run(steps, sight, where)
        *earlier, last = [sql.replace("{before}", f"kpi_step_{n - 1}") for n, sql in enumerate(steps)]
        tables = self._with_made(Inputs.of(self.manifest, sight, " ".join(steps)), sight)
        if self.scope is not None:
            tables |= {
                f"{SEEN}{name}": sql for name, sql in self.scope.seen(self.manifest.tables).items() if name in tables
            }
            *earlier, last = [NAMES.sub(rf"{SEEN}\g<0>", sql) for sql in (*earlier, last)]
        tables |= {f"kpi_step_{n}": sql for n, sql in enumerate(earlier)}
        named = ", ".join(f"{name} as ({sql})" for name, sql in tables.items())
        query = f"with {named} {last}" if named else last
        values = self._values(sight, where or {})
        used = set(PARAMETER.findall(query))
        cursor = self.con.execute(query, {name: value for name, value in values.items() if name in used})
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _with_made(self, tables: dict[str, str], sight: Sight) -> dict[str, str]:
        """Have whole tables that are made again made once for an answer: a KPI that lists rows asks for them twice."""
        if sight.cut is None or self.kpi.listing is None:
            return tables
        found: dict[str, str] = {}
        for name, sql in tables.items():
            table = self.manifest.tables.get(name)
            if table is None or table.partition_by or name.startswith("dim_"):
                found[name] = sql
                continue
            which = (name, sight.window, tuple(sorted(sight.cut.items())))
            if which not in self._made:
                self._made[which] = f"made_{next(NUMBERS)}"
                named = ", ".join(f"{one} as ({text})" for one, text in found.items())
                select = f"{f'with {named} ' if named else ''}select * from ({sql})"
                self.con.execute(f"create temp table {self._made[which]} as {select}")
            found[name] = f"select * from {self._made[which]}"
        return found

    def _values(self, sight: Sight, where: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
        window = sight.window
        wanted = {f"where_{name}_{n}": value for name, values in where.items() for n, value in enumerate(values)}
        return {
            "from": window.first,
            "to": window.last,
            "days": sight.days,
            "known_until": sight.known_until,
            "engagement_days": self.engagement_days,
            **wanted,
        }


def _emptied(row: Row, by: Sequence[str], smallest: int) -> Row:
    """Keep what the group is, and nothing of its figures."""
    return {name: value if name in by else None for name, value in row.items()} | {
        MATCHED: row[MATCHED],
        HIDDEN: f"fewer than {smallest} customers, or too close to such a group",
    }


def _keys(kpi: Kpi, by: Sequence[str]) -> list[str]:
    """Name the key columns of a group: each dimension, and its label where it has one."""
    return [key for n in by for key, _ in _key_columns(n, kpi.dimensions[n].column, kpi.dimensions[n].label)]


def _key_columns(name: str, column: str, label: str | None) -> list[tuple[str, str]]:
    return [(f"by_{name}", f"kpi_rows.{column}"), *([(f"label_{name}", f"kpi_rows.{label}")] if label else [])]
