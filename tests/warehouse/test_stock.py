"""Stock: intervals, the state at each day's end, movements."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.lab import Compiled, Lab, Row
from tests.warehouse.test_order_and_split import QUICK
from tests.warehouse.test_order_and_split import count as random_count

START = dt.datetime(2026, 3, 2)
HOLD = dt.timedelta(hours=26)


def count(hours: float, level: int, threshold: int | None = 5, **more: int) -> Row:
    return {
        "inventory_id": 1,
        "product_id": 1,
        "warehouse_id": 1,
        "stock_level": level,
        "restock_threshold": threshold,
        "last_updated": START + dt.timedelta(hours=hours),
        **more,
    }


def hours(moment: dt.datetime | None) -> float | None:
    return None if moment is None else (moment - START) / dt.timedelta(hours=1)


def test_a_level_holds_until_the_next_count_and_for_26_hours_at_most(lab: Lab) -> None:
    lab.land("inventory", [count(8, 10), count(20, 4), count(60, 9)])
    lab.run()
    rows = lab.table("fct_stock_levels")
    assert [(hours(r["observed_at"]), hours(r["held_until"])) for r in rows] == [(8, 20), (20, 46), (60, 86)]
    assert [(r["previous_level"], hours(r["previous_observed_at"])) for r in rows] == [(None, None), (10, 8), (4, 20)]


def test_a_late_count_shortens_the_interval_before_it(lab: Lab) -> None:
    lab.land("inventory", [count(23, 10), count(72, 3)])
    lab.run()
    lab.land("inventory", [count(25, 8)])
    lab.run()
    rows = lab.table("fct_stock_levels")
    assert [hours(r["held_until"]) for r in rows] == [25, 51, 98]
    assert [r["previous_level"] for r in rows] == [None, 10, 8]


def test_of_counts_at_one_instant_the_highest_inventory_id_stands(lab: Lab) -> None:
    lab.land("inventory", [count(8, 10, inventory_id=3), count(8, 7, inventory_id=4)])
    lab.land("inventory", [count(8, 12, inventory_id=1)])
    lab.run()
    assert [r["stock_level"] for r in lab.table("fct_stock_levels")] == [7]


def test_a_pair_without_counts_keeps_its_state_day_after_day(lab: Lab) -> None:
    lab.land("inventory", [count(8, 3), count(8, 10, product_id=2)])
    lab.run()
    lab.land("inventory", [count(24 * 40 + 8, 9, product_id=2)])
    lab.run()
    rows = [r for r in lab.table("fct_stock_closing") if r["product_id"] == 1]
    assert len(rows) == 41
    assert {(r["closing_level"], r["stock_state"], hours(r["state_since"])) for r in rows} == {(3, "low", 8)}


def test_the_first_count_after_a_long_silence_knows_the_level_before(lab: Lab) -> None:
    lab.land("inventory", [count(8, 3), count(8, 10, product_id=2)])
    lab.run()
    lab.land("inventory", [count(24 * 40, 9, product_id=2)])
    lab.run()
    lab.land("inventory", [count(24 * 41, 20)])
    lab.run()
    movement = [r for r in lab.table("fct_stock_movements") if r["product_id"] == 1]
    assert [(r["from_level"], r["to_level"], r["is_restock_from_low"]) for r in movement] == [(3, 20, True)]


@pytest.mark.parametrize(
    ("level", "threshold", "state"),
    [(-3, 5, "out"), (0, None, "out"), (1, 5, "low"), (5, 5, "low"), (6, 5, "ok"), (1, None, "ok"), (1, 0, "ok")],
)
def test_the_state_of_a_level(lab: Lab, level: int, threshold: int | None, state: str) -> None:
    lab.land("inventory", [count(8, level, threshold)])
    lab.run()
    assert [r["stock_state"] for r in lab.table("fct_stock_closing")] == [state]


def test_a_state_lasts_since_the_count_that_began_it(lab: Lab) -> None:
    lab.land("inventory", [count(8, 10), count(20, 4), count(30, 3), count(50, 0), count(60, -1)])
    lab.run()
    assert [(r["stock_state"], hours(r["state_since"])) for r in lab.table("fct_stock_closing")] == [
        ("low", 20),
        ("low", 20),
        ("out", 50),
    ]


def test_restocks_are_rises_wherever_stock_stood(lab: Lab) -> None:
    levels = [10, 8, 9, 3, 3, 7, -2, -1, 0, 4]
    lab.land("inventory", [count(6 * n, level) for n, level in enumerate(levels)])
    lab.run()
    rows = lab.table("fct_stock_movements")
    moved = [(r["from_level"], r["to_level"], r["units_moved"], r["is_restock"]) for r in rows]
    assert moved == [
        (10, 8, -2, False),
        (8, 9, 1, True),
        (9, 3, -6, False),
        (3, 7, 4, True),
        (7, 0, -7, False),
        (0, 4, 4, True),
    ]
    assert [r["is_restock_from_low"] for r in rows] == [False, False, False, True, False, True]
    assert [hours(r["previous_restock_at"]) for r in rows] == [None, None, 12, 12, 30, 30]


def test_the_first_count_of_a_pair_is_no_restock(lab: Lab) -> None:
    lab.land("inventory", [count(0, 9)])
    lab.run()
    lab.land("inventory", [count(24 * 9, 4)])
    lab.run()
    assert [r["previous_restock_at"] for r in lab.table("fct_stock_movements")] == [None]
    assert {r["last_restock_at"] for r in lab.table("fct_stock_closing")} == {None}


def test_the_previous_restock_is_known_across_builds(lab: Lab) -> None:
    lab.land("inventory", [count(0, 3), count(6, 9), count(24 * 20, 4)])
    lab.run()
    lab.land("inventory", [count(24 * 30, 12)])
    lab.run()
    assert hours(lab.table("fct_stock_movements")[-1]["previous_restock_at"]) == 6


def test_a_restatement_that_ends_earlier_takes_the_last_days_back(lab: Lab) -> None:
    lab.land("inventory", [count(8, 3)])
    lab.land("inventory", [count(100, 4)], name="late")
    lab.run()
    assert len(lab.table("fct_stock_closing")) == 5
    lab.land("inventory", [count(30, 4)], name="late")
    lab.run()
    assert [r["stock_date"].day for r in lab.table("fct_stock_closing")] == [2, 3]


def test_warehouses_and_products_of_counts_are_in_the_dimensions(lab: Lab) -> None:
    lab.land("inventory", [count(8, 3, product_id=9, warehouse_id=4)])
    lab.run()
    assert [row["product_name"] for row in lab.table("dim_product")] == ["Product 9"]
    assert [row["warehouse_name"] for row in lab.table("dim_warehouse")] == ["Warehouse 4"]


def expected_movements(counts: list[Row]) -> list[tuple[int, dt.datetime, int, int, dt.datetime | None]]:
    """Walk each pair's counts in time: (product, moved at, from, to, previous restock)."""
    best: dict[tuple[int, dt.datetime], Row] = {}
    for row in sorted(counts, key=lambda r: (r["inventory_id"], -r["stock_level"])):
        best[row["product_id"], row["last_updated"]] = row
    found, level, restocked = [], dict[int, int](), dict[int, dt.datetime]()
    for (product, moment), row in sorted(best.items(), key=lambda item: item[0][1]):
        now = max(row["stock_level"], 0)
        before = level.get(product)
        if before is not None and now != before:
            found.append((product, moment, before, now, restocked.get(product)))
            if now > before:
                restocked[product] = moment
        level[product] = now
    return sorted(found, key=lambda row: row[:2])


@given(seed=st.integers(0, 10**6))
@QUICK
def test_movements_agree_with_a_walk_over_the_counts(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    counts = [random_count(rng) for _ in range(60)]
    lab = Lab(project)
    lab.land("inventory", counts)
    lab.run()
    rows = lab.table("fct_stock_movements")
    names = ("product_id", "moved_at", "from_level", "to_level", "previous_restock_at")
    assert sorted((tuple(r[n] for n in names) for r in rows), key=lambda r: r[:2]) == expected_movements(counts)
