"""The models as a graph: what each table is made of, and how a change of its inputs spreads to its days."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shoplake.errors import BuildError


@dataclass(frozen=True)
class Spread:
    """How changed days of the inputs become touched days of a table (``meta.touches``)."""

    before: int = 0
    """Days before each changed day that may change too."""
    after: int = 0
    to_latest: bool = False
    """Every day from the first touched one to the latest may change: state is carried forward."""
    since_watermark: str | None = None
    """Count from this source's previous watermark, if that is earlier: what ran there then goes on."""
    while_running: bool = False
    """Earlier partitions whose latest ``span_end`` reaches the first changed day change too."""


@dataclass(frozen=True)
class Model:
    """One dbt model, reduced to what planning and publishing need."""

    name: str
    database: str
    is_table: bool
    """False for staging models, which are views over the lake."""
    partition_by: str | None
    columns: Mapping[str, str]
    parents: tuple[str, ...]
    sources: tuple[str, ...]
    spread: Spread = Spread()
    reads_before: int = 0
    """Days around its own days for which it reads its inputs (``meta.reads``)."""
    reads_after: int = 0
    previous: Mapping[str, int] = field(default_factory=dict)
    """Tables of the last release that it continues, and for how many days before its first touched one."""
    accumulates: bool = False
    """It adds to its last release what its inputs show; after a removal it is made from everything."""
    span_end: str | None = None
    lasts: str | None = None
    """Setting that says for how many days its rows last; only the release that is served holds any."""
    opens: Mapping[str, str] = field(default_factory=dict)
    """Columns with words of persons in clear, each with the column that says whose they are."""

    @property
    def key_name(self) -> str:
        """Name the data key of the table's files: each table has its own, so that it can be seen without others."""
        return f"{self.database}.{self.name}"


class ModelGraph:
    """All models in the order in which they are built."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        """Order ``models``; parents come first."""
        order = graphlib.TopologicalSorter({m.name: m.parents for m in models.values()}).static_order()
        self.models = {name: models[name] for name in order}

    def __getitem__(self, name: str) -> Model:
        """Give the model of that name."""
        return self.models[name]

    def tables(self) -> list[Model]:
        """List the models that are released, parents first."""
        return [model for model in self.models.values() if model.is_table]

    def lake_sources(self) -> set[str]:
        """Name the lake sources that any model reads."""
        return {source for model in self.models.values() for source in model.sources}

    def read_together(self, sources: Collection[str]) -> frozenset[str]:
        """Give ``sources``, and those that a model reads from the lake which is made of any of them too.

        What is made of these sources can be made anew while the tables of all others stay as they are.
        """
        found = frozenset(sources)
        while True:
            fed = set[str]()
            for model in self.models.values():
                if found.intersection(model.sources) or fed.intersection(model.parents):
                    fed.add(model.name)
            wider = found.union(*(self._read_by(name) for name in fed))
            if wider == found:
                return found
            found = wider

    def _read_by(self, name: str) -> frozenset[str]:
        """Name the lake sources that a model reads, directly or through views."""
        model = self.models[name]
        views = [parent for parent in model.parents if not self.models[parent].is_table]
        return frozenset(model.sources).union(*(self._read_by(view) for view in views))

    def views_of(self, tables: Iterable[str]) -> list[str]:
        """Name the views that ``tables`` are made of, directly or through others."""
        found: dict[str, None] = {}
        waiting = list(tables)
        while waiting:
            views = [p for p in self.models[waiting.pop()].parents if not self.models[p].is_table and p not in found]
            found |= dict.fromkeys(views)
            waiting += views
        return list(found)

    @classmethod
    def from_dbt(cls, nodes: Iterable[Any]) -> ModelGraph:
        """Read the graph out of dbt's nodes.

        Raises:
            BuildError: a model's ``meta`` has a key that planning does not know.

        """
        return cls({node.name: _model(node) for node in nodes if getattr(node, "resource_type", "") == "model"})


def _model(node: Any) -> Model:  # noqa: ANN401 - dbt's node classes are not typed
    config, meta = node.config, dict(node.config.meta)
    reads = meta.pop("reads", {})
    parts = [unique_id.split(".") for unique_id in node.depends_on.nodes]
    try:
        return Model(
            name=node.name,
            database=node.schema,
            is_table=config.materialized == "partitioned",
            partition_by=config.get("partition_by"),
            columns={c.name: (c.data_type or "").upper() for c in node.columns.values()},
            parents=tuple(p[-1] for p in parts if p[0] == "model"),
            sources=tuple(p[-1] for p in parts if p[0] == "source" and p[-2] == "lake"),
            spread=Spread(**meta.pop("touches", {})),
            reads_before=reads.get("before", 0),
            reads_after=reads.get("after", 0),
            **meta,
        )
    except TypeError as error:
        raise BuildError(
            f"Model {node.name}: its meta has a key that planning does not know ({error}).",
            hint="Known: touches, reads, previous, accumulates, span_end; see docs/operations.md.",
        ) from error
