"""What of the catalogue's things a person may look into. That a thing is there, and what it means, anybody may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.access.kpi_scope import Scope
from shoplake.errors import AccessDenied

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.rights import Decision
    from shoplake.catalogue.entries import Entry
    from shoplake.catalogue.opening import Catalogue
    from shoplake.portal.pages.viewer import Viewer

LAKE = "lake"
"""Console that shows raw rows."""


@dataclass(frozen=True)
class Lock:
    """Why a person does not see the rows of something."""

    title: str
    reason: str
    """As `shoplake access explain` says it: the policy's words, in English."""
    line: str
    """Of the policy."""


@dataclass(frozen=True)
class Sight:
    """One person before the catalogue."""

    viewer: Viewer
    catalogue: Catalogue

    def lock(self, entry: Entry) -> Lock | None:
        """Say why rows or figures of something are out of reach; None where some of them are not."""
        if entry.kind == "kpi":
            return self._of_kpi(self.catalogue.kpis[entry.ref.name])
        text, rights = self.viewer.language.text, self.viewer.rights
        if entry.kind == "source":
            return self._unless(rights.may_use(LAKE), text("Raw rows are not for your role."))
        if not entry.is_released:
            return None
        decision = rights.table(entry.ref.name)
        if decision.figures_only:
            return self._unless(decision, text("Your role sees this table in figures over groups only."))
        return self._unless(decision, text("The rows of this table are not for your role."))

    def column_lock(self, entry: Entry, column: str) -> Lock | None:
        """Say why a column of a released table is out of reach."""
        if not entry.is_released:
            return None
        decision = self.viewer.rights.column(entry.ref.name, column)
        return self._unless(decision, self.viewer.language.text("This column is not for your role."))

    def limits(self, entry: Entry) -> str:
        """Say to which rows of a table the person is limited; empty where they see all of them."""
        if not entry.is_released or not (decision := self.viewer.rights.table(entry.ref.name)).is_allowed:
            return ""
        return "; ".join(f"{column}: {', '.join(values)}" for column, values in sorted(decision.rows.items()))

    def may_query(self, entry: Entry) -> bool:
        """Say whether the person may ask for rows of a table in SQL."""
        return bool(
            entry.is_released
            and self.viewer.rights.may_use("sql").is_allowed
            and self.viewer.rights.columns(entry.ref.name)
        )

    def _of_kpi(self, kpi: Kpi) -> Lock | None:
        rights, title = self.viewer.rights, self.viewer.language.text("This figure is not for your role.")
        if lock := self._unless(rights.may_use("kpi"), title):
            return lock
        scope = Scope(rights, kpi)
        try:
            scope.check(())
        except AccessDenied as error:
            shut = [d for name in scope.tables() if not ((d := rights.table(name)).is_allowed or d.figures_only)]
            return self._unless(shut[0], title) if shut else Lock(title, error.message, "")
        return None

    def _unless(self, decision: Decision, title: str) -> Lock | None:
        if decision.is_allowed:
            return None
        return Lock(title, decision.reason, f"{self.viewer.rights.policy.file.name}:{decision.line}")
