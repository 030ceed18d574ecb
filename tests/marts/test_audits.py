"""The data tests of the marts find what would make a figure wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.warehouse.lab import Compiled, Lab

NOON = dt.datetime(2026, 3, 2, 12)
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def built(project: Compiled) -> Lab:
    """A row or more in every mart, and no finding."""
    lab = Lab(project)
    line = {"store_id": 1, "product_id": 1, "quantity": 2, "revenue": 9.0, "timestamp": NOON}
    pair = {"inventory_id": 1, "product_id": 1, "warehouse_id": 1, "restock_threshold": 5}
    event = {"session_id": "s1", "user_id": "c1", "page": "/", "event_type": "View"}
    contact = {"customer_id": "c1", "rating": 4, "message_excerpt": "Wet"}
    lab.land("pos", [{**line, "transaction_id": basket} for basket in ("t1", "t2")])
    lab.land(
        "inventory",
        [{**pair, "stock_level": n, "last_updated": NOON + k * HOUR} for k, n in enumerate((1, 9, 0))],
    )
    lab.land("web_events", [{**event, "timestamp": NOON + k * HOUR} for k in range(2)])
    kinds = ("Complaint", "Feedback")
    lab.land(
        "interactions", [{**contact, "interaction_type": k, "timestamp": NOON + n * HOUR} for n, k in enumerate(kinds)]
    )
    lab.run()
    marts = [model.name for model in lab.project.graph.tables() if model.database != "warehouse"]
    assert [name for name in marts if not lab.table(name)] == []
    assert lab.audit() == {}
    return lab


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        (
            "update {mart_sales__store_day} set net_amount = gross_amount + 1",
            "mart_sales__store_day__net_is_gross_less_discount",
        ),
        ("update {mart_sales__store_day} set units = 3", "mart_sales__store_day__sums_to_the_fact"),
        ("delete from {mart_sales__store_day}", "mart_sales__store_day__sums_to_the_fact"),
        ("insert into {mart_sales__store_day} from {mart_sales__store_day}", "mart_sales__store_day__key"),
        ("update {mart_sales__category_day} set transactions = 9", "mart_sales__category_day__counts_are_plausible"),
        ("update {mart_sales__category_day} set units = 3", "mart_sales__category_day__sums_to_the_fact"),
        ("update {mart_sales__category_day} set sale_lines = 3", "mart_sales__category_day__counts_the_fact"),
        ("update {mart_sales__product_day} set units = 3", "mart_sales__product_day__sums_to_the_fact"),
        ("delete from {mart_sales__product_day}", "mart_sales__product_day__counts_the_fact"),
        ("update {mart_sales__product_day} set category = null", "mart_sales__product_day__is_complete"),
        ("update {mart_sales__stock_day} set observed_seconds = 90001", "mart_sales__stock_day__seconds_fit_in_a_day"),
        ("update {mart_sales__stock_day} set closing_level = -1", "mart_sales__stock_day__levels_count_while_in_stock"),
        ("update {mart_sales__stock_now} set stock_state = 'ok'", "mart_sales__stock_now__state_agrees_with_level"),
        ("update {mart_operations__demand_day} set units = 3", "mart_operations__demand_day__sums_to_the_products"),
        (
            "update {mart_operations__demand_day} set cost_amount = 1",
            "mart_operations__demand_day__cost_stands_with_its_units",
        ),
        (
            "insert into {mart_operations__demand_day} from {mart_operations__demand_day}",
            "mart_operations__demand_day__key",
        ),
        ("delete from {mart_operations__restocks}", "mart_operations__stock_day__sums_to_the_restocks"),
        ("update {mart_operations__restocks} set units_restocked = -8", "mart_operations__restocks__adds_units"),
        ("update {mart_operations__stock_day} set restocks = 0", "mart_operations__stock_day__restocks_add_units"),
        (
            "update {mart_operations__stockouts} set stockout_state = 'ok'",
            "mart_operations__stockouts__state_agrees_with_level",
        ),
        ("update {mart_finance__revenue_day} set units = 3", "mart_finance__revenue_day__sums_to_the_products"),
        (
            "update {mart_finance__revenue_day} set discount_amount = 1",
            "mart_finance__revenue_day__net_is_gross_less_discount",
        ),
        (
            "update {mart_marketing__customer_day} set interactions = 1",
            "mart_marketing__customer_day__counts_the_interactions",
        ),
        ("update {mart_marketing__customer_day} set views = 9", "mart_marketing__customer_day__actions_add_up"),
        (
            "update {mart_marketing__customer_day} set rating_total = 0",
            "mart_marketing__customer_day__ratings_are_in_range",
        ),
        ("update {mart_marketing__events_day} set events = 1", "mart_marketing__events_day__counts_the_fact"),
        ("update {mart_marketing__sessions} set is_bounce = false", "mart_marketing__sessions__single_events_bounce"),
        ("insert into {mart_support__cases} from {mart_support__cases}", "mart_support__cases__key"),
        (
            "update {mart_support__cases} set followed_seconds = 0",
            "mart_support__cases__time_at_risk_agrees_with_state",
        ),
        ("update {mart_support__interactions} set rating = 0", "mart_support__interactions__rating_is_in_range"),
        (
            "insert into {mart_support__interactions} from {mart_support__interactions}",
            "mart_support__interactions__key",
        ),
        ("delete from {mart_support__messages}", "mart_support__messages__counts_the_interactions"),
        ("insert into {mart_support__messages} from {mart_support__messages}", "mart_support__messages__key"),
    ],
)
def test_damage_is_found(built: Lab, damage: str, test: str) -> None:
    names = {name: f"{model.database}.{name}" for name, model in built.project.graph.models.items()}
    assert built.scratch is not None
    built.scratch.execute("begin")
    try:
        built.scratch.execute(damage.format(**names))
        assert built.scratch.execute(built.project.audits[test]).fetchall()
    finally:
        built.scratch.execute("rollback")
