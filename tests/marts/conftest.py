"""The dbt project with the teams' marts, compiled once for these tests."""

from __future__ import annotations

import pytest

from tests.warehouse.conftest import all_models
from tests.warehouse.lab import Compiled, Lab


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Compiled:
    """All models with default settings."""
    return all_models(tmp_path_factory, worker_id)


@pytest.fixture
def lab(project: Compiled) -> Lab:
    """An empty lake."""
    return Lab(project)
