"""The rows behind a KPI's figure: how many there are, and the query that shows them to who may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.access.kpi import load_kpis
from shoplake.access.kpi_query import Asked
from shoplake.access.kpi_scope import Scope
from shoplake.access.kpi_sources import Sources, rights_of
from shoplake.access.kpi_window import Clock, Window
from shoplake.audit.recording import showing
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.access.warm import Warm
    from shoplake.settings import Settings


@dataclass(frozen=True)
class RowsBehind:
    """What a figure sums."""

    rows: int | None
    """Rows of the marts in the window and the filters; None for who sees figures over groups only."""
    sql: str
    """The query that gives them; empty for who may not ask it."""


def rows_behind(
    settings: Settings,
    name: str,
    *,
    window: Window,
    where: Mapping[str, Sequence[str]],
    identity: Identity,
    warm: Warm | None = None,
) -> RowsBehind:
    """Count the rows that went into a figure, as the person sees them.

    Args:
        settings: the home to read from.
        name: the KPI.
        window: the figure's days.
        where: wanted values by dimension.
        identity: the person.
        warm: what a process that answers many keeps ready.

    Raises:
        AccessDenied: the person may not see the KPI.
        NotFoundError: nothing has been released.

    """
    asked = Asked((), {dimension: tuple(values) for dimension, values in where.items()})
    days = [str(window.first), str(window.last)]
    with showing(settings, "kpi rows", kpi=name, days=days, where=dict(asked.where)) as entry:
        found = _found(settings, name, window, asked, identity, warm)
        entry.rows = 1
    return found


@rereads
def _found(
    settings: Settings, name: str, window: Window, asked: Asked, identity: Identity, warm: Warm | None
) -> RowsBehind:
    from shoplake.pipeline.releases import required

    kpi, manifest = load_kpis()[name], required(settings, None)
    rights = rights_of(settings, identity, "kpi")
    assert rights is not None, "a person asks"  # noqa: S101
    with ExitStack() as opened:
        sources = Sources(settings, manifest, [(kpi, window)], opened, rights, warm)
        query = sources.query(kpi, asked.where)
        if Scope(rights, kpi).is_in_figures_only:
            return RowsBehind(None, "")
        sight = Clock(manifest).now(kpi.sources, window)
        with sources.explained(kpi):
            rows = query.count(sight, asked)
        return RowsBehind(rows, query.text(manifest, sight, asked) if rights.may_use("sql").is_allowed else "")
