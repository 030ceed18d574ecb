"""The data tests hold on right tables, and say which rows of which file break a wrong one."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from tests.warehouse.lab import Lab
from tests.warehouse.test_order_and_split import ADVISORY, some_rows
from tests.warehouse.test_sales import line


@pytest.fixture
def built(lab: Lab) -> Lab:
    """A lab with some of everything built."""
    for source, rows in some_rows(random.Random(1)).items():
        lab.land(source, rows)
    lab.run()
    assert lab.audit().keys() <= ADVISORY
    return lab


@pytest.mark.parametrize(
    ("damage", "test"),
    [
        ("update {fct_sale_lines} set net_amount = net_amount + 0.01", "fct_sale_lines__net_is_gross_less_discount"),
        ("insert into {fct_sale_lines} from {fct_sale_lines}", "counted_once_fct_sale_lines_"),
        ("insert into {fct_sale_lines} from {fct_sale_lines}", "fct_sale_lines__reconciles_with_lake"),
        ("delete from {fct_sale_lines} where _line = 2", "fct_sale_lines__reconciles_with_lake"),
        ("update {fct_sale_lines} set sold_at = null", "fct_sale_lines__is_complete"),
        ("delete from {dim_store}", "fct_sale_lines__store_id_is_known"),
        ("insert into {dim_store} from {dim_store}", "dim_store__key"),
        ("insert into {fct_stock_levels} from {fct_stock_levels}", "fct_stock_levels__key"),
        ("update {fct_stock_levels} set held_until = observed_at", "fct_stock_levels__holds_forward"),
        ("delete from {fct_stock_levels} where _line = 2", "fct_stock_levels__reconciles_with_lake"),
        ("update {fct_stock_closing} set stock_state = 'full'", "fct_stock_closing__state_is_known"),
        ("insert into {fct_stock_closing} from {fct_stock_closing}", "fct_stock_closing__key"),
        ("update {fct_stock_movements} set from_level = -1", "fct_stock_movements__levels_are_on_hand"),
        ("update {fct_interactions} set rating = 6", "fct_interactions__rating_is_in_range"),
        ("delete from {dim_customer}", "fct_interactions__customer_key_is_known"),
        ("update {fct_support_cases} set closed_at = null", "fct_support_cases__state_agrees_with_times"),
        ("update {fct_web_events} set is_session_start = true", "fct_web_events__first_events_have_no_predecessor"),
        ("update {fct_web_sessions} set views = events + 1", "fct_web_sessions__events_add_up"),
        ("insert into {fct_web_sessions} from {fct_web_sessions}", "fct_web_sessions__key"),
    ],
)
def test_damage_is_found(built: Lab, damage: str, test: str) -> None:
    names = {name: f"warehouse.{name}" for name in built.project.graph.models}
    assert built.scratch is not None
    built.scratch.execute(damage.format(**names))
    assert test in built.audit()


def test_a_broken_row_names_its_file_and_line(lab: Lab) -> None:
    lab.land("pos", [line(), line(product=2, revenue=1e30)], name="till-7.csv")
    lab.run()
    rows = lab.audit()["fct_sale_lines__is_complete"]
    assert [(row["_file_id"], row["_line"]) for row in rows] == [("till-7.csv", 3)]


def test_unique_combinations_are_compared_exactly_and_nulls_are_equal(built: Lab) -> None:
    assert built.scratch is not None
    built.scratch.execute("insert into warehouse.dim_store select null, 'a', 'b', 'c', null from range(2)")
    assert len(built.audit()["dim_store__key"]) == 2


def test_a_key_in_two_blocks_of_lines_is_counted_right(lab: Lab) -> None:
    day = dt.datetime(2026, 3, 2)
    lab.land("pos", [line(product=n, timestamp=day + dt.timedelta(seconds=n)) for n in range(5)])
    lab.run()
    assert lab.scratch is not None
    lab.scratch.execute("update warehouse.fct_sale_lines set _line = _line * 65536")
    assert "counted_once_fct_sale_lines_" not in lab.audit()
    lab.scratch.execute("update warehouse.fct_sale_lines set _line = 65536 where _line = 131072 * 2")
    lab.scratch.execute("update warehouse.fct_sale_lines set _line = 65536 where _line = 131072")
    assert len(lab.audit()["counted_once_fct_sale_lines_"]) == 2
