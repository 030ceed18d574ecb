"""Levels fall by sales and rise by deliveries, and every pair is counted daily."""

from __future__ import annotations

from itertools import groupby, pairwise

from tests.simulator.conftest import Small

Count = tuple[int, int, int, int]
DAY = 86_400


def test_every_pair_is_counted_each_day_and_the_busy_ones_more_often(small: Small, counts: list[Count]) -> None:
    start = small.world.midnight(0)
    days = {(product, warehouse, (second - start) // DAY) for product, warehouse, _, second in counts}
    every = 60 * 3 * 6
    # The rest went to the few rows that cannot be read plainly.
    assert 0.95 * every < sum(1 for _, _, day in days if 0 <= day < 6) <= every
    assert len(counts) > 5 * every


def test_counts_of_a_pair_are_at_most_a_little_more_than_a_day_apart(counts: list[Count]) -> None:
    gaps = [b[3] - a[3] for _, own in groupby(counts, key=lambda c: c[:2]) for a, b in pairwise(own)]
    assert sum(gap > 26 * 3600 for gap in gaps) < 0.005 * len(gaps)


def test_levels_fall_in_small_steps_and_rise_in_large_ones(counts: list[Count]) -> None:
    steps = [b[2] - a[2] for _, own in groupby(counts, key=lambda c: c[:2]) for a, b in pairwise(own)]
    falls, rises = [-s for s in steps if s < 0], [s for s in steps if s > 3]
    assert len(falls) > 5 * len(rises) > 0
    assert sum(rises) / len(rises) > 3 * sum(falls) / len(falls)


def test_units_sold_are_those_that_left_the_warehouses(small: Small, counts: list[Count]) -> None:
    fallen = sum(max(a[2] - b[2], 0) for _, own in groupby(counts, key=lambda c: c[:2]) for a, b in pairwise(own))
    sold = sum(int(row["quantity"]) for row in small.csv("pos") if row["quantity"].isdecimal())
    assert 0.7 < fallen / sold < 1.1


def test_some_pairs_end_out_of_stock_some_low_and_most_well_stocked(small: Small, counts: list[Count]) -> None:
    thresholds = {(row["product_id"], row["warehouse_id"]): row["restock_threshold"] for row in small.csv("inventory")}
    last = [list(own)[-1] for _, own in groupby(counts, key=lambda c: c[:2])]
    out = [c for c in last if c[2] <= 0]
    low = [c for c in last if 0 < c[2] <= int(thresholds[str(c[0]), str(c[1])] or 0)]
    assert 0 < len(out) < 0.2 * len(last)
    assert 0 < len(low) < 0.5 * len(last)


def test_one_threshold_in_twenty_is_empty_and_few_levels_are_negative(small: Small, counts: list[Count]) -> None:
    rows = small.csv("inventory")
    empty = sum(not row["restock_threshold"] for row in rows) / len(rows)
    assert 0.01 < empty < 0.12
    assert 0 < sum(c[2] < 0 for c in counts) < 0.03 * len(counts)


def test_inventory_ids_count_the_rows(small: Small) -> None:
    ids = [int(row["inventory_id"]) for row in small.csv("inventory") if row["inventory_id"].isdecimal()]
    assert min(ids) == 1
    assert max(ids) == small.world.inventory_rows
