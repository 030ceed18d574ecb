"""One person looking at one release: what they may open, over which days, and what they are answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from shoplake.access.kpi_definition import Kpi
from shoplake.access.kpi_scope import Scope
from shoplake.access.kpi_sources import may_see
from shoplake.access.kpi_window import Clock, Window, naive_utc
from shoplake.access.rights import Rights
from shoplake.errors import AccessDenied
from shoplake.portal.pages.boards import TEAMS, team_kpis
from shoplake.portal.pages.figures import Figures
from shoplake.portal.pages.filters import DIMENSIONS, Filters
from shoplake.portal.pages.language import Language
from shoplake.portal.pages.places import PLACES, Place

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings


class Ask(Protocol):
    """Answers a KPI as `shoplake.access.kpi.answer` does, for one person and from one release."""

    def __call__(  # noqa: D102 - as the class says
        self,
        name: str,
        *,
        window: Window,
        by: tuple[str, ...],
        where: Mapping[str, tuple[str, ...]],
        definition: str,
        against: Window | None,
    ) -> KpiAnswer: ...


@dataclass(frozen=True)
class Viewer:
    """A person, the release they look at, and how figures read to them."""

    settings: Settings
    identity: Identity
    manifest: Manifest
    language: Language
    ask: Ask

    @cached_property
    def rights(self) -> Rights:
        """Give the person's rights."""
        return Rights.of(self.settings, self.identity)

    @cached_property
    def clock(self) -> Clock:
        """Give the release's clock."""
        return Clock(self.manifest)

    @cached_property
    def figures(self) -> Figures:
        """Give how figures are written for the person."""
        return Figures(self.language, self.settings.currency, self.clock.zone)

    def kpis(self, team: str) -> list[Kpi]:
        """Give the KPIs of a team that the person may see."""
        if not self.rights.may_use("kpi").is_allowed:
            return []
        return [kpi for kpi in team_kpis(team) if may_see(self.rights, kpi)]

    @cached_property
    def teams(self) -> list[str]:
        """Give the teams whose pages the person may open."""
        return [team for team in TEAMS if self.kpis(team)]

    @cached_property
    def places(self) -> list[Place]:
        """Give the pages beside the teams' that the person may open."""
        return [place for place in PLACES if self.rights.may_use(place.console).is_allowed]

    @property
    def own_team(self) -> str | None:
        """Give the team whose page is the person's own: that of their role, else the first that they may open."""
        if self.identity.role in self.teams:
            return self.identity.role
        return self.teams[0] if self.teams else None

    def dimensions(self, kpi: Kpi) -> list[str]:
        """Give the dimensions by which the person may filter a KPI on a page."""
        return [name for name in DIMENSIONS if name in kpi.dimensions and self.may_go_by(kpi, name)]

    def may_go_by(self, kpi: Kpi, dimension: str) -> bool:
        """Say whether the person may see a KPI by a dimension."""
        try:
            Scope(self.rights, kpi).check((dimension,))
        except AccessDenied:
            return False
        return True

    def window(self, kpi: Kpi, filters: Filters) -> Window:
        """Give the days that filters mean for a KPI: presets end with the day that its data reaches.

        Raises:
            InputError: the window ends before it starts.

        """
        mark = self.clock.watermark(kpi.sources) or naive_utc(self.manifest.created_at)
        return filters.window(self.clock.local(mark).date())

    def answer(self, kpi: Kpi, filters: Filters, by: tuple[str, ...] = (), definition: str = "") -> KpiAnswer:
        """Answer a KPI over the days and values of the filters that it has.

        Raises:
            AccessDenied: the person may not see it so.
            InputError: the window ends before it starts.

        """
        where = {name: values for name, values in filters.where.items() if name in kpi.dimensions}
        chosen = definition or kpi.default_definition
        window = self.window(kpi, filters)
        against = filters.against_window(window)
        return self.ask(kpi.name, window=window, by=by, where=where, definition=chosen, against=against)

    def late_sources(self, kpi: Kpi, now: dt.datetime | None = None) -> list[str]:
        """Give the sources of a KPI whose data should reach further by now."""
        return [source for source in kpi.sources if self.is_late(source, now)]

    def is_late(self, source: str, now: dt.datetime | None = None) -> bool:
        """Say whether the released data of a source should reach further by now, as its contract says."""
        from shoplake.contracts import load_contracts

        mark, contract = self.manifest.watermarks.get(source), load_contracts(self.settings).get(source)
        if mark is None or contract is None or contract.event_time is None:
            return False
        age = naive_utc(now or dt.datetime.now(dt.UTC)) - naive_utc(mark)
        return age.total_seconds() > contract.cadence_seconds + contract.lateness_seconds


def release_text(viewer: Viewer) -> str:
    """Say of when the figures are; nothing before the first release."""
    if not viewer.manifest.release_id:
        return viewer.language.text("Nothing has been released yet.")
    moment = viewer.figures.moment(viewer.manifest.created_at)
    return viewer.language.text("Released %(moment)s", moment=moment)
