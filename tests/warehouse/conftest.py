"""The dbt project, compiled once for all tests of the warehouse."""

from __future__ import annotations

import json
import os
import pickle
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shoplake.pipeline.models import ModelGraph
from tests.once import made_once
from tests.warehouse.lab import Compiled, Lab

PROJECT = Path(__file__).parents[2] / "shoplake"


def dbt(folder: Path, *args: str, variables: dict[str, Any] | None = None, profiles: Path = PROJECT) -> Any:
    """Run a dbt command on the project; what it writes goes to ``folder``."""
    from dbt.cli.main import dbtRunner

    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    fixed = ["--project-dir", str(PROJECT), "--profiles-dir", str(profiles), "--target-path", str(folder)]
    fixed += ["--log-path", str(folder), "--vars", json.dumps(variables or {})]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = dbtRunner().invoke(["--log-level", "none", *args, *fixed])
    assert outcome.exception is None, outcome.exception
    return outcome


def compiled(folder: Path, *, marts: bool = False, **variables: Any) -> Compiled:
    """Compile the core models, and the teams' marts when asked, with the given settings."""
    manifest = dbt(folder, "parse", variables=variables).result
    models = [n for n in manifest.nodes.values() if n.resource_type == "model"]
    chosen = [n.name for n in models if marts or n.schema == "warehouse"]
    outcome = dbt(folder, "compile", "--indirect-selection", "buildable", "--select", *chosen, variables=variables)
    assert outcome.success
    graph = ModelGraph({m.name: m for m in ModelGraph.from_dbt(models).models.values() if m.name in chosen})
    lake = {
        source.name: {column.name: column.data_type for column in source.columns.values()}
        for source in manifest.sources.values()
        if source.source_name == "lake"
    }
    nodes = [result.node for result in outcome.result.results]
    sql, audits = ({n.name: n.compiled_code for n in nodes if n.resource_type == k} for k in ("model", "test"))
    return Compiled(graph, sql, audits, lake, variables.get("timezone", "UTC"))


def all_models(factory: pytest.TempPathFactory, worker_id: str) -> Compiled:
    """Compile all models with default settings, once for all processes that run tests side by side."""

    def make(folder: Path) -> None:
        (folder / "models").write_bytes(pickle.dumps(compiled(folder, marts=True)))

    found: Compiled = pickle.loads((made_once(factory, worker_id, "compiled", make) / "models").read_bytes())  # noqa: S301 - our own
    return found


def core_of(project: Compiled) -> Compiled:
    """Give the core models alone, with the tests that read nothing else."""
    models = {name: model for name, model in project.graph.models.items() if model.database == "warehouse"}
    teams = {model.database for model in project.graph.models.values()} - {"warehouse"}
    audits = {n: sql for n, sql in project.audits.items() if not any(f'"{team}".' in sql for team in teams)}
    sql = {name: project.sql[name] for name in models}
    return replace(project, graph=ModelGraph(models), sql=sql, audits=audits)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Compiled:
    """The core models with default settings."""
    return core_of(all_models(tmp_path_factory, worker_id))


@pytest.fixture
def lab(project: Compiled) -> Lab:
    """An empty lake."""
    return Lab(project)
