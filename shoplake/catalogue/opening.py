"""The catalogue as a whole: entries, what each is made of, and who uses it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.access.kpi_definition import Kpi, load_kpis
from shoplake.catalogue.entries import Entry, kpi_entries, source_entries, table_entries
from shoplake.catalogue.graph import Graph, Ref
from shoplake.catalogue.lineage import Lineage, load_lineage

if TYPE_CHECKING:
    from shoplake.settings import Settings

State = tuple[str, tuple[tuple[str, int], ...]]


@dataclass(frozen=True)
class Catalogue:
    """Everything that there is, by what queries and addresses call it."""

    entries: Mapping[Ref, Entry]
    kpis: Mapping[str, Kpi]
    wholes: Graph
    """Sources, tables and KPIs."""
    columns: Graph
    """Their columns, and the definitions of KPIs."""

    def find(self, kind: str, name: str) -> Entry | None:
        """Give an entry by its kind and name, as addresses have them."""
        return next((entry for ref, entry in self.entries.items() if ref == (kind, name, "")), None)

    def graph(self, ref: Ref) -> Graph:
        """Give the graph that a thing, or a column, stands in."""
        return self.columns if ref.column else self.wholes

    def sources_of(self, entry: Entry) -> list[str]:
        """Name the sources that something is made of."""
        if entry.kind == "kpi":
            return list(self.kpis[entry.ref.name].sources)
        return [one.name for one in [entry.ref, *self.wholes.upstream(entry.ref)] if one.kind == "source"]


def open_catalogue(settings: Settings) -> Catalogue:
    """Give the catalogue of a home; it is made anew only when models, KPIs or the home's own contracts change.

    Raises:
        BuildError: dbt cannot compile the models.
        ContractError: a contract cannot be read.

    """
    from shoplake.pipeline.project import load_project

    project = load_project(settings)
    own = sorted((settings.home / "contracts").glob("*.odcs.y*ml"))
    state = project.version, tuple((str(file), file.stat().st_mtime_ns) for file in own)
    with _opening:
        if state not in _opened:
            _opened.clear()
            _opened[state] = _open(settings)
        return _opened[state]


_opened: dict[State, Catalogue] = {}
_opening = threading.Lock()


def _open(settings: Settings) -> Catalogue:
    from shoplake.contracts import load_contracts
    from shoplake.pipeline.project import load_project

    project, kpis = load_project(settings), load_kpis()
    made = [*kpi_entries(kpis), *source_entries(load_contracts(settings)), *table_entries(project)]
    entries = {entry.ref: entry for entry in made}
    lineage = load_lineage(project, kpis)
    return Catalogue(entries, kpis, Graph(_wholes(lineage, entries)), Graph(_columns(lineage, entries)))


def _wholes(lineage: Lineage, entries: Mapping[Ref, Entry]) -> dict[Ref, tuple[Ref, ...]]:
    return {ref: tuple(one for one in inputs if one in entries) for ref, inputs in lineage.wholes}


def _columns(lineage: Lineage, entries: Mapping[Ref, Entry]) -> dict[Ref, tuple[Ref, ...]]:
    """Give the inputs of columns that the catalogue describes: not where in a file a row stood."""
    known = {ref._replace(column=column.name) for ref, entry in entries.items() for column in entry.columns}
    return {ref: tuple(one for one in inputs if one in known) for ref, inputs in lineage.columns}


def main() -> None:
    """Read the lineage of this installation's models, for all homes that keep to the default settings."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from shoplake.settings import load_settings

    with TemporaryDirectory() as folder:
        open_catalogue(load_settings(Path(folder)))


if __name__ == "__main__":
    main()
