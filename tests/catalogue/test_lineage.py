"""Columns come from where the models' SQL takes them, as worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from shoplake.access.kpi_definition import load_kpis
from shoplake.catalogue.graph import Graph, Ref
from shoplake.catalogue.kpi_sql import kpi_tables, selects
from shoplake.catalogue.lineage import load_lineage
from shoplake.catalogue.opening import Catalogue, open_catalogue
from shoplake.pipeline.models import ModelGraph
from shoplake.pipeline.project import load_project
from shoplake.settings import load_settings

INPUTS = {
    "stg_pos__sale_lines.gross_amount": {"pos.revenue"},
    "stg_pos__sale_lines.sale_date": {"pos.timestamp"},
    "fct_sale_lines.gross_amount": {"stg_pos__sale_lines.gross_amount"},
    "fct_sale_lines.net_amount": {"stg_pos__sale_lines.gross_amount", "stg_pos__sale_lines.discount_amount"},
    "fct_sale_lines.is_return": {"stg_pos__sale_lines.units"},
    "dim_store.region": {"stg_stores__stores.region"},
    "dim_customer.first_seen_date": {"fct_interactions.interaction_date", "fct_web_events.event_date"},
    "fct_stock_closing.closing_level": {"fct_stock_levels.stock_level", "fct_stock_levels.observed_at"},
    "mart_sales__product_day.gross_amount": {"fct_sale_lines.gross_amount"},
    "mart_sales__product_day.category": {"dim_product.category"},
    "mart_sales__store_day.net_amount": {
        "mart_sales__product_day.gross_amount",
        "mart_sales__product_day.discount_amount",
    },
    "mart_sales__store_day.transactions": {"fct_sale_lines.transaction_id"},
    "mart_finance__revenue_day.cost_amount": {"mart_sales__product_day.units", "dim_product.unit_cost_amount"},
    "mart_support__messages.message_text": {
        "fct_interactions.customer_key",
        "fct_interactions.message_ciphertext",
    },
    "total_sales.net": {
        "mart_sales__store_day.net_amount",
        "mart_sales__category_day.net_amount",
        "mart_sales__product_day.net_amount",
    },
    "bounce_rate.ga4": {"mart_marketing__sessions.is_bounce_ga4"},
    "stock_availability.time": {"mart_sales__stock_day.observed_seconds", "mart_sales__stock_day.in_stock_seconds"},
    "stockout_alerts.now": {"mart_sales__stock_now.stock_state"},
    "revenue.gross_margin": {
        "mart_finance__revenue_day.cost_amount",
        "mart_finance__revenue_day.net_amount_with_cost",
    },
}
"""Inputs of some columns and definitions."""
COUNTED = {
    "fct_support_cases.complaints",
    "fct_web_sessions.events",
    "fct_web_sessions.is_bounce",
    "mart_marketing__customer_day.web_events",
    "mart_marketing__customer_day.interactions",
    "mart_marketing__events_day.events",
    "mart_sales__product_day.sale_lines",
    "mart_operations__stock_day.restocks",
    "interaction_volume.interactions",
}
"""What counts rows, and so is made of no column."""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return open_catalogue(load_settings(tmp_path_factory.mktemp("catalogue")))


def named(catalogue: Catalogue, name: str) -> Ref:
    entry, column = name.split(".")
    ref = next(ref for ref in catalogue.entries if ref.name == entry)
    return ref._replace(column=column)


def names(refs: tuple[Ref, ...] | list[Ref]) -> list[str]:
    return [f"{ref.name}.{ref.column}" if ref.column else ref.name for ref in refs]


@pytest.mark.parametrize("name", INPUTS)
def test_a_column_is_made_of_these(catalogue: Catalogue, name: str) -> None:
    assert set(names(catalogue.columns.inputs[named(catalogue, name)])) == INPUTS[name]


def test_a_till_field_leads_to_the_kpis_and_these_lead_back(catalogue: Catalogue) -> None:
    below = names(catalogue.columns.downstream(named(catalogue, "pos.revenue")))
    for name in ("fct_sale_lines.gross_amount", "mart_sales__store_day.net_amount", "total_sales.net", "revenue.net"):
        assert name in below
    assert "total_sales.units" not in below
    above = names(catalogue.columns.upstream(named(catalogue, "total_sales.net")))
    assert {name for name in above if name.startswith("pos.")} == {"pos.revenue", "pos.discount_applied"}


def test_customers_words_are_in_no_kpi(catalogue: Catalogue) -> None:
    below = catalogue.columns.downstream(named(catalogue, "interactions.message_excerpt"))
    assert {ref.kind for ref in below} == {"table"}
    assert "mart_support__messages.message_text" in names(below)


def test_every_column_comes_from_somewhere_or_counts_rows(catalogue: Catalogue) -> None:
    made = {ref: inputs for ref, inputs in catalogue.columns.inputs.items() if ref.column not in {"_file_id", "_line"}}
    nowhere = {name for name in names([ref for ref, inputs in made.items() if not inputs]) if "dim_date" not in name}
    assert nowhere == COUNTED
    described = {ref._replace(column=column.name) for ref, e in catalogue.entries.items() for column in e.columns}
    assert {ref for ref in described if ref.kind != "source"} == catalogue.columns.inputs.keys()


def test_everything_is_made_of_sources_and_nothing_of_itself(catalogue: Catalogue) -> None:
    for ref, entry in catalogue.entries.items():
        if entry.kind != "source":
            assert catalogue.sources_of(entry), ref
        assert ref not in catalogue.wholes.upstream(ref)
    assert {ref.name for ref in catalogue.wholes.downstream(Ref("source", "inventory")) if ref.kind == "kpi"} >= {
        "stock_availability",
        "inventory_turnover",
    }


def test_a_kpi_that_several_marts_answer_reads_them_all() -> None:
    kpi = load_kpis()["total_sales"]
    assert kpi_tables(kpi) == ["mart_sales__store_day", "mart_sales__category_day", "mart_sales__product_day"]
    assert len(list(selects(kpi))) == len(kpi.marts)


def test_lineage_is_read_once_for_each_version(tmp_path: Path) -> None:
    whole, chosen = load_project(load_settings(tmp_path)), ("stg_pos__sale_lines", "fct_sale_lines")
    project = replace(whole, graph=ModelGraph({name: whole.graph[name] for name in chosen}))
    made = load_lineage(project, {}, tmp_path)
    assert {ref.name for ref, _ in made.columns} == set(chosen)
    (file,) = tmp_path.glob("lineage-*.json")
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(made, columns=[])))
    assert load_lineage(project, {}, tmp_path).columns == []
    file.write_text("nothing of the kind", encoding="utf-8")
    assert load_lineage(project, {}, tmp_path) == made
    assert load_lineage(replace(project, version="another"), {}, tmp_path).digest != made.digest
    assert len(list(tmp_path.glob("lineage-*.json"))) == 2


def test_steps_are_counted_by_the_longest_way_and_a_ring_ends() -> None:
    a, b, c = (Ref("table", name) for name in "abc")
    graph = Graph({b: (a,), c: (a, b)})
    assert graph.ranks([a, b, c]) == {a: 0, b: 1, c: 2}
    assert graph.around(b) == [a, b, c]
    ring = Graph({a: (b,), b: (a,)})
    assert ring.upstream(a) == [b]
    assert set(ring.ranks([a, b])) == {a, b}
