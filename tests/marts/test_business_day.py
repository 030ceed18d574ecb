"""Days are those of the settings' timezone, also on the two days of a year that have no 24 hours."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.marts.test_order_and_split import FEW
from tests.warehouse.conftest import compiled
from tests.warehouse.lab import Compiled, Lab, Row
from tests.warehouse.test_order_and_split import ADVISORY, assert_same, files_of, one_build, some_rows

SUMMER_ENDS = dt.date(2026, 10, 25)
"""Berlin's midnights around it: 22:00 UTC the day before, and 23:00 UTC, 25 hours later."""


@pytest.fixture(scope="module")
def berlin(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """All models for a company in Berlin."""
    return compiled(tmp_path_factory.mktemp("berlin"), marts=True, timezone="Europe/Berlin")


def sale(sold_at: dt.datetime, basket: str) -> Row:
    return {
        "transaction_id": basket,
        "store_id": 1,
        "product_id": 1,
        "quantity": 1,
        "revenue": 2.0,
        "discount_applied": 0.5,
        "timestamp": sold_at,
    }


def count(counted_at: dt.datetime, level: int) -> Row:
    return {"inventory_id": 1, "product_id": 1, "warehouse_id": 1, "stock_level": level, "last_updated": counted_at}


def test_a_sale_before_midnight_in_utc_is_of_the_next_business_day(berlin: Compiled) -> None:
    lab = Lab(berlin)
    lab.land("pos", [sale(dt.datetime(2026, 1, 1, 22, 59, 59), "t1"), sale(dt.datetime(2026, 1, 1, 23), "t2")])
    lab.run()
    found = [(row["sale_date"], row["net_amount"]) for row in lab.table("mart_sales__store_day")]
    assert found == [(dt.date(2026, 1, 1), Decimal("1.50")), (dt.date(2026, 1, 2), Decimal("1.50"))]


def test_the_day_on_which_summer_ends_has_25_hours_of_stock(berlin: Compiled) -> None:
    lab = Lab(berlin)
    lab.land("inventory", [count(dt.datetime(2026, 10, 24, 21), 3), count(dt.datetime(2026, 10, 25, 23), 0)])
    lab.run()
    found = [
        (row["stock_date"], row["observed_seconds"], row["level_seconds"]) for row in lab.table("mart_sales__stock_day")
    ]
    assert found == [
        (SUMMER_ENDS - dt.timedelta(days=1), 3600.0, 10800.0),
        (SUMMER_ENDS, 90000.0, 270000.0),
        (SUMMER_ENDS + dt.timedelta(days=1), 0.0, 0.0),
    ]


@given(seed=st.integers(0, 10**6))
@settings(FEW, max_examples=3)
def test_files_in_any_order_and_split_give_the_marts_of_one_build(berlin: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    rows = some_rows(rng)
    lab = Lab(berlin)
    deliveries = [(source, file) for source, some in rows.items() for file in files_of(rng, some)]
    rng.shuffle(deliveries)
    for source, file in deliveries:
        lab.land(source, file)
        if rng.random() < 0.5:
            lab.run()
    lab.run()
    assert lab.audit().keys() <= ADVISORY
    assert_same(lab, one_build(berlin, rows))
