"""A small warehouse with all marts, and a way to ask KPIs of it without keys."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from shoplake.access.kpi import answer_on, load_kpis
from shoplake.access.kpi_answer import KpiAnswer
from shoplake.access.kpi_window import Clock, parse_day
from shoplake.cli.output import plain
from shoplake.pipeline.manifest import Manifest, Table
from tests.access.released import own_released, released
from tests.warehouse.conftest import all_models
from tests.warehouse.lab import Compiled, Lab, Row

__all__ = ["own_released", "released"]
LATER = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


@dataclass
class KpiLab:
    """A lake of small files, built once, then asked."""

    lab: Lab
    created_at: dt.datetime = LATER
    """When the release is made; on the last day of the data, that day is still running."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of the manifest to replace."""

    def land(self, source: str, rows: list[Row]) -> None:
        """Land rows as one file of a source."""
        if rows:
            self.lab.land(source, rows)

    def ask(self, name: str, *, from_: str | None = None, to: str | None = None, **asked: Any) -> KpiAnswer:
        """Ask a KPI of the release."""
        if self.lab.scratch is None:
            self.lab.run()
        assert self.lab.scratch is not None
        kpi, manifest = load_kpis()[name], self.manifest()
        window = Clock(manifest).window(kpi.sources, parse_day(from_, "--from"), parse_day(to, "--to"))
        return answer_on(self.lab.scratch, manifest, kpi, window=window, **asked)

    def manifest(self) -> Manifest:
        """Describe the release as publishing does: with each model's SQL under bare table names."""
        project, made = self.lab.project, self.lab._manifest
        assert made is not None
        tables = {
            model.name: Table(
                model.database,
                dict(model.columns),
                model.partition_by,
                made.tables[model.name].partitions if model.name in made.tables else (),
                bare(project, model.name),
            )
            for model in project.graph.tables()
        }
        return msgspec.structs.replace(made, tables=tables, created_at=self.created_at, **self.changes)


def bare(project: Compiled, name: str) -> str:
    """Give a model's SQL as a manifest keeps it."""
    sql = project.sql[name]
    for schema in {model.database for model in project.graph.models.values()} | {"plan"}:
        sql = sql.replace(f'"memory"."{schema}".', "")
    return sql


def printed(answer: KpiAnswer) -> dict[str, Any]:
    """Give an answer as a program reads it from the command line."""
    shown: dict[str, Any] = json.loads(json.dumps(answer.as_dict(), default=plain, allow_nan=False))
    return shown


@pytest.fixture(scope="session")
def mart_project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Compiled:
    """All models with default settings."""
    return all_models(tmp_path_factory, worker_id)


@pytest.fixture
def kpis(mart_project: Compiled) -> KpiLab:
    """An empty lake to land in and to ask."""
    return KpiLab(Lab(mart_project))
