"""The marts follow any order, split and restatement of files, as the warehouse beneath them does."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.lab import Compiled, Lab, Row
from tests.warehouse.test_order_and_split import (
    ADVISORY,
    MAKERS,
    QUICK,
    START,
    assert_same,
    files_of,
    one_build,
    some_rows,
)

FEW = settings(QUICK, max_examples=3)
SALE = {"store_id": 1, "product_id": 1, "revenue": 8.0}
COUNT = {"inventory_id": 1, "product_id": 1, "warehouse_id": 1, "stock_level": 0}
REFERENCES = ("stores", "products", "warehouses")


def reference(rng: random.Random, source: str) -> list[Row]:
    """Describe some of the stores, products or warehouses that the other rows name."""
    ids = rng.sample([1, 2, 3], k=rng.randint(1, 3))
    word = rng.choice(["North", "South"])
    if source == "stores":
        return [
            {"store_id": n, "name": f"S{n}", "region": word, "country": "DE", "warehouse_id": rng.choice([None, 1, 2])}
            for n in ids
        ]
    if source == "products":
        return [
            {"product_id": n, "name": f"P{n}", "category": word, "unit_cost": rng.choice([None, 0.5, 1.25])}
            for n in ids
        ]
    return [{"warehouse_id": n, "name": f"W{n}", "region": word} for n in ids]


@given(seed=st.integers(0, 10**6))
@FEW
def test_files_in_any_order_and_split_give_the_marts_of_one_build(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    rows, settle = some_rows(rng), rng.choice([0, 35])
    lab = Lab(project, settle_after_days=settle)
    deliveries = [(source, file) for source, some in rows.items() for file in files_of(rng, some)]
    rows |= {source: reference(rng, source) for source in rng.sample(REFERENCES, k=rng.randint(0, 3))}
    deliveries += [(source, some) for source, some in rows.items() if source in REFERENCES]
    rng.shuffle(deliveries)
    today = lab.today
    for number, (source, file) in enumerate(deliveries):
        lab.land(source, file)
        lab.today = today - dt.timedelta(days=2 * (len(deliveries) - number))
        if rng.random() < 0.5:
            lab.run()
    lab.today = today
    lab.run()
    assert lab.audit().keys() <= ADVISORY
    assert_same(lab, one_build(project, rows, settle_after_days=settle))


@given(seed=st.integers(0, 10**6))
@FEW
def test_restated_files_give_the_marts_of_the_last_versions(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    last: dict[tuple[str, str], list[Row]] = {}
    lab = Lab(project)
    for _ in range(rng.randint(3, 6)):
        source = rng.choice([*MAKERS, *REFERENCES])
        is_reference = source in REFERENCES
        name = source if is_reference else f"{source}-{rng.randint(1, 2)}"
        rows = reference(rng, source) if is_reference else [MAKERS[source](rng) for _ in range(rng.randint(1, 12))]
        last[source, name] = rows
        lab.land(source, rows, name=name)
        lab.run()
    expected = Lab(project)
    for (source, name), rows in last.items():
        expected.land(source, rows, name=name)
    expected.run()
    assert_same(lab, expected)


def test_demand_is_known_in_full_when_the_counts_run_ahead_of_the_tills(project: Compiled) -> None:
    def sale(day: int, basket: str) -> Row:
        return {**SALE, "transaction_id": basket, "quantity": 1 + day, "timestamp": START + dt.timedelta(days=day)}

    def count(day: int) -> Row:
        return {**COUNT, "last_updated": START + dt.timedelta(days=day)}

    sales, counts = [sale(day, f"t{day}") for day in range(28)], [count(60), count(61)]
    lab = one_build(project, {"pos": sales, "inventory": counts[:1]})
    lab.land("inventory", counts[1:])
    lab.run()
    assert [row["daily_units_28d"] for row in lab.table("mart_operations__stockouts")] == [14.5]
    assert_same(lab, one_build(project, {"pos": sales, "inventory": counts}))


@pytest.mark.parametrize("source", REFERENCES)
def test_a_reference_file_that_comes_alone_passes_the_audit(lab: Lab, source: str) -> None:
    rng = random.Random(3)
    for name, rows in some_rows(rng).items():
        lab.land(name, rows)
    lab.run()
    lab.land(source, reference(rng, source))
    lab.run()
    assert lab.audit().keys() <= ADVISORY
