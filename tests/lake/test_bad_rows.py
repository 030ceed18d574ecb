"""Each kind of bad or odd row has its fate, and for every file: read = landed + quarantined + duplicate."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from shoplake.lake.landing import LandedFile, land
from shoplake.lake.quarantine import show_rows
from shoplake.settings import Settings

NOON = 1_772_366_400
"""2026-03-01T12:00:00Z"""
CLOCK = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
POS = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp"
INVENTORY = "inventory_id,product_id,warehouse_id,stock_level,restock_threshold,last_updated"
LANDED, REPAIRED = "landed", "repaired"

POS_ROWS = {
    # values as they should be, and lossless repairs
    f"T,1,2,3,9.99,,{NOON}": LANDED,
    f"T,1,2,3,9.99,0.5,{NOON}.25": LANDED,
    f"T,1,4006381333931,3,9.99,0,{NOON}": LANDED,
    f"T,1,2,-3,-9.99,-1,{NOON}": LANDED,
    f"T,1,2,90000,9.99,,{NOON}": LANDED,
    f'"T,1",1,2,3,9.99,,{NOON}': LANDED,
    f'"say ""hi""",1,2,3,9.99,,{NOON}': LANDED,
    f'5" nail,1,2,3,9.99,,{NOON}': LANDED,
    f" T ,1,2,3,9.99,,{NOON}": REPAIRED,
    f"T, 1,2,3,9.99,,{NOON}": REPAIRED,
    f"T,1,2,3.0,9.99,,{NOON}": REPAIRED,
    f"T,1,2,3.,9.99,,{NOON}": REPAIRED,
    f"T,001,2,3,9.99,,{NOON}": REPAIRED,
    f"T,+1,2,3,9.99,,{NOON}": REPAIRED,
    f"T,1,2,3,+9.99,,{NOON}": REPAIRED,
    f"T,1,2,3,.5,,{NOON}": REPAIRED,
    f"T,1,2,3,1e1,,{NOON}": REPAIRED,
    f"T,1,2,3,009.99,,{NOON}": REPAIRED,
    f"T,1,2,3,9.99,,{NOON}000": REPAIRED,
    "T,1,2,3,9.99,,2026-03-01T12:00:00Z": REPAIRED,
    "T,1,2,3,9.99,,2026-03-01 12:00:00": REPAIRED,
    "T,1,2,3,9.99,,2026-03-01T14:00:00+02:00": REPAIRED,
    # warnings: they land
    f"T,1,2,0,9.99,,{NOON}": "warning:zero_quantity",
    f"T,1,2,3,0,,{NOON}": "warning:zero_revenue",
    f"T,1,2,3,9.999,,{NOON}": "warning:fraction_of_a_cent",
    # errors
    f",1,2,3,9.99,,{NOON}": "transaction_id:missing_required",
    f"   ,1,2,3,9.99,,{NOON}": "transaction_id:missing_required",
    f"T,,2,3,9.99,,{NOON}": "store_id:missing_required",
    f"T,x,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,1.5,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,1e3,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,0x1F,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,1_000,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,1 000,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,99999999999999999999,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,true,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,null,2,3,9.99,,{NOON}": "store_id:not_an_integer",
    f"T,1,,3,9.99,,{NOON}": "product_id:missing_required",
    f"T,1,2,,9.99,,{NOON}": "quantity:missing_required",
    f"T,1,2,three,9.99,,{NOON}": "quantity:not_an_integer",
    f"T,1,2,3,,,{NOON}": "revenue:missing_required",
    f"T,1,2,3,NaN,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,inf,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,-Infinity,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,1e999,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,€9.99,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,$9.99,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,9.99 EUR,,{NOON}": "revenue:not_a_number",
    f'T,1,2,3,"9,99",,{NOON}': "revenue:not_a_number",
    f'T,1,2,3,"1,234.50",,{NOON}': "revenue:not_a_number",
    f"T,1,2,3,(9.99),,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,--9.99,,{NOON}": "revenue:not_a_number",
    f"T,1,2,3,9.99,none,{NOON}": "discount_applied:not_a_number",
    f"T,1,2,3,9.99,10%,{NOON}": "discount_applied:not_a_number",
    f"T,1,2,-3,9.99,,{NOON}": "negative_quantity_without_negative_revenue",
    f"T,1,2,3,-9.99,,{NOON}": "negative_revenue_without_negative_quantity",
    f"T,1,2,3,9.99,-1,{NOON}": "discount_below_zero",
    f"T,1,2,3,9.99,10,{NOON}": "discount_above_revenue",
    "T,1,2,3,9.99,,": "timestamp:missing_required",
    "T,1,2,3,9.99,,yesterday": "timestamp:not_a_time",
    "T,1,2,3,9.99,,01/03/2026": "timestamp:not_a_time",
    "T,1,2,3,9.99,,2026-13-01T00:00:00Z": "timestamp:not_a_time",
    "T,1,2,3,9.99,,0": "timestamp:time_before_2000",
    "T,1,2,3,9.99,,-1": "timestamp:time_before_2000",
    "T,1,2,3,9.99,,4070908800": "timestamp:time_in_future",
    "T,1,2,3,9.99,,2099-01-01T00:00:00Z": "timestamp:time_in_future",
    # lines that cannot be cut
    f"T,1,2,3,9.99,{NOON}": "wrong_number_of_fields",
    f"T,1,2,3,9.99,,{NOON},7": "wrong_number_of_fields",
    "T": "wrong_number_of_fields",
    f"T\0,1,2,3,9.99,,{NOON}": "nul_byte",
}
JSON_ROWS = {
    ("interactions", '{"customer_id": 5, "interaction_type": "Feedback", "rating": 4, "timestamp": %d}'): LANDED,
    ("interactions", '{"customer_id": "5", "interaction_type": "Feedback", "timestamp": %d}'): REPAIRED,
    ("interactions", '{"customer_id": 5, "interaction_type": "feedback", "timestamp": %d}'): REPAIRED,
    ("interactions", '{"customer_id": 5, "interaction_type": "Feedback", "channel": "Fax", "timestamp": %d}'): (
        "warning:channel:unknown_value"
    ),
    ("interactions", '{"customer_id": 5, "interaction_type": "Praise", "timestamp": %d}'): (
        "interaction_type:unknown_value"
    ),
    ("interactions", '{"customer_id": 5, "interaction_type": "Feedback", "rating": 0, "timestamp": %d}'): (
        "rating:below_minimum"
    ),
    ("interactions", '{"customer_id": 5, "interaction_type": "Feedback", "rating": 6, "timestamp": %d}'): (
        "rating:above_maximum"
    ),
    ("interactions", '{"customer_id": true, "interaction_type": "Feedback", "timestamp": %d}'): (
        "customer_id:not_an_integer"
    ),
    ("interactions", '{"customer_id": [5], "interaction_type": "Feedback", "timestamp": %d}'): (
        "customer_id:not_an_integer"
    ),
    ("interactions", '{"interaction_type": "Feedback", "timestamp": %d}'): "customer_id:missing_required",
    ("interactions", '{"customer_id": 5, "interaction_type": "Feedback", "timestamp": %d'): "not_a_json_object",
    ("interactions", '{"customer_id": 5} {"timestamp": %d}'): "not_a_json_object",
    ("web_events", '{"session_id": "s", "page": "/", "email": "a@b.c", "timestamp": %d}'): (
        "warning:unknown_field:email"
    ),
    ("web_events", '{"session_id": {"a": 1}, "page": "/", "timestamp": %d}'): "session_id:not_a_string",
}


