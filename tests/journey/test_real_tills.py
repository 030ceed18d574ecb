"""Baskets as real tills send them land whole and sum to the cent, with no reference data at all."""

from __future__ import annotations

import csv
import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

from shoplake.access.kpi import answer
from shoplake.access.sql import query
from shoplake.lake.landing import land
from shoplake.pipeline.run import run
from shoplake.settings import Settings

FIRST = 1_772_323_200
HEADER = ["transaction_id", "store_id", "product_id", "quantity", "revenue", "discount_applied", "timestamp"]


def baskets(path: Path) -> tuple[int, int, int, Decimal]:
    """Write three days of baskets; give lines, baskets, units and net sales."""
    draw = random.Random(5)
    lines = bought = units = 0
    net = Decimal(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for basket in range(1_500):
            moment = FIRST + draw.randrange(3 * 86_400)
            bought += 1
            for product in draw.sample(range(300), draw.randint(1, 30)):
                quantity = draw.choice([0, 1, 1, 2, 3, 90_000])
                cents, off = quantity * draw.randint(1, 5_000), draw.choice([0, 0, 1])
                off = min(off, cents)
                code = 4_006_381_000_000 + product
                writer.writerow([f"B{basket}", basket % 4, code, quantity, cents / 100, off / 100 or "", moment])
                lines, units, net = lines + 1, units + quantity, net + Decimal(cents - off) / 100
    return lines, bought, units, net


def test_baskets_land_whole_and_sum_to_the_cent(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "baskets.csv"
    lines, bought, units, net = baskets(path)
    (found,) = land(settings, "pos", [path])
    assert (found.rows_read, found.rows_landed, found.rows_quarantined) == (lines, lines, 0)
    assert run(settings).published
    assert query(settings, "select count(*), sum(net_amount) from warehouse.fct_sale_lines").rows == [(lines, net)]
    first = dt.date(2026, 3, 1)
    asked = answer(settings, "total_sales", from_=str(first), to=str(first + dt.timedelta(days=2)), by=["region"])
    assert asked.total.value == net
    assert (asked.total.parts["units"], asked.total.parts["transactions"]) == (units, bought)
    assert [row["region"] for row in asked.rows] == ["Unmapped"]
