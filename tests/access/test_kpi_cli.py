"""`shoplake kpi` and `shoplake kpis` over a real home, encrypted as released."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shoplake.cli.kpi_figures import change, duration, shown, shown_part
from shoplake.cli.main import shoplake
from shoplake.errors import InputError

TILL = """transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp
a,7,4006381333931,1,1200.50,0.50,1772445600
b,8,2,2,10,,1772449200
"""
CONTACTS = """customer_id,interaction_type,channel,rating,message_excerpt,timestamp
1,Complaint,Email,1,,1772445600
1,Feedback,Email,5,,1772452800
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one release."""
    folder = tmp_path_factory.mktemp("kpi") / "home"
    call(folder, "init")
    for source, content in (("pos", TILL), ("interactions", CONTACTS)):
        file = folder.parent / f"{source}.csv"
        file.write_text(content)
        call(folder, "land", source, str(file))
    call(folder, "run")
    return folder


def call(home: Path, *arguments: str) -> str:
    outcome = CliRunner().invoke(
        shoplake, ["--home", str(home), *arguments], catch_exceptions=False, standalone_mode=False
    )
    return outcome.output if outcome.exit_code == 0 else pytest.fail(outcome.output)


def as_json(home: Path, *arguments: str) -> Any:
    return json.loads(call(home, *arguments, "--format", "json"))


def test_one_kpi_by_two_dimensions_with_a_filter(home: Path) -> None:
    asked = ["--by", "store", "--by", "day", "--where", "store=7", "--where", "store=Store 9", "--definition", "gross"]
    found = as_json(home, "kpi", "total_sales", *asked)
    assert (found["total"]["value"], found["definition"], found["alternatives"]["net"]) == (1200.5, "gross", 1200.0)
    (row,) = found["rows"]
    assert (row["store"], row["store_name"], row["day"], row["value"]) == (7, "Store 7", "2026-03-02", 1200.5)


def test_the_table_shows_figures_as_people_read_them(home: Path) -> None:
    shown_text = call(home, "kpi", "total_sales", "--by", "product")
    assert "1,210.00 EUR" in shown_text
    assert re.search(r"4006381333931 +Product 4006381333931 +1,200\.00 EUR", shown_text)
    assert "1 of 30 days with data" in shown_text
    assert "2h" in call(home, "kpi", "time_to_resolution")


def test_all_kpis_by_team_and_of_one_team(home: Path) -> None:
    found = as_json(home, "kpis")
    assert len(found) == 14
    assert "rows" not in found[0]
    assert {one["kpi"] for one in as_json(home, "kpis", "--team", "finance")} == {"revenue"}
    table = call(home, "kpis")
    assert all(team in table for team in ("Sales", "Marketing", "Operations", "Support", "Finance"))
    assert "not measurable: no session began in these days" in table


def test_one_kpi_alone_and_among_all_say_the_same(home: Path) -> None:
    for one in as_json(home, "kpis"):
        alone = as_json(home, "kpi", one["kpi"])
        alone.pop("rows")
        alone.pop("curve", None)
        assert alone == one


def test_csv_has_the_parts_as_columns(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(call(home, "kpi", "total_sales", "--by", "store", "--format", "csv"))))
    assert [(row["store"], row["value"], row["discount"]) for row in rows] == [
        ("7", "1200.00", "0.50"),
        ("8", "10.00", "0.00"),
    ]
    rows = list(csv.DictReader(io.StringIO(call(home, "kpis", "--format", "csv"))))
    assert len(rows) == 14
    (row,) = csv.DictReader(io.StringIO(call(home, "kpi", "total_sales", "--format", "csv")))
    assert (row["value"], row["transactions"]) == ("1210.00", "2")


def test_a_filter_without_an_equals_sign_is_refused(home: Path) -> None:
    with pytest.raises(InputError, match="'region' has no '='"):
        call(home, "kpi", "total_sales", "--where", "region")


@pytest.mark.parametrize("command", [["kpi", "-h"], ["kpis", "-h"], ["releases", "diff", "--help"], ["-h"]])
def test_help_shows_an_example_on_lines_of_its_own(command: list[str]) -> None:
    text = CliRunner().invoke(shoplake, command).output
    assert re.search(r"^ +Example:\n +shoplake ", text, re.MULTILINE)
    assert "\\b" not in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "money", "-"),
        (0, "ratio", "0.0 %"),
        (0.1234, "ratio", "12.3 %"),
        (1234567, "units", "1,234,567"),
        (2.5, "turns", "2.50"),
    ],
)
def test_figures_have_their_unit(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit, "EUR") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (5.25, "5.2s"), (59.6, "1min"), (60, "1min"), (3599.7, "1h"), (3725, "1h 2min"), (90000, "1d 1h")],
)
def test_durations_name_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_changes_of_shares_are_in_points_and_others_in_percent() -> None:
    assert change(0.5, 0.4, "ratio") == "+10.0 points"
    assert change(110, 100, "money") == "+10.0 %"
    assert (change(None, 1, "money"), change(1, None, "money"), change(1, 0, "money")) == ("-", "-", "-")


def test_parts_are_shown_as_their_names_say() -> None:
    assert shown_part("median_seconds", 90.0) == "1min 30s"
    assert shown_part("cost_known_share", 0.5) == "50.0 %"
    assert (shown_part("basis", "cost"), shown_part("units", 1234), shown_part("x", 0.5)) == ("cost", "1,234", "0.5")