def fate(found: LandedFile) -> str:
    """Say in one word what became of the one row under test."""
    if found.rows_quarantined:
        return ",".join(found.reasons)
    if found.warnings:
        return f"warning:{','.join(found.warnings)}"
    return REPAIRED if found.rows_repaired else LANDED


def assert_fate(settings: Settings, source: str, path: Path, expected: str) -> None:
    (found,) = land(settings, source, [path], accept=True, clock=lambda: CLOCK)
    assert found.rows_read == found.rows_landed + found.rows_quarantined + found.rows_duplicate == 1
    assert fate(found) == expected


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One home for all rows: each comes in a file of its own."""
    from shoplake.pipeline.init import init_home
    from shoplake.settings import load_settings

    settings = load_settings(tmp_path_factory.mktemp("rows") / "home")
    init_home(settings)
    return settings


@pytest.mark.parametrize(("row", "expected"), POS_ROWS.items(), ids=range(len(POS_ROWS)))
def test_a_till_row_meets_its_fate(home: Settings, tmp_path: Path, row: str, expected: str) -> None:
    path = tmp_path / f"row-{abs(hash(row))}.csv"
    path.write_text(f"{POS}\n{row}\n", encoding="utf-8")
    assert_fate(home, "pos", path, expected)


@pytest.mark.parametrize(("row", "expected"), JSON_ROWS.items(), ids=range(len(JSON_ROWS)))
def test_a_stream_row_meets_its_fate(home: Settings, tmp_path: Path, row: tuple[str, str], expected: str) -> None:
    source, line = row
    path = tmp_path / f"row-{abs(hash(row))}.jsonl"
    path.write_text(line % NOON + "\n", encoding="utf-8")
    assert_fate(home, source, path, expected)


def test_oversold_stock_lands_with_a_warning(home: Settings, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text(f"{INVENTORY}\n1,2,3,-4,,{NOON}\n", encoding="utf-8")
    (found,) = land(home, "inventory", [path], clock=lambda: CLOCK)
    assert (found.rows_landed, sum(found.warnings.values())) == (1, 1)


def test_a_row_that_breaks_several_rules_names_them_all_with_the_line_as_it_came(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "pos.csv"
    path.write_text(f"{POS}\nT,1,2,3,9.99,,{NOON}\n,x,2,3,NaN,,{NOON}\n", encoding="utf-8")
    (found,) = land(settings, "pos", [path], accept=True, clock=lambda: CLOCK)
    expected = {"transaction_id:missing_required", "store_id:not_an_integer", "revenue:not_a_number"}
    assert found.reasons.keys() == expected
    (row,) = show_rows(settings, [1])
    assert (row.file, row.line, set(row.reasons), row.raw) == ("pos.csv", 3, expected, f",x,2,3,NaN,,{NOON}")


def test_exact_duplicates_count_once_and_other_content_under_a_key_is_a_conflict(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "pos.csv"
    row = f"T,1,2,3,9.99,,{NOON}"
    path.write_text(f"{POS}\n{row}\n{row}\n{row}\nT,1,2,4,9.99,,{NOON}\n", encoding="utf-8")
    (found,) = land(settings, "pos", [path], clock=lambda: CLOCK)
    assert (found.rows_read, found.rows_landed, found.rows_duplicate) == (4, 2, 2)
    assert found.warnings == {"key_conflict": 2}


def test_json_numbers_with_many_digits_stay_exact(settings: Settings, tmp_path: Path) -> None:
    from shoplake.lake.browse import show_rows as lake_rows

    path = tmp_path / "products.jsonl"
    path.write_text(json.dumps({"product_id": 9_007_199_254_740_993, "name": "odd"}) + "\n", encoding="utf-8")
    land(settings, "products", [path])
    assert lake_rows(settings, "products").rows[0][0] == 9_007_199_254_740_993
