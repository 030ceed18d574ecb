"""The dbt project with the teams' marts, compiled once for these tests."""

from __future__ import annotations

import pytest

from tests.warehouse.conftest import compiled
from tests.warehouse.lab import Compiled, Lab


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """All models with default settings."""
    return compiled(tmp_path_factory.mktemp("dbt"), marts=True)


@pytest.fixture
def lab(project: Compiled) -> Lab:
    """An empty lake."""
    return Lab(project)
