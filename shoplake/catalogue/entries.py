"""What is known of each source, table and KPI, as contracts, models and KPI files say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.access.catalogue import load_catalogue
from shoplake.catalogue.graph import Kind, Ref
from shoplake.catalogue.guards import Guard, guards_of_contract, guards_of_models
from shoplake.catalogue.units import unit_of
from shoplake.publication.descriptions import load_descriptions

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.contracts import Contract
    from shoplake.contracts.reader import Field
    from shoplake.pipeline.models import Model
    from shoplake.pipeline.project import Project

SOURCE, STAGING, CORE, KPI = "source", "staging", "core", "kpi"
WAREHOUSE = "warehouse"
ENGINEERS = "data engineering"
LAYER_PREFIX = re.compile(r"^(?:dim_|fct_|(?:stg|mart)_[a-z_]+?__)")


@dataclass(frozen=True)
class Column:
    """A column of a source or a table, or a definition of a KPI."""

    name: str
    type: str
    description: str
    unit: str = ""
    sensitivity: str = ""
    is_key: bool = False
    is_required: bool = False
    rule: str = ""
    """Range or list of values that a contract allows."""


@dataclass(frozen=True)
class Entry:
    """One source, table or KPI."""

    ref: Ref
    layer: str
    """`SOURCE`, `STAGING`, `CORE`, the name of a team (its mart), or `KPI`."""
    title: str
    """The name that queries use; of a KPI its title in English."""
    description: str
    owner: str
    columns: tuple[Column, ...]
    guards: tuple[Guard, ...] = ()
    sql: str = ""
    """What makes a table."""
    partition_by: str = ""
    is_released: bool = False
    """A table that releases hold: others are views that a build looks through."""

    @property
    def short_name(self) -> str:
        """Give the name without what says its layer, as people look for it."""
        return LAYER_PREFIX.sub("", self.ref.name)

    @property
    def kind(self) -> Kind:
        """Give the kind of thing that it is."""
        return self.ref.kind

    def column(self, name: str) -> Column | None:
        """Give a column."""
        return next((column for column in self.columns if column.name == name), None)


def source_entries(contracts: Mapping[str, Contract]) -> Iterator[Entry]:
    """Describe every source by its contract."""
    for contract in contracts.values():
        yield Entry(
            ref=Ref("source", contract.source),
            layer=SOURCE,
            title=contract.source,
            description=contract.purpose,
            owner=contract.owner,
            columns=tuple(_field(contract, field) for field in contract.fields),
            guards=guards_of_contract(contract),
        )


def table_entries(project: Project) -> Iterator[Entry]:
    """Describe every table and every staging view by its model."""
    guards, words = guards_of_models(project), load_descriptions()
    for model in project.graph.models.values():
        said = words[model.name]
        yield Entry(
            ref=Ref("table", model.name),
            layer=layer_of(model),
            title=f"{model.database}.{model.name}" if model.is_table else model.name,
            description=said.table,
            owner=ENGINEERS if model.database == WAREHOUSE else model.database,
            columns=tuple(_columns(model, said.columns)),
            guards=guards.get(model.name, ()),
            sql=project.sql[model.name].strip(),
            partition_by=model.partition_by or "",
            is_released=model.is_table,
        )


def kpi_entries(kpis: Mapping[str, Kpi]) -> Iterator[Entry]:
    """Describe every KPI by its file."""
    for kpi in kpis.values():
        yield Entry(
            ref=Ref("kpi", kpi.name),
            layer=KPI,
            title=kpi.title,
            description=kpi.question,
            owner=kpi.owner,
            columns=tuple(
                Column(name, "", one.title, unit=one.unit, rule=" ".join(one.value.split()))
                for name, one in kpi.definitions.items()
            ),
        )


def layer_of(model: Model) -> str:
    """Give the layer of a model: the staging views, the core, or a team's marts."""
    if not model.is_table:
        return STAGING
    return CORE if model.database == WAREHOUSE else model.database


def _field(contract: Contract, field: Field) -> Column:
    return Column(
        name=field.name,
        type=field.type,
        description=field.description,
        unit=field.unit or "",
        sensitivity=field.personal or field.sensitivity or "",
        is_key=field.name in contract.key,
        is_required=field.required,
        rule=_allowed(field),
    )


def _allowed(field: Field) -> str:
    if field.allowed:
        return ", ".join(field.allowed)
    if field.minimum is not None and field.maximum is not None:
        return f"{field.minimum:g} to {field.maximum:g}"
    if field.minimum is not None:
        return f"≥ {field.minimum:g}"
    return f"≤ {field.maximum:g}" if field.maximum is not None else ""


def _columns(model: Model, words: Mapping[str, str]) -> Iterator[Column]:
    released = load_catalogue().get(model.name)
    for name, kind in model.columns.items():
        tag = released.columns.get(name) if released else None
        yield Column(name, kind, words.get(name, ""), unit=unit_of(name, kind), sensitivity=tag or "")
