from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from bench.data import write_sales
from bench.days import write_day
from shoplake.contracts import load_contracts


def _rows(folder: Path) -> list[dict[str, str]]:
    return [
        row
        for file in sorted(folder.glob("*.csv"))
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    ]


def test_truth_is_what_the_files_say(tmp_path: Path) -> None:
    truth = write_sales(tmp_path, 1000, days=7)
    rows = _rows(tmp_path)
    net = sum(Decimal(row["revenue"]) - Decimal(row["discount_applied"] or 0) for row in rows)
    assert (truth.lines, truth.net_total) == (len(rows), str(net)) == (1000, str(net))
    assert truth.transactions == len({row["transaction_id"] for row in rows})
    assert len(list(tmp_path.glob("*.csv"))) == 7


def test_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sales(tmp_path / name, 500, days=3)
    written = [[file.read_bytes() for file in sorted((tmp_path / name).iterdir())] for name in ("one", "two")]
    assert written[0] == written[1]


def test_a_line_is_unique_and_a_basket_has_one_store_and_moment(tmp_path: Path) -> None:
    write_sales(tmp_path, 3000, days=2)
    rows = _rows(tmp_path)
    assert len({(row["transaction_id"], row["product_id"]) for row in rows}) == len(rows)
    baskets = defaultdict(set)
    for row in rows:
        baskets[row["transaction_id"]].add((row["store_id"], row["timestamp"]))
    assert all(len(places) == 1 for places in baskets.values())
    assert len(rows) / len(baskets) == 3


def test_sale_lines_have_the_fields_of_the_contract(tmp_path: Path) -> None:
    write_sales(tmp_path, 10, days=1)
    assert list(_rows(tmp_path)[0]) == [field.name for field in load_contracts()["pos"].fields]


def test_a_day_of_all_sources_differs_from_the_next(tmp_path: Path) -> None:
    first = write_day(tmp_path, dt.date(2025, 3, 1), 100)
    second = write_day(tmp_path, dt.date(2025, 3, 2), 100)
    assert set(first) == {"pos", "inventory", "web_events", "interactions"}
    for source, file in first.items():
        assert file.read_bytes() != second[source].read_bytes()
