"""How a KPI is answered within one person's rights: what it may read, and which groups are too small to show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.access.catalogue import person_column
from shoplake.access.kpi_needs import tables_named
from shoplake.errors import AccessDenied
from shoplake.keys.duckdb_session import quoted, text

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.rights import Rights
    from shoplake.pipeline.manifest import Manifest, Table

SEEN = "seen__"
"""What a KPI reads instead of a table when it is answered on more than the person's own files."""


@dataclass(frozen=True)
class Scope:
    """One person asking for one KPI."""

    rights: Rights
    kpi: Kpi

    def tables(self) -> list[str]:
        """Name the tables that the KPI itself reads, without those that they are made of."""
        return tables_named(self.kpi)

    def check(self, dimensions: Iterable[str]) -> None:
        """Pass a KPI that reads only what the person may see.

        Raises:
            AccessDenied: it reads a table, or goes by a column, that the person may not see.

        """
        for name in self.tables():
            decision = self.rights.table(name)
            if not (decision.is_allowed or decision.figures_only):
                self.rights.require(decision, f"have {self.kpi.name}, which reads {name}")
            for dimension in dimensions:
                column = self.kpi.dimensions[dimension].column
                if column in self.rights.catalogue[name].columns:
                    found = self.rights.column(name, column)
                    if not (found.is_allowed or found.figures_only):
                        self.rights.require(found, f"have {self.kpi.name} by {dimension}")

    def require_files(self, manifest: Manifest) -> None:
        """Pass a release that holds files for the person of all that the KPI reads.

        Raises:
            AccessDenied: it lacks some.

        """
        for name in self.tables():
            if name not in manifest.tables:
                raise AccessDenied(
                    f"Release {manifest.release_id} holds no files of {name} for {self.rights.identity.name} yet.",
                    hint="`shoplake access apply` makes them for the current release; an earlier one stays shut.",
                )

    @property
    def is_in_figures_only(self) -> bool:
        """Say whether the KPI reads a table that the person may see in figures over groups alone."""
        return any(self.rights.table(name).figures_only for name in self.tables())

    def seen(self, tables: Mapping[str, Table]) -> dict[str, str]:
        """Give, for each table that the KPI reads, the SELECT of what it may read of it, where ``tables`` stand."""
        return {name: self._seen(name, tables[name].columns) for name in self.tables() if name in tables}

    def _seen(self, name: str, there: Collection[str]) -> str:
        entry, decision = self.rights.catalogue[name], self.rights.table(name)
        decided = {column: self.rights.column(name, column) for column in entry.columns if column in there}
        columns = [column for column, found in decided.items() if found.is_allowed or found.figures_only]
        if decision.figures_only and (person := person_column(entry)) is not None:
            columns = [*columns, person]  # customers are counted by it; no dimension may show it
        tests = [
            f"cast({quoted(column)} as varchar) in ({', '.join(text(value) for value in values)})"
            for column, values in decision.rows.items()
        ]
        shown = ", ".join(quoted(column) for column in columns)
        return f"select {shown} from {name} where {' and '.join(tests) or 'true'}"


def suppressed(
    groups: list[dict[str, Any]], customers: Mapping[tuple[Any, ...], int], keys: Iterable[str], smallest: int
) -> set[tuple[Any, ...]]:
    """Name the groups whose figures stay hidden: those of too few customers.

    One hidden group alone could be had as the total less all others, so that the next smallest is hidden with it.
    """
    keys = list(keys)
    counted = {key: customers.get(key, 0) for key in (tuple(group[k] for k in keys) for group in groups)}
    hidden = {key for key, number in counted.items() if number < smallest}
    shown = sorted((number, str(key), key) for key, number in counted.items() if key not in hidden)
    if len(hidden) == 1 and shown:
        hidden.add(shown[0][2])
    return hidden
