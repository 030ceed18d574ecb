"""Total sales: sums, baskets, filters and what cannot be known."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tests.access.conftest import KpiLab
from tests.warehouse.lab import Row

DAY = dt.datetime(2026, 3, 2, 12)


def line(basket: str, product: int = 1, revenue: float = 10.0, *, days: float = 0, **more: object) -> Row:
    row = {"transaction_id": basket, "store_id": 7, "product_id": product, "quantity": 1, "revenue": revenue}
    return row | {"discount_applied": None, "timestamp": DAY + dt.timedelta(days=days), **more}


PRODUCTS = [
    {"product_id": 1, "name": "Tea", "category": "Drinks", "brand": "Ahoy", "unit_cost": 2.0, "list_price": 10.0},
    {"product_id": 2, "name": "Milk", "category": "Drinks", "brand": "Ahoy", "unit_cost": 1.0, "list_price": 5.0},
    {"product_id": 3, "name": "Soap", "category": "Home", "brand": "Blue", "unit_cost": None, "list_price": 3.0},
]


@pytest.fixture
def shop(kpis: KpiLab) -> KpiLab:
    kpis.land("products", PRODUCTS)
    kpis.land("pos", [line("a", 1, discount_applied=2.5), line("a", 2, 5.0), line("b", 3, 3.0, store_id=8)])
    return kpis


def test_net_is_gross_less_discount(shop: KpiLab) -> None:
    total = shop.ask("total_sales").total
    assert (total.value, total.parts["gross"], total.parts["discount"]) == (Decimal("15.50"), 18, Decimal("2.50"))


def test_a_basket_counts_once_however_many_products_it_holds(shop: KpiLab) -> None:
    answer = shop.ask("total_sales", by=["product"])
    assert answer.total.parts["transactions"] == 2
    assert [row["parts"]["transactions"] for row in answer.rows] == [1, 1, 1]


def test_baskets_of_a_brand_with_several_products_are_not_counted(shop: KpiLab) -> None:
    answer = shop.ask("total_sales", by=["brand"], definition="transactions")
    assert [(row["brand"], row["value"]) for row in answer.rows] == [("Ahoy", None), ("Blue", 1)]
    assert "several products" in answer.rows[0]["reason"]


def test_nothing_landed_is_null_with_a_reason(shop: KpiLab) -> None:
    answer = shop.ask("total_sales", from_="2025-01-01", to="2025-01-31")
    assert answer.total.value is None
    assert answer.total.reason == "not measurable: no sale has landed for these days"
    assert answer.coverage.days_with_data == 0


def test_a_store_without_a_sale_in_a_covered_window_sold_nothing(shop: KpiLab) -> None:
    shop.land("pos", [line("c", days=1)])
    answer = shop.ask("total_sales", from_="2026-03-03", to="2026-03-03", where={"store": "8"})
    assert (answer.total.value, answer.total.reason, answer.total.previous) == (0, None, 3)


def test_a_filter_value_that_no_row_has_is_said(shop: KpiLab) -> None:
    total = shop.ask("total_sales", where={"region": "Nroth"}).total
    assert (total.value, total.reason) == (None, "not measurable: the data knows no region 'Nroth'")


def test_a_filter_value_is_text_and_never_sql(shop: KpiLab) -> None:
    assert shop.ask("total_sales", where={"region": "x') or ('1' = '1"}).total.value is None
