"""Sale lines: money to the cent, duplicates once, conflicts flagged."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tests.warehouse.lab import Lab, Row

NOON = dt.datetime(2026, 3, 2, 12)


def line(basket: str = "t1", product: int = 1, revenue: float = 10.0, **more: object) -> Row:
    return {
        "transaction_id": basket,
        "store_id": 7,
        "product_id": product,
        "quantity": 1,
        "revenue": revenue,
        "discount_applied": None,
        "timestamp": NOON,
        **more,
    }


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        (1.005, "1.01"),
        (-1.005, "-1.01"),
        (0.125, "0.13"),
        (2.675, "2.68"),
        (0.1 + 0.2, "0.30"),
        (0.004999, "0.00"),
        (1234567890.995, "1234567891.00"),
        (0.0, "0.00"),
    ],
)
def test_money_is_rounded_half_away_from_zero_as_written(lab: Lab, written: float, cents: str) -> None:
    lab.land("pos", [line(revenue=written, quantity=-1 if written < 0 else 1)])
    lab.run()
    assert lab.table("fct_sale_lines")[0]["gross_amount"] == Decimal(cents)


def test_net_is_gross_less_discount_and_a_missing_discount_is_none(lab: Lab) -> None:
    lab.land("pos", [line(discount_applied=2.5), line(product=2)])
    lab.run()
    assert [row["net_amount"] for row in lab.table("fct_sale_lines")] == [Decimal("7.50"), Decimal("10.00")]


def test_a_line_in_two_files_counts_once_and_keeps_the_smaller_file_id(lab: Lab) -> None:
    lab.land("pos", [line(), line(product=2)], name="b")
    lab.land("pos", [line()], name="a")
    lab.run()
    assert [(row["product_id"], row["_file_id"]) for row in lab.table("fct_sale_lines")] == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("files", [[[0, 1, 2]], [[0], [1, 2]], [[2], [1], [0]]])
def test_lines_of_one_key_and_day_conflict_however_they_are_split(lab: Lab, files: list[list[int]]) -> None:
    lines = [line(revenue=10.0), line(revenue=11.0), line(revenue=12.0, timestamp=NOON + dt.timedelta(days=1))]
    for numbers in files:
        lab.land("pos", [lines[n] for n in numbers])
    lab.run()
    found = {row["gross_amount"]: row["is_conflict"] for row in lab.table("fct_sale_lines")}
    assert found == {10: True, 11: True, 12: False}


def test_an_unknown_store_and_product_are_named_by_their_ids(lab: Lab) -> None:
    lab.land("pos", [line(product=4006381333931)])
    lab.run()
    assert lab.table("dim_store") == [
        {"store_id": 7, "store_name": "Store 7", "region": "Unmapped", "country": "Unmapped", "warehouse_id": None}
    ]
    assert lab.table("dim_product")[0]["product_name"] == "Product 4006381333931"


def test_a_reference_file_that_comes_later_names_the_store(lab: Lab) -> None:
    lab.land("pos", [line()])
    lab.run()
    lab.land("stores", [{"store_id": 7, "name": "Harbour", "region": "North", "country": "DE", "warehouse_id": 1}])
    lab.run()
    assert [row["store_name"] for row in lab.table("dim_store")] == ["Harbour"]
    assert [row["warehouse_id"] for row in lab.table("dim_warehouse")] == [1]


def test_a_return_has_negative_units(lab: Lab) -> None:
    lab.land("pos", [line(quantity=-2, revenue=-20.0), line(product=2, quantity=0, revenue=0.0)])
    lab.run()
    assert [row["is_return"] for row in lab.table("fct_sale_lines")] == [True, False]
