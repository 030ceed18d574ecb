"""What is behind a figure: the days it is compared with, the curve of its cases, its rows and its files."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pytest

from shoplake.access.identity import Identity
from shoplake.access.kpi import answer
from shoplake.access.kpi_definition import load_kpis
from shoplake.access.kpi_origins import origins
from shoplake.access.kpi_rows import rows_behind
from shoplake.access.kpi_window import Window
from shoplake.access.rights import Rights
from shoplake.access.sql import query
from shoplake.audit.reading import Wanted, find
from shoplake.errors import AccessDenied
from shoplake.lake.landing import land
from shoplake.pipeline.releases import required
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.access.released import tills, write

FIRST, LAST = dt.date(2026, 3, 1), dt.date(2026, 3, 2)
BOTH = Window(FIRST, LAST)
SALES, NORTH = Identity("sales", "sales"), Identity("north_sales", "sales", {"region": ("North",)})
ANALYST, SUPPORT = Identity("analyst", "analyst"), Identity("support", "support")


def test_a_year_before_are_the_same_days() -> None:
    assert BOTH.a_year_before() == Window(dt.date(2025, 3, 1), dt.date(2025, 3, 2))
    leap = Window(dt.date(2024, 2, 29), dt.date(2024, 3, 4))
    assert leap.a_year_before() == Window(dt.date(2023, 2, 28), dt.date(2023, 3, 4))


def test_a_figure_is_compared_with_days_of_ones_choice(released: Settings) -> None:
    day = Window(LAST, LAST)
    usual = answer(released, "total_sales", from_=LAST, to=LAST, by=["store"], identity=SALES)
    chosen = answer(released, "total_sales", from_=LAST, to=LAST, by=["store"], identity=SALES, against=day.before())
    assert chosen == usual
    assert usual.total.previous is not None
    itself = answer(released, "total_sales", from_=LAST, to=LAST, by=["day"], against=day)
    assert itself.previous_window == day
    assert itself.total.previous == itself.total.value
    assert [row["previous"] for row in itself.rows] == [row["value"] for row in itself.rows]
    year = answer(released, "total_sales", from_=LAST, to=LAST, against=day.a_year_before())
    assert (year.total.previous, year.total.previous_reason) == (None, "no data in the previous window")
    wider = answer(released, "total_sales", from_=FIRST, to=FIRST, against=BOTH)
    assert wider.total.previous == answer(released, "total_sales").total.value
    assert find(released, Wanted(action="kpi"))[-2].detail["against"] == ["2026-03-01", "2026-03-02"]


def test_cases_have_a_curve_for_who_may_tell_them_apart(released: Settings) -> None:
    found = answer(released, "time_to_resolution", identity=SUPPORT)
    assert found.curve[0] | {"previous": None} == {
        "seconds": 0.0,
        "value": 1.0,
        "previous": None,
        "at_risk": found.total.parts["cases_opened"],
        "ended": 0,
    }
    assert found.as_dict()["curve"] == found.curve
    assert answer(released, "time_to_resolution", by=["day"], identity=SUPPORT).curve == []
    assert answer(released, "time_to_resolution", identity=ANALYST).curve == []
    assert "curve" not in answer(released, "total_sales").as_dict()


@pytest.mark.parametrize("kpi", ["total_sales", "stockout_alerts", "product_turnover_rate", "engagement_score"])
def test_the_rows_of_a_figure_are_what_its_query_gives(kpi: str, released: Settings) -> None:
    role = load_kpis()[kpi].team
    who = Identity(role, role)
    found = rows_behind(released, kpi, window=BOTH, where={}, identity=who)
    assert found.rows
    assert len(query(released, found.sql, identity=who).rows) == found.rows


def test_rows_are_those_of_the_filters_and_of_the_person(released: Settings) -> None:
    whole = rows_behind(released, "total_sales", window=BOTH, where={}, identity=SALES)
    north = rows_behind(released, "total_sales", window=BOTH, where={"region": ["North"]}, identity=SALES)
    assert (whole.rows, north.rows) == (4, 2)
    assert rows_behind(released, "total_sales", window=BOTH, where={}, identity=NORTH).rows == 2
    assert "'North'" in north.sql
    quoted = rows_behind(released, "total_sales", window=BOTH, where={"region": ["O'Hara"]}, identity=SALES)
    assert query(released, quoted.sql, identity=SALES).rows == []


def test_who_sees_figures_over_groups_has_no_rows_and_a_stranger_nothing(released: Settings) -> None:
    found = rows_behind(released, "interaction_volume", window=BOTH, where={}, identity=ANALYST)
    assert (found.rows, found.sql) == (None, "")
    with pytest.raises(AccessDenied):
        rows_behind(released, "revenue", window=BOTH, where={}, identity=SALES)
    with pytest.raises(AccessDenied):
        origins(released, required(released, None), load_kpis()["revenue"], BOTH, Rights.of(released, SALES))


def test_the_files_of_a_figure_with_what_is_restated_and_held_back(own_released: Settings, tmp_path: Path) -> None:
    sales, kpi = Rights.of(own_released, SALES), load_kpis()["total_sales"]
    before = required(own_released, None)
    lines = tills(1)
    changed = [*lines[:-1], lines[-1] | {"quantity": 9}, lines[0] | {"transaction_id": "T9", "store_id": "none"}]
    file = write(tmp_path, "pos", "day1", changed)
    settings = own_released.model_copy(update={"quarantine_limit_ratio": 0.5})
    (landed,) = land(settings, "pos", [file])
    assert (landed.status, landed.rows_quarantined) == ("restated", 1)
    held_before = origins(own_released, before, kpi, BOTH, sales)
    assert [file.version for file in held_before.files] == [1, 1], "a release has the files that it was made of"
    run(own_released)
    found = origins(own_released, required(own_released, None), kpi, Window(LAST, LAST), sales)
    (restated,) = found.files
    assert (restated.name, restated.version, restated.rows) == ("pos-day1.csv", 2, 4)
    assert restated.moved is not None
    assert [(one.files, one.rows) for one in found.sources] == [(1, 4)]
    assert [(one.source, one.rows) for one in found.held] == [("pos", 1)]
    assert found.is_counted
    assert origins(own_released, before, kpi, Window(FIRST, FIRST), sales).held == ()
    limited = Rights.of(own_released, NORTH)
    assert not origins(own_released, before, kpi, BOTH, limited).is_counted
    with file.open(encoding="utf-8") as given:
        assert sum(1 for _ in csv.DictReader(given)) == 5
