"""Answers KPIs from a release, as their files define them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from shoplake.access.kpi_answer import Coverage, KpiAnswer
from shoplake.access.kpi_basis import basis_of
from shoplake.access.kpi_compare import Compared
from shoplake.access.kpi_definition import Kpi, load_kpis
from shoplake.access.kpi_query import Asked, Query
from shoplake.access.kpi_sources import Sources, may_see, rights_of
from shoplake.access.kpi_window import Clock, Window, parse_day
from shoplake.audit.recording import showing
from shoplake.errors import AccessDenied, InputError, NotFoundError
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.access.identity import Identity
    from shoplake.access.warm import Warm
    from shoplake.audit.entry import Entry
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

Filters = Mapping[str, str | Sequence[str]]

__all__ = ["KpiAnswer", "answer", "answer_all", "answer_on", "load_kpis", "make_ready"]


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
    identity: Identity | None = None,
    warm: Warm | None = None,
    against: Window | None = None,
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
        identity: the person who asks; None for the owner of the home, who sees everything.
        warm: what a process that answers many keeps ready.
        against: days to compare with; by default the window of equal length just before.

    Raises:
        NotFoundError: no such KPI, dimension, definition or release, or nothing has been released.
        InputError: not a date, or the window ends before it starts.
        AccessDenied: the person may not see what the KPI reads.

    """
    by = tuple(by)
    asked: dict[str, Any] = {"kpi": name, "days": [str(from_ or ""), str(to or "")], "by": by, "definition": definition}
    asked |= {"where": dict(where or {}), "seen_as": identity.name if identity else None}
    asked |= {"against": [str(against.first), str(against.last)]} if against else {}
    with showing(settings, "kpi", release=release, **asked) as entry:
        found = _answer_one(settings, name, from_, to, by, where, definition, release, identity, warm, against)
        _note(entry, [found])
    return found


def make_ready(
    settings: Settings,
    name: str,
    *,
    window: Window,
    by: Iterable[str],
    where: Filters,
    definition: str,
    identity: Identity,
    warm: Warm,
    against: Window | None = None,
) -> KpiAnswer:
    """Have an answer made for those who will ask for it. It is shown to nobody, and so on no record.

    Raises:
        AccessDenied: such a person may not see it.

    """
    days = (window.first, window.last)
    return _answer_one(settings, name, *days, tuple(by), where, definition, None, identity, warm, against)


@rereads
def _answer_one(
    settings: Settings,
    name: str,
    from_: str | dt.date | None,
    to: str | dt.date | None,
    by: Iterable[str],
    where: Filters | None,
    definition: str | None,
    release: str | None,
    identity: Identity | None,
    warm: Warm | None,
    against: Window | None,
) -> KpiAnswer:
    from shoplake.pipeline.releases import required

    kpi = _find(name)
    asked = _asked(kpi, by, where or {})
    chosen = _chosen_definition(kpi, definition)
    manifest = required(settings, release)
    window = Clock(manifest).window(kpi.sources, parse_day(from_, "--from"), parse_day(to, "--to"))
    rights = rights_of(settings, identity, "kpi")
    if against == window.before():
        against = None

    def make() -> KpiAnswer:
        with ExitStack() as opened:
            seen = [(kpi, one) for one in (window, against) if one is not None]
            sources = Sources(settings, manifest, seen, opened, rights, warm)
            query = sources.query(kpi, [*asked.by, *asked.where])
            with sources.explained(kpi):
                return _answer(query, asked, chosen, window, against=against)

    if warm is None:
        return make()
    basis = partial(basis_of, settings, manifest, kpi, window, against, rights)
    return warm.answer((*_question(identity, kpi, window), asked, chosen, against), manifest.release_id, basis, make)


