"""Answers KPIs from a release, as their files define them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shoplake.access.kpi_answer import Coverage, KpiAnswer
from shoplake.access.kpi_compare import Compared
from shoplake.access.kpi_definition import Kpi, load_kpis
from shoplake.access.kpi_inputs import tables_read
from shoplake.access.kpi_query import Asked, Query
from shoplake.access.kpi_window import ONE_DAY, Clock, Window, parse_day
from shoplake.audit.recording import showing
from shoplake.errors import InputError, NotFoundError
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.audit.entry import Entry
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

Filters = Mapping[str, str | Sequence[str]]
LOOKBACK_DAYS = 40
"""Days before the compared windows that as-of figures may need: demand of five weeks, stock that still holds."""

__all__ = ["KpiAnswer", "answer", "answer_all", "answer_on", "load_kpis"]


def answer(
    settings: Settings,
    name: str,
    *,
    from_: str | dt.date | None = None,
    to: str | dt.date | None = None,
    by: Iterable[str] = (),
    where: Filters | None = None,
    definition: str | None = None,
    release: str | None = None,
) -> KpiAnswer:
    """Answer one KPI from the current or the named release.

    Args:
        settings: the home to read from.
        name: the KPI.
        from_: first business day (ISO); by default 30 days end with the day that the data reaches.
        to: last business day, included.
        by: dimensions to group by.
        where: wanted values by dimension, one or several; compared as text.
        definition: one of the KPI's definitions instead of its default.
        release: id of a kept release.

    Raises:
        NotFoundError: no such KPI, dimension, definition or release, or nothing has been released.
        InputError: not a date, or the window ends before it starts.

    """
    by = tuple(by)
    asked = {"kpi": name, "days": [str(from_ or ""), str(to or "")], "by": by, "definition": definition}
    with showing(settings, "kpi", release=release, where=dict(where or {}), **asked) as entry:
        found = _answer(settings, name, from_, to, by, where, definition, release)
        _note(entry, [found])
    return found


@rereads
def _answer(
    settings: Settings,
    name: str,
    from_: str | dt.date | None,
    to: str | dt.date | None,
    by: Iterable[str],
    where: Filters | None,
    definition: str | None,
    release: str | None,
) -> KpiAnswer:
    from shoplake.pipeline.releases import required

    kpi = _find(name)
    manifest = required(settings, release)
    window = Clock(manifest).window(kpi.sources, parse_day(from_, "--from"), parse_day(to, "--to"))
    con = _open(settings, manifest, {kpi.name: (kpi, window)})
    try:
        return answer_on(
            con, manifest, kpi, window=window, by=by, where=where, definition=definition, **_options(settings)
        )
    finally:
        con.close()


def answer_all(
    settings: Settings,
    *,
    from_: str | dt.date | None = None,
    to: str | dt.date | None = None,
    release: str | None = None,
    team: str | None = None,
) -> list[KpiAnswer]:
    """Answer every KPI (of one team, when named) by its default definition, without groups, in one session.

    Raises:
        NotFoundError: no such team or release, or nothing has been released.
        InputError: as `answer`.

    """
    with showing(settings, "kpis", release=release, team=team, days=[str(from_ or ""), str(to or "")]) as entry:
        found = _answer_all(settings, from_, to, release, team)
        _note(entry, found)
    return found


def _note(entry: Entry, found: Sequence[KpiAnswer]) -> None:
    """Put into the record what was answered, and out of which marts."""
    asked = [load_kpis()[answer.kpi] for answer in found]
    words = " ".join(f"{kpi.relation} {kpi.coverage.mart} {' '.join(m.name for m in kpi.marts)}" for kpi in asked)
    marts = set(re.findall(r"\bmart_([a-z]+)(__\w+)", words))
    entry.tables = sorted(f"{team}.mart_{team}{rest}" for team, rest in marts)
    entry.release = found[0].release if found else entry.release
    entry.show([answer.as_dict() for answer in found])
    entry.rows = sum(len(answer.rows) + 1 for answer in found)


@rereads
def _answer_all(
    settings: Settings,
    from_: str | dt.date | None,
    to: str | dt.date | None,
    release: str | None,
    team: str | None,
) -> list[KpiAnswer]:
    from shoplake.pipeline.releases import required

    kpis = load_kpis()
    if team is not None and team not in (teams := sorted({kpi.team for kpi in kpis.values()})):
        raise NotFoundError(f"There is no team {team!r}.", hint=f"Teams: {', '.join(teams)}.")
    manifest = required(settings, release)
    first, last = parse_day(from_, "--from"), parse_day(to, "--to")
    chosen = {
        kpi.name: (kpi, Clock(manifest).window(kpi.sources, first, last))
        for kpi in kpis.values()
        if team in (None, kpi.team)
    }
    con = _open(settings, manifest, chosen)
    try:
        return [
            answer_on(con, manifest, kpi, window=window, **_options(settings), is_listed=False)
            for kpi, window in chosen.values()
        ]
    finally:
        con.close()


def answer_on(
    con: DuckDBPyConnection,
    manifest: Manifest,
    kpi: Kpi,
    *,
    window: Window,
    by: Iterable[str] = (),
    where: Filters | None = None,
    definition: str | None = None,
    engagement_days: int = 30,
    is_listed: bool = True,
) -> KpiAnswer:
    """Answer a KPI on an open connection that shows the release's tables as ``<database>.<table>``.

    Raises:
        NotFoundError: no such dimension or definition.

    """
    from shoplake.access.kpi_survival import register

    register(con)
    asked = _asked(kpi, by, where or {})
    chosen = _chosen_definition(kpi, definition)
    clock = Clock(manifest)
    compared = Compared(
        Query(con, manifest, kpi, engagement_days),
        asked,
        chosen,
        clock.now(kpi.sources, window),
        clock.earlier(kpi.sources, window),
    )
    values, total = compared.total()
    others = [name for name in kpi.definitions if name != chosen]
    return KpiAnswer(
        kpi=kpi.name,
        team=kpi.team,
        title=kpi.title,
        unit=kpi.definitions[chosen].unit,
        direction=kpi.direction,
        window=window,
        previous_window=window.before(),
        definition=chosen,
        definition_title=kpi.definitions[chosen].title,
        definition_version=kpi.version,
        release=manifest.release_id,
        watermark=clock.watermark(kpi.sources),
        coverage=Coverage(window.days, compared.days_with_data, _quarantined(manifest, kpi, window)),
        total=total,
        alternatives={name: values[name] for name in others},
        alternative_units={name: kpi.definitions[name].unit for name in others},
        rows=compared.rows() if asked.by or is_listed else [],
    )


def _find(name: str) -> Kpi:
    kpis = load_kpis()
    if name not in kpis:
        raise NotFoundError(f"There is no KPI {name!r}.", hint=f"KPIs: {', '.join(sorted(kpis))}.")
    return kpis[name]


def _asked(kpi: Kpi, by: Iterable[str], where: Filters) -> Asked:
    asked = Asked(
        tuple(dict.fromkeys(by)),
        {name: (values,) if isinstance(values, str) else tuple(values) for name, values in where.items()},
    )
    for name in (*asked.by, *asked.where):
        if name not in kpi.dimensions:
            raise NotFoundError(
                f"{kpi.name} has no dimension {name!r}.", hint=f"Dimensions: {', '.join(kpi.dimensions)}."
            )
    for name, values in asked.where.items():
        if not values:
            raise InputError(f"The filter on {name} names no value.", hint=f"Write it as {name}=value.")
    return asked


def _chosen_definition(kpi: Kpi, definition: str | None) -> str:
    if definition is None:
        return kpi.default_definition
    if definition not in kpi.definitions:
        raise NotFoundError(
            f"{kpi.name} has no definition {definition!r}.", hint=f"Definitions: {', '.join(kpi.definitions)}."
        )
    return definition


def _quarantined(manifest: Manifest, kpi: Kpi, window: Window) -> int:
    """Count the rows of the KPI's sources that landed in quarantine on the window's days."""
    days = {day.isoformat() for day in window.dates()}
    found = (manifest.quarantined.get(source, {}) for source in kpi.sources)
    return sum(rows for by_day in found for day, rows in by_day.items() if day in days)


def _options(settings: Settings) -> dict[str, Any]:
    return {"engagement_days": settings.engagement_window_days}


def _open(settings: Settings, manifest: Manifest, asked: Mapping[str, tuple[Kpi, Window]]) -> DuckDBPyConnection:
    """Open only the partitions that the windows can need: the price of an answer does not grow with history."""
    import msgspec

    from shoplake.access.session import open_release

    names: set[str] = set()
    days: set[dt.date] = set()
    lookback = max(LOOKBACK_DAYS, settings.engagement_window_days)
    for kpi, window in asked.values():
        names |= tables_read(manifest, " ".join([kpi.relation or "", kpi.coverage.mart, *(m.name for m in kpi.marts)]))
        days |= set(Window(window.before().first - lookback * ONE_DAY, window.last).dates())
    tables = {
        name: msgspec.structs.replace(table, partitions=table.holding(days) if table.partition_by else table.partitions)
        for name, table in manifest.tables.items()
        if name in names
    }
    return open_release(settings, msgspec.structs.replace(manifest, tables=tables))
