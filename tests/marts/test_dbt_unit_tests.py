"""The models' own unit tests hold, run by dbt on a real DuckDB in which every table stands empty."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import pytest

from shoplake.pipeline.workspace import Current
from tests.warehouse.conftest import dbt

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TESTED = {
    "fct_web_sessions",
    "fct_stock_levels",
    "fct_stock_movements",
    "fct_support_cases",
    "mart_marketing__customer_day",
}


class EmptyTables:
    """Gives dbt's database each source and model as an empty table, from which unit tests take their column types."""

    def __init__(self, manifest: Any) -> None:
        models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
        self.tables = {(node.schema, node.name): node.columns for node in [*models, *manifest.sources.values()]}
        self.tables |= {("previous", node.name): node.columns for node in models}
        self._lock, self._is_done = Lock(), False

    def prepare(self, database: DuckDBPyConnection) -> None:
        """Make the tables once, whichever of dbt's threads comes first."""
        with self._lock:
            if self._is_done:
                return
            cursor = database.cursor()
            for schema in sorted({schema for schema, _ in self.tables}):
                cursor.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
            for (schema, name), columns in self.tables.items():
                typed = ", ".join(f'"{column.name}" {column.data_type}' for column in columns.values())
                cursor.execute(f"create table {schema}.{name} ({typed})")
            self._is_done = True


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What dbt found, one result for each unit test."""
    folder = tmp_path_factory.mktemp("unit")
    manifest = dbt(folder, "parse").result
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Current, "workspace", EmptyTables(manifest))
        return dbt(folder, "test", "--select", "test_type:unit").result.results


def test_unit_tests_hold(results: Any) -> None:
    assert {r.node.name: r.message for r in results if str(r.status) != "pass"} == {}


def test_models_with_logic_over_rows_are_tested(results: Any) -> None:
    assert {r.node.tested_node_unique_id.split(".")[-1] for r in results} == TESTED


def test_dbt_opens_its_database_without_a_workspace(tmp_path: Path) -> None:
    assert Current.workspace is None
    assert dbt(tmp_path, "show", "--inline", "select 42 as answer").success
