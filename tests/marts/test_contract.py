"""What every model promises: a grain, a key, documented columns, and just the types that it declares."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.warehouse.conftest import dbt
from tests.warehouse.lab import Lab
from tests.warehouse.test_order_and_split import ADVISORY, some_rows

KEY_TESTS = {"unique_combination", "counted_once"}
MARTS = {"sales", "marketing", "operations", "support", "finance"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """dbt's own description of the project."""
    return dbt(tmp_path_factory.mktemp("parse"), "parse").result


@pytest.fixture(scope="module")
def models(manifest: Any) -> list[Any]:
    """All models, of which there are some in the warehouse and in each mart."""
    found = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    assert {"warehouse", *MARTS} == {node.schema for node in found}
    return found


def test_every_model_states_its_grain(models: list[Any]) -> None:
    assert [node.name for node in models if not node.description.startswith("One row per ")] == []


def test_every_column_is_documented_and_typed(models: list[Any]) -> None:
    columns = [(node.name, column) for node in models for column in node.columns.values()]
    assert [(name, c.name) for name, c in columns if not c.description.strip() or not c.data_type] == []


def test_every_contract_is_enforced(models: list[Any]) -> None:
    assert [node.name for node in models if not node.config.contract.enforced or not node.columns] == []


def test_every_table_has_a_key_test(manifest: Any, models: list[Any]) -> None:
    tests = [node for node in manifest.nodes.values() if node.resource_type == "test"]
    keyed = {node.attached_node for node in tests if node.test_metadata and node.test_metadata.name in KEY_TESTS}
    tables = [node for node in models if node.config.materialized == "partitioned"]
    assert [node.name for node in tables if node.unique_id not in keyed] == []


def test_mart_names_start_with_their_team(models: list[Any]) -> None:
    marts = [node for node in models if node.schema in MARTS]
    assert [node.name for node in marts if not node.name.startswith(f"mart_{node.schema}__")] == []


def test_no_column_is_wider_than_a_reader_expects(models: list[Any]) -> None:
    types = {column.data_type.upper() for node in models for column in node.columns.values()}
    known = {"VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "DECIMAL(18,2)"}
    assert types <= known


def test_built_tables_have_the_declared_columns(lab: Lab) -> None:
    for source, rows in some_rows(random.Random(1)).items():
        lab.land(source, rows)
    lab.run()
    assert lab.scratch is not None
    for name, model in lab.project.graph.models.items():
        found = lab.scratch.execute(f"describe {model.database}.{name}").fetchall()
        assert {column: kind for column, kind, *_ in found} == dict(model.columns), name
    assert lab.audit().keys() <= ADVISORY
