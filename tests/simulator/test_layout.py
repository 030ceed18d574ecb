"""Which files are written, how many rows they hold, and how a world is scaled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shoplake.contracts import load_contracts
from shoplake.settings import load_settings
from shoplake.simulator import World
from shoplake.simulator.__main__ import main
from tests.simulator.conftest import Small

ASKED = {"pos": 9_000, "inventory": 9_000, "web_events": 6_000, "interactions": 3_000}
NAMES = {
    "pos": r"pos_2026-01-0[1-6]\.csv",
    "inventory": r"inventory_2026-01-0[1-6]T([01]\d|2[0-3])\.csv",
    "web_events": r"web_events_2026-01-0[1-6]\.jsonl",
    "interactions": r"interactions_2026-01-0[1-6]\.jsonl",
    "stores": r"stores\.csv",
    "products": r"products\.csv",
    "warehouses": r"warehouses\.csv",
    "later/pos": r"pos_2026-01-04\.csv",
}


def test_each_source_has_a_folder_with_files_named_by_their_time(small: Small) -> None:
    assert set(small.written.files) == set(NAMES)
    for source, pattern in NAMES.items():
        names = {path.name for path in small.written.files[source]}
        assert all(re.fullmatch(pattern, name) for name in names), (source, names)
        assert names == {path.name for path in (small.folder / source).iterdir()}
    files = {source: len(paths) for source, paths in small.written.files.items()}
    assert files["pos"] == files["web_events"] == files["interactions"] == 6
    assert files["inventory"] == 6 * 24


@pytest.mark.parametrize("source", ["pos", "inventory", "web_events", "interactions"])
def test_each_source_has_nearly_the_rows_that_were_asked_for(small: Small, source: str) -> None:
    rows = sum(len(lines) for lines in small.lines(source).values())
    assert rows == small.written.rows[source]
    assert rows == pytest.approx(ASKED[source], rel=0.04)


def test_the_columns_are_those_of_the_contracts(small: Small, tmp_path: Path) -> None:
    contracts = load_contracts(load_settings(tmp_path))
    for source in NAMES:
        if source in contracts:
            fields = [field.name for field in contracts[source].fields]
            is_json = source in {"web_events", "interactions"}
            rows = small.json(source) if is_json else small.csv(source)
            assert list(rows[0])[: len(fields)] == fields


def test_reference_files_name_every_id_that_is_sold_and_counted(small: Small) -> None:
    stores = {row["store_id"] for row in small.csv("stores")}
    warehouses = {row["warehouse_id"] for row in small.csv("warehouses")}
    products = {row["product_id"] for row in small.csv("products")}
    assert {row["warehouse_id"] for row in small.csv("stores") if row["warehouse_id"]} <= warehouses
    assert {row["store_id"] for row in small.csv("pos") if re.fullmatch(r"[1-9]\d*", row["store_id"])} <= stores
    for source in ("pos", "inventory"):
        sold = {row["product_id"] for row in small.csv(source)}
        assert {product for product in sold if re.fullmatch(r"[1-9]\d*", product)} <= products


def test_products_have_small_numbers_and_valid_barcodes_and_some_lack_a_cost(
    write: Callable[[World, str], Small],
) -> None:
    world = replace(World(), days=1, products=400, warehouses=1, sale_lines=10, inventory_rows=10, web_events=10)
    rows = write(replace(world, interactions=10, stores=2, customers=20), "range").csv("products")
    ids = {int(row["product_id"]) for row in rows}
    barcodes = [f"{number}" for number in ids if number > 10**12]
    assert 100 < len(barcodes) < 300
    for barcode in barcodes:
        assert sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(barcode)) % 10 == 0
    assert 0 < sum(not row["unit_cost"] for row in rows) < 0.05 * len(rows)


def test_scaling_multiplies_rows_and_lets_shops_grow_more_slowly() -> None:
    ten = World().scaled(10)
    assert (ten.sale_lines, ten.inventory_rows) == (15_000_000, 22_000_000)
    assert (ten.web_events, ten.interactions, ten.customers) == (4_000_000, 400_000, 200_000)
    assert World().stores < ten.stores < 10 * World().stores
    assert World().scaled(1) == World()


@pytest.mark.parametrize("factor", [0.001, 0.01, 0.1, 0.5, 3, 10, 100])
def test_a_scaled_world_has_room_to_count_every_pair_daily(factor: float) -> None:
    world = World().scaled(factor)
    if factor >= 0.01:
        assert world.products * world.warehouses * world.days <= 0.7 * world.inventory_rows
    assert world.stores >= 3
    assert world.products >= 10


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_factor_that_makes_no_world_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        World().scaled(factor)


def test_a_world_without_stores_is_refused() -> None:
    with pytest.raises(ValueError, match="stores of 1 or more, not 0"):
        World(stores=0)


@pytest.mark.parametrize("days", [1, 2])
def test_a_world_of_one_row_a_source_can_be_written(write: Callable[[World, str], Small], days: int) -> None:
    least = World(
        days=days,
        stores=1,
        warehouses=1,
        products=1,
        sale_lines=1,
        inventory_rows=1,
        web_events=1,
        interactions=1,
        customers=1,
    )
    written = write(least, "least").written
    assert len(written.files["pos"]) == days
    assert written.rows["inventory"] == days


def test_a_day_without_events_has_no_file_and_a_day_without_sales_a_header(
    write: Callable[[World, str], Small],
) -> None:
    quiet = World(
        days=5,
        stores=1,
        warehouses=1,
        products=1,
        sale_lines=1,
        inventory_rows=1,
        web_events=1,
        interactions=1,
        customers=1,
    )
    written = write(quiet, "quiet").written
    assert 1 <= len(written.files["interactions"]) < 5
    assert all(path.stat().st_size for paths in written.files.values() for path in paths)
    sold = [path.read_text("utf-8").count("\n") for path in written.files["pos"]]
    assert sorted(sold) == [1, 1, 1, 1, 2]


def test_the_command_tells_progress_and_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "out"), "--scale", "0.0005", "--seed", "3"]) == 0
    told = capsys.readouterr()
    assert "pos: 7" in told.out
    assert told.err.splitlines()[-1].startswith("2026-03-01: ")
    assert (tmp_path / "out" / "web_events" / "web_events_2026-03-01.jsonl").exists()


def test_the_command_refuses_a_scale_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), "--scale", "0"])
    assert ended.value.code == 2
    assert "above 0" in capsys.readouterr().err
