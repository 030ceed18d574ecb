"""The KPI files: all that were promised, over columns that exist, in SQL that runs."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from shoplake.access.kpi_definition import MARTS, Kpi, load_kpis, read_kpi
from shoplake.access.kpi_inputs import NAMES
from shoplake.errors import ContractError
from tests.access.conftest import KpiLab
from tests.warehouse.lab import Compiled

START = dt.datetime(2026, 3, 2, 9)

PROMISED = {
    "sales/total_sales": {"net", "gross", "discount", "units", "transactions", "average_basket"},
    "sales/stock_availability": {"time", "now", "never_out"},
    "sales/product_turnover_rate": {"window", "annualised", "closing_stock"},
    "marketing/engagement_score": {"mean_score", "engaged_events", "average_rating"},
    "marketing/session_duration": {"mean", "median", "mean_not_bounced", "median_not_bounced"},
    "marketing/bounce_rate": {"single_event", "ga4"},
    "marketing/loyalty_activity_rate": {"customers", "interactions"},
    "operations/inventory_turnover": {"window", "annualised", "days_of_stock"},
    "operations/restock_frequency": {"rises", "from_low"},
    "operations/stockout_alerts": {"now", "out_in_window"},
    "support/feedback_score": {"all_rated", "feedback_only", "csat", "rated_share"},
    "support/interaction_volume": {"interactions", "per_customer"},
    "support/time_to_resolution": {"kaplan_meier", "resolved_median", "resolved_p90", "next_contact"},
    "finance/revenue": {
        "net",
        "gross",
        "discount",
        "discount_rate",
        "cost_of_goods",
        "gross_margin",
        "gross_margin_rate",
    },
}
DIMENSIONS = {
    "total_sales": {"day", "store", "region", "product", "category"},
    "interaction_volume": {"day", "type", "channel"},
    "inventory_turnover": {"warehouse", "region", "category"},
    "revenue": {"day", "store", "region", "category"},
    "product_turnover_rate": {"product"},
}
KPIS = list(load_kpis().values())


def test_every_promised_kpi_has_its_alternatives() -> None:
    assert {f"{kpi.team}/{kpi.name}": set(kpi.definitions) for kpi in KPIS} == PROMISED


@pytest.mark.parametrize(("name", "dimensions"), DIMENSIONS.items())
def test_every_promised_dimension_can_be_asked_for(name: str, dimensions: set[str]) -> None:
    assert dimensions <= load_kpis()[name].dimensions.keys()


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_every_mart_column_that_a_kpi_names_stands_in_the_marts_contract(kpi: Kpi, mart_project: Compiled) -> None:
    graph = mart_project.graph
    names = {mart.name for mart in kpi.marts} | set(NAMES.findall(kpi.relation or "")) | {kpi.coverage.mart}
    assert names <= graph.models.keys()
    assert kpi.coverage.date in graph[kpi.coverage.mart].columns
    known = set().union(*(graph[name].columns for name in names))
    derived = set(re.findall(r" as (\w+)", kpi.relation or "")) | {"last_day"}
    for dimension in kpi.dimensions.values():
        assert {dimension.column, dimension.label or dimension.column} <= known | derived
    for mart in kpi.marts:
        assert kpi.date in graph[mart.name].columns
    columns = known | derived | {name for step in kpi.per for name in step.measures}
    snake = {word for sql in kpi.parts.values() for word in re.findall(r"\b[a-z]+_[a-z_]+\b(?!\()", sql)}
    assert snake - columns - kpi.parts.keys() - {"kaplan_meier_median", "quantile_cont"} == set()


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_every_dimension_and_pair_of_dimensions_runs(kpi: Kpi, kpis: KpiLab) -> None:
    land_a_little(kpis)
    for first in kpi.dimensions:
        answer = kpis.ask(kpi.name, by=[first], where={first: ["", "1", "7", "Email"]})
        assert all(first in row for row in answer.rows)
        for second in kpi.dimensions:
            kpis.ask(kpi.name, by=[first, second])


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_without_any_data_every_definition_is_null_and_says_why(kpi: Kpi, kpis: KpiLab) -> None:
    for definition in kpi.definitions:
        answer = kpis.ask(kpi.name, from_="2026-03-01", to="2026-03-07", definition=definition)
        assert answer.total.value is None
        assert (answer.total.reason or "").startswith("not measurable: no")
        assert (answer.total.previous, answer.rows, answer.watermark) == (None, [], None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("unit_of: money", "unit_of"),
        ("version: 0", "version"),
        ("default_definition: gros", "gros"),
        ("name: other", "sales/other"),
        ("parts: {net: sum(net_amount)}", "'transactions'"),
        ("formula: [", "not YAML"),
    ],
)
def test_a_wrong_kpi_file_is_refused_by_name(tmp_path: Path, change: str, message: str) -> None:
    import yaml

    good = yaml.safe_load((MARTS / "sales" / "kpi_total_sales.yml").read_text())
    key = change.split(":", maxsplit=1)[0]
    text = yaml.safe_dump({name: value for name, value in good.items() if name != key})
    file = tmp_path / "sales" / "kpi_total_sales.yml"
    file.parent.mkdir()
    file.write_text(f"{text}\n{change}\n")
    with pytest.raises(ContractError, match=re.escape(message)) as caught:
        read_kpi(file)
    assert "sales/kpi_total_sales.yml" in caught.value.message


def land_a_little(kpis: KpiLab) -> None:
    """Land a row or two of each source."""
    sale = {"transaction_id": "a", "store_id": 7, "product_id": 1, "quantity": 1, "revenue": 5.0, "timestamp": START}
    kpis.land("pos", [sale | {"discount_applied": None}])
    count = {"inventory_id": 1, "product_id": 1, "warehouse_id": 1, "stock_level": 3, "restock_threshold": None}
    kpis.land("inventory", [count | {"last_updated": START}, count | {"last_updated": START + dt.timedelta(hours=2)}])
    contact = {"customer_id": "c1", "channel": None, "rating": None, "message_excerpt": None, "timestamp": START}
    kpis.land("interactions", [contact | {"interaction_type": kind} for kind in ("Complaint", "Loyalty")])
    event = {"session_id": "s", "user_id": None, "page": "/", "device_type": None, "browser": None, "event_type": None}
    kpis.land("web_events", [event | {"timestamp": START}])
