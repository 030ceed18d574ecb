"""The models' own unit tests hold, run by dbt on a real DuckDB in which every table stands empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.marts import empty_tables
from tests.warehouse.conftest import dbt

TESTED = {
    "fct_web_sessions",
    "fct_stock_levels",
    "fct_stock_movements",
    "fct_support_cases",
    "mart_marketing__customer_day",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What dbt found, one result for each unit test."""
    folder = tmp_path_factory.mktemp("unit")
    manifest = dbt(folder, "parse").result
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(empty_tables.Plugin, "manifest", manifest)
        profiles = Path(empty_tables.__file__).parent
        return dbt(folder, "test", "--select", "test_type:unit", profiles=profiles).result.results


def test_unit_tests_hold(results: Any) -> None:
    assert {r.node.name: r.message for r in results if str(r.status) != "pass"} == {}


def test_models_with_logic_over_rows_are_tested(results: Any) -> None:
    assert {r.node.tested_node_unique_id.split(".")[-1] for r in results} == TESTED