def answer_all(
    settings: Settings,
    *,
    from_: str | dt.date | None = None,
    to: str | dt.date | None = None,
    release: str | None = None,
    team: str | None = None,
    identity: Identity | None = None,
    warm: Warm | None = None,
) -> list[KpiAnswer]:
    """Answer every KPI (of one team, when named) by its default definition, without groups, in one session.

    For a person these are the KPIs that they may see.

    Raises:
        NotFoundError: no such team or release, or nothing has been released.
        InputError: as `answer`.
        AccessDenied: the person may not use KPIs.

    """
    asked = {"team": team, "days": [str(from_ or ""), str(to or "")], "seen_as": identity.name if identity else None}
    with showing(settings, "kpis", release=release, **asked) as entry:
        found = _answer_every(settings, from_, to, release, team, identity, warm)
        _note(entry, found)
    return found


def _note(entry: Entry, found: Sequence[KpiAnswer]) -> None:
    """Put into the record what was answered, and out of which marts."""
    asked = [load_kpis()[answer.kpi] for answer in found]
    words = " ".join(f"{kpi.relation} {kpi.coverage.mart} {' '.join(m.name for m in kpi.marts)}" for kpi in asked)
    marts = set(re.findall(r"\bmart_([a-z]+)(__\w+)", words))
    entry.tables = sorted(f"{team}.mart_{team}{rest}" for team, rest in marts)
    entry.release = found[0].release if found else entry.release
    for answer in found:
        entry.add(answer.shown)
    entry.rows = sum(len(answer.rows) + 1 for answer in found)


@rereads
def _answer_every(
    settings: Settings,
    from_: str | dt.date | None,
    to: str | dt.date | None,
    release: str | None,
    team: str | None,
    identity: Identity | None,
    warm: Warm | None,
) -> list[KpiAnswer]:
    from shoplake.pipeline.releases import required

    kpis = load_kpis()
    if team is not None and team not in (teams := sorted({kpi.team for kpi in kpis.values()})):
        raise NotFoundError(f"There is no team {team!r}.", hint=f"Teams: {', '.join(teams)}.")
    manifest = required(settings, release)
    first, last = parse_day(from_, "--from"), parse_day(to, "--to")
    rights = rights_of(settings, identity, "kpis")
    chosen = [
        (kpi, Clock(manifest).window(kpi.sources, first, last))
        for kpi in kpis.values()
        if team in (None, kpi.team) and (rights is None or may_see(rights, kpi))
    ]
    with ExitStack() as opened:
        sources = Sources(settings, manifest, chosen, opened, rights, warm)
        answers = []
        for kpi, window in chosen:
            with suppress(AccessDenied), sources.explained(kpi):
                make = partial(_overview, sources, kpi, window)
                basis = partial(basis_of, settings, manifest, kpi, window, None, rights)
                question = _question(identity, kpi, window)
                answers.append(make() if warm is None else warm.answer(question, manifest.release_id, basis, make))
        return answers


def _overview(sources: Sources, kpi: Kpi, window: Window) -> KpiAnswer:
    return _answer(sources.query(kpi), Asked(), kpi.default_definition, window, is_listed=False)


def _question(identity: Identity | None, kpi: Kpi, window: Window) -> tuple[Hashable, ...]:
    """Name all that an answer rests on beside a release; people of one role and equal limits have the same answers."""
    limits = tuple(sorted(identity.attributes.items())) if identity else None
    return identity.role if identity else None, limits, kpi.name, window


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
    query = Query(con, manifest, kpi, engagement_days)
    asked = _asked(kpi, by, where or {})
    return _answer(query, asked, _chosen_definition(kpi, definition), window, is_listed=is_listed)


def _answer(
    query: Query,
    asked: Asked,
    chosen: str,
    window: Window,
    *,
    is_listed: bool = True,
    against: Window | None = None,
) -> KpiAnswer:
    from shoplake.access.kpi_survival import register

    register(query.con)
    kpi, manifest = query.kpi, query.manifest
    clock = Clock(manifest)
    compared = Compared(
        query,
        asked,
        chosen,
        clock.now(kpi.sources, window),
        clock.earlier(kpi.sources, window, against),
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
        previous_window=against or window.before(),
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
        curve=compared.curve() if is_listed and not asked.by else [],
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
