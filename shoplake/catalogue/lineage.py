"""Where each column comes from: read out of the models' compiled SQL and the KPIs' files, once for each version.

Only what a column's value is made of counts: not what rows are chosen, joined or grouped by. What a model continues of
the release before (``previous``) and the plan of a build are no origins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from platformdirs import user_cache_path

from shoplake.catalogue.graph import Ref
from shoplake.catalogue.kpi_sql import kpi_tables, selects
from shoplake.files import durable_write

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.pipeline.project import Project

LAKE = "lake"
DIALECT = "duckdb"
DATABASE = "memory"
"""Where dbt compiles to."""
MADE_BY = (Path(__file__), Path(__file__).with_name("kpi_sql.py"))


class Lineage(msgspec.Struct, frozen=True):
    """Inputs of every column of a table and of every definition of a KPI, and of the tables and KPIs themselves."""

    digest: str
    """Of all that it was read from."""
    columns: list[tuple[Ref, list[Ref]]]
    wholes: list[tuple[Ref, list[Ref]]]


def load_lineage(project: Project, kpis: Mapping[str, Kpi], folder: Path | None = None) -> Lineage:
    """Give the lineage of a project and its KPIs; it is kept in the user's cache, as the compiled project is.

    Args:
        project: the compiled models.
        kpis: by name.
        folder: where it is kept, instead of there.

    """
    digest = _digest(project, kpis)
    place = (folder or user_cache_path("shoplake")) / f"lineage-{digest[:16]}.json"
    with suppress(OSError, msgspec.DecodeError):
        kept = msgspec.json.decode(place.read_bytes(), type=Lineage)
        if kept.digest == digest:
            return kept
    made = make_lineage(project, kpis, digest)
    with suppress(OSError):  # where it cannot be written, each process reads the SQL anew
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        durable_write(place, msgspec.json.encode(made))
    return made


def make_lineage(project: Project, kpis: Mapping[str, Kpi], digest: str = "") -> Lineage:
    """Read the lineage out of the SQL."""
    reader = _Reader(project)
    columns = [*reader.models(), *reader.kpis(kpis)]
    wholes = [(Ref("table", m.name), _parents(project, m.name)) for m in project.graph.models.values()]
    wholes += [(Ref("kpi", kpi.name), [Ref("table", name) for name in kpi_tables(kpi)]) for kpi in kpis.values()]
    return Lineage(digest, columns, wholes)


def _digest(project: Project, kpis: Mapping[str, Kpi]) -> str:
    digest = hashlib.sha256(f"{project.version} {version('sqlglot')}".encode())
    for kpi in kpis.values():
        digest.update(kpi.model_dump_json().encode())
    for file in MADE_BY:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _parents(project: Project, name: str) -> list[Ref]:
    model = project.graph[name]
    tables = [Ref("table", parent) for parent in model.parents if parent != name]
    return [*(Ref("source", source) for source in model.sources), *tables]


class _Reader:
    """Reads SQL over the tables that there are."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._models = project.graph.models
        self._schema = self._schema_of_models()

    def models(self) -> Iterator[tuple[Ref, list[Ref]]]:
        """Give the inputs of every column of every model."""
        for name, model in self._models.items():
            found = self._inputs(self._project.sql[name])
            yield from (
                (Ref("table", name, column), [one for one in found[column] if one.name != name])
                for column in model.columns
            )

    def kpis(self, kpis: Mapping[str, Kpi]) -> Iterator[tuple[Ref, list[Ref]]]:
        """Give the inputs of every definition of every KPI, over all marts that can answer it."""
        for kpi in kpis.values():
            found: dict[str, dict[Ref, None]] = {name: {} for name in kpi.definitions}
            for sql in selects(kpi):
                for name, inputs in self._inputs(sql).items():
                    found[name.removeprefix("value_")].update(dict.fromkeys(inputs))
            yield from ((Ref("kpi", kpi.name, name), list(inputs)) for name, inputs in found.items())

    def _inputs(self, sql: str) -> dict[str, list[Ref]]:
        """Give the columns that each column of a SELECT is made of."""
        from sqlglot import exp, parse_one
        from sqlglot.lineage import lineage
        from sqlglot.optimizer.qualify import qualify
        from sqlglot.optimizer.scope import build_scope

        tree = parse_one(sql, dialect=DIALECT)
        for table in tree.find_all(exp.Table):
            self._place(table)
        tree = qualify(tree, schema=self._schema, dialect=DIALECT, validate_qualify_columns=False)
        nodes = lineage(None, tree, self._schema, scope=build_scope(tree), dialect=DIALECT, trim_selects=False)
        return {name: list(dict.fromkeys(self._origins(node))) for name, node in nodes.items()}

    def _place(self, table: Any) -> None:  # noqa: ANN401 - the library's trees
        """Give a table that SQL names alone its database, where it is one of the models."""
        from sqlglot import exp

        model = self._models.get(table.name)
        if not table.db and model is not None:
            table.set("db", exp.to_identifier(model.database))
        if table.db and not table.catalog:
            table.set("catalog", exp.to_identifier(DATABASE))

    def _origins(self, node: Any) -> Iterator[Ref]:  # noqa: ANN401 - the library's nodes
        from sqlglot import exp

        for one in node.walk():
            if one.downstream or not isinstance(one.source, exp.Table):
                continue
            column = exp.to_column(one.name, dialect=DIALECT).name
            table, place = one.source.name, one.source.db
            if place == LAKE:
                yield Ref("source", table, column)
            elif table in self._models and place == self._models[table].database:
                yield Ref("table", table, column)

    def _schema_of_models(self) -> Any:  # noqa: ANN401 - the library's
        from sqlglot.schema import MappingSchema

        places: dict[str, dict[str, dict[str, str]]] = {"previous": {}, **_sources()}
        for model in self._models.values():
            places.setdefault(model.database, {})[model.name] = dict(model.columns)
            places["previous"][model.name] = dict(model.columns)
        return MappingSchema({DATABASE: places}, dialect=DIALECT)


def _sources() -> dict[str, dict[str, dict[str, str]]]:
    """Give the columns of what models read besides models, as their source files say."""
    from shoplake.files import read_yaml
    from shoplake.pipeline.project import PROJECT

    found: dict[str, dict[str, dict[str, str]]] = {}
    for file in sorted((PROJECT / "warehouse" / "staging").rglob("*.yml")):
        for source in read_yaml(file).get("sources", ()):
            tables = {t["name"]: {c["name"]: c["data_type"] for c in t["columns"]} for t in source["tables"]}
            found.setdefault(source.get("schema", source["name"]), {}).update(tables)
    return found
