"""A contract that gains a field still reads what landed before: null there, and notes keep their meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shoplake.access.kpi import answer
from shoplake.access.sql import query
from shoplake.contracts import reader
from shoplake.lake import browse, quarantine
from shoplake.lake.landing import land
from shoplake.pipeline.rotation import rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings

NOON = 1_772_366_400
OLD = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
NEW = "transaction_id,store_id,payment_type,product_id,quantity,revenue,discount_applied,timestamp\n"
LINES = 30
"""Enough good lines for a bad one among them to be within the limit."""


def old_file(folder: Path, *, first_quantity: int = 3) -> Path:
    lines = [f"T{n},1,2,3,9.99,,{NOON + n}" for n in range(LINES)]
    lines[0] = f"T0,1,2,{first_quantity},9.99,,{NOON}"
    lines[1] = f"T1,1,2,0,9.99,,{NOON}"
    lines[2] = f" T2,1.0,2,3,9.999,,{NOON}"
    lines[3] = f"T1,1,2,4,9.99,,{NOON}"
    lines.append(f"BAD,1,2,x,9.99,,{NOON}")
    path = folder / "old.csv"
    path.write_text(OLD + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def new_file(folder: Path) -> Path:
    lines = [f"N{n},1,card,2,3,9.99,,{NOON + n}" for n in range(LINES)]
    lines[0] = f"N0,1,shells,2,3,9.99,,{NOON}"
    lines[1] = f"N1,1,,2,0,9.99,,{NOON}"
    lines[2] = f"T20,1,cash,2,3,9.99,,{NOON + 20}"
    path = folder / "new.csv"
    path.write_text(NEW + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def gain_a_field(settings: Settings) -> None:
    """Put a field amid the others, so that every bit after it moves; its unknown values are a warning."""
    contract: dict[str, Any] = yaml.safe_load((reader.PACKAGED / "pos.odcs.yaml").read_text(encoding="utf-8"))
    contract["version"] = "1.1.0"
    field = {
        "name": "payment_type",
        "logicalType": "string",
        "physicalType": "string",
        "required": False,
        "enum": [{"value": "card"}, {"value": "cash"}],
        "customProperties": [{"property": "enumSeverity", "value": "warning"}],
    }
    contract["schema"][0]["properties"].insert(2, field)
    (settings.home / "contracts" / "pos.odcs.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")


def shown(settings: Settings) -> dict[tuple[str, int], dict[str, Any]]:
    found = browse.show_rows(settings, "pos")
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    return {(row["_file"], row["_line"]): row for row in rows}


@pytest.fixture(scope="module")
def once_grown(module_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a home that released a file of the old contract, then landed one of the new; no test changes it."""
    folder = tmp_path_factory.mktemp("files")
    assert [f.status for f in land(module_home, "pos", [old_file(folder)])] == ["landed"]
    assert run(module_home).published
    gain_a_field(module_home)
    (landed,) = land(module_home, "pos", [new_file(folder)])
    assert (landed.status, landed.warnings) == ("landed", {"payment_type:unknown_value": 1, "zero_quantity": 1})
    return module_home


@pytest.fixture
def grown(once_grown: Settings, copied: Callable[[Settings], Settings]) -> Settings:
    """Give a copy of that home."""
    return copied(once_grown)


def test_rows_from_before_have_null_and_keep_their_notes(grown: Settings) -> None:
    rows = shown(grown)
    assert len(rows) == 2 * LINES
    assert {row["payment_type"] for (file, _), row in rows.items() if file == "old.csv"} == {None}
    notes = {place: row["_notes"] for place, row in rows.items() if row["_notes"]}
    assert notes == {
        ("old.csv", 3): ["zero_quantity", "key_conflict"],
        ("old.csv", 4): ["transaction_id:repaired", "store_id:repaired", "fraction_of_a_cent"],
        ("old.csv", 5): ["key_conflict"],
        ("new.csv", 2): ["payment_type:unknown_value"],
        ("new.csv", 3): ["zero_quantity"],
    }
    assert rows["new.csv", 2]["payment_type"] == "shells"
    assert rows["new.csv", 4]["payment_type"] == "cash"


def test_runs_build_on_both_and_count_a_line_that_came_in_both_once(grown: Settings) -> None:
    expected = [(2 * LINES - 1, 2)]
    count = "select count(*), count(*) filter (where is_conflict) from warehouse.fct_sale_lines"
    assert run(grown).published
    assert query(grown, count).rows == expected
    assert run(grown, rebuild=True, full_audit=True).published
    assert query(grown, count).rows == expected
    rotate(grown)
    assert len(shown(grown)) == 2 * LINES


def test_a_file_from_before_can_be_restated_and_its_quarantine_replayed(grown: Settings, tmp_path: Path) -> None:
    (row,) = quarantine.list_rows(grown)
    (replayed,) = quarantine.replay(grown, edits={row.id: f"GOOD,1,2,3,9.99,,{NOON}"})
    assert replayed.rows_landed == 1
    assert shown(grown)["old.csv", LINES + 2]["payment_type"] is None
    (restated,) = land(grown, "pos", [old_file(tmp_path, first_quantity=5)])
    assert restated.status == "restated"
    assert run(grown).published
    assert answer(grown, "total_sales", definition="units").total.value == (3 * LINES - 3 + 1 + 2) + (3 * LINES - 3) - 3


def test_a_contract_may_lose_the_field_again(grown: Settings) -> None:
    (grown.home / "contracts" / "pos.odcs.yaml").unlink()
    rows = shown(grown)
    assert "payment_type" not in rows["new.csv", 2]
    assert rows["new.csv", 2]["_notes"] == []
    assert rows["new.csv", 3]["_notes"] == ["zero_quantity"]
    assert rows["old.csv", 4]["_notes"] == ["transaction_id:repaired", "store_id:repaired", "fraction_of_a_cent"]
