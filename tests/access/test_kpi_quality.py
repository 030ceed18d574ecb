"""How far a figure can be trusted: quarantined rows, days without data, the release it came from."""

from __future__ import annotations

import datetime as dt

from tests.access.conftest import KpiLab, printed
from tests.warehouse.lab import Row

NOON = dt.datetime(2026, 3, 2, 12)


def sale(days: int) -> Row:
    row = {"transaction_id": f"t{days}", "store_id": 7, "product_id": 1, "quantity": 1, "revenue": 5.0}
    return row | {"discount_applied": None, "timestamp": NOON + dt.timedelta(days=days)}


def test_quarantined_rows_of_the_kpis_sources_on_the_windows_days_are_counted(kpis: KpiLab) -> None:
    kpis.land("pos", [sale(0), sale(2)])
    kpis.changes["quarantined"] = {
        "pos": {"2026-03-01": 1, "2026-03-02": 20, "2026-03-04": 300, "2026-03-05": 4000},
        "inventory": {"2026-03-02": 50000},
    }
    coverage = printed(kpis.ask("total_sales", from_="2026-03-02", to="2026-03-04"))["coverage"]
    assert coverage == {"days": 3, "days_with_data": 2, "ratio": 2 / 3, "rows_quarantined": 320}


def test_an_answer_names_its_release_watermark_and_version(kpis: KpiLab) -> None:
    kpis.land("pos", [sale(0)])
    found = printed(kpis.ask("total_sales"))
    assert (found["release"], found["watermark"], found["definition_version"]) == ("r", "2026-03-02T12:00:00Z", 1)
    assert found["window"] == {"from": "2026-02-01", "to": "2026-03-02", "days": 30}
    assert found["previous_window"] == {"from": "2026-01-02", "to": "2026-01-31"}


def test_a_day_with_nothing_but_carried_stock_has_no_data(kpis: KpiLab) -> None:
    count = {"inventory_id": 1, "product_id": 1, "warehouse_id": 1, "stock_level": 3, "restock_threshold": None}
    kpis.land("inventory", [count | {"last_updated": NOON}])
    kpis.land("inventory", [count | {"product_id": 2, "last_updated": NOON + dt.timedelta(days=4)}])
    answer = kpis.ask("stock_availability", from_="2026-03-02", to="2026-03-06", where={"product": "1"})
    assert (answer.coverage.days_with_data, answer.total.parts["observed_seconds"]) == (2, 26 * 3600)
    assert (answer.alternatives["now"], answer.total.value) == (None, 1)


def test_money_is_exact(kpis: KpiLab) -> None:
    kpis.land("pos", [sale(0) | {"transaction_id": str(n), "revenue": 0.1} for n in range(3)])
    assert str(kpis.ask("total_sales").total.value) == "0.30"
