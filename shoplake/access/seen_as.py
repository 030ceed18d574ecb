"""What a role, or a user with limits, sees: pages, KPIs, tables, columns, exports, each with the line of the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shoplake.access.kpi_definition import load_kpis
from shoplake.access.kpi_scope import Scope
from shoplake.access.policy import CONSOLES, EXPORTS
from shoplake.access.rights import Rights
from shoplake.errors import AccessDenied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.rights import Decision


@dataclass(frozen=True)
class SeenColumn:
    """A column that is out of sight, and why."""

    name: str
    why: str
    line: int


@dataclass(frozen=True)
class SeenTable:
    """A table as the rights have it."""

    name: str
    sight: Literal["whole", "part", "figures", "no"]
    why: str
    line: int
    rows: Mapping[str, tuple[str, ...]]
    """Values that rows must have, by column."""
    columns: tuple[str, ...]
    hidden: tuple[SeenColumn, ...]


@dataclass(frozen=True)
class SeenKpi:
    """A KPI as the rights have it."""

    kpi: Kpi
    is_open: bool
    is_in_figures_only: bool
    why: str


@dataclass(frozen=True)
class Permit:
    """A console or an export."""

    name: str
    decision: Decision


@dataclass(frozen=True)
class SeenAs:
    """Everything that somebody with these rights sees."""

    rights: Rights
    tables: tuple[SeenTable, ...]
    kpis: tuple[SeenKpi, ...]
    consoles: tuple[Permit, ...]
    exports: tuple[Permit, ...]


def seen_as(rights: Rights) -> SeenAs:
    """Say what somebody with these rights sees. It looks at the policy alone, and at no data."""
    return SeenAs(
        rights=rights,
        tables=tuple(_table(rights, name) for name in rights.catalogue),
        kpis=tuple(_kpi(rights, kpi) for kpi in load_kpis().values()),
        consoles=tuple(Permit(name, rights.may_use(name)) for name in sorted(CONSOLES)),
        exports=tuple(Permit(name, rights.may_export(name)) for name in sorted(EXPORTS)),
    )


def may_show_figures(looking: Rights, seen: Rights, kpi: Kpi) -> bool:
    """Say whether who looks may see what a figure is made of whole: only then are others' figures theirs to see."""
    return looking.may_use("kpi").is_allowed and all(looking.is_whole(name) for name in Scope(seen, kpi).tables())


def _table(rights: Rights, name: str) -> SeenTable:
    entry, decision = rights.catalogue[name], rights.table(name)
    shown = rights.columns(name)
    hidden = []
    if decision.is_allowed or decision.figures_only:
        for column in entry.columns:
            found = rights.column(name, column)
            if not (found.is_allowed or found.figures_only):
                hidden.append(SeenColumn(column, found.reason, found.line))
    sight: Literal["whole", "part", "figures", "no"] = "no"
    if decision.figures_only:
        sight = "figures"
    elif decision.is_allowed:
        sight = "whole" if rights.is_whole(name) else "part"
    return SeenTable(entry.full_name, sight, decision.reason, decision.line, decision.rows, shown, tuple(hidden))


def _kpi(rights: Rights, kpi: Kpi) -> SeenKpi:
    scope, console = Scope(rights, kpi), rights.may_use("kpi")
    if not console.is_allowed:
        return SeenKpi(kpi, False, False, console.reason)
    try:
        scope.check(())
    except AccessDenied as error:
        return SeenKpi(kpi, False, False, error.message.partition(": ")[2] or error.message)
    return SeenKpi(kpi, True, scope.is_in_figures_only, "")
