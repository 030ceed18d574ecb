"""What cannot be asked is said with what can."""

from __future__ import annotations

from typing import Any

import pytest

from shoplake.access.kpi import answer, answer_all
from shoplake.errors import InputError, NotFoundError, ShoplakeError
from shoplake.settings import Settings
from tests.access.conftest import KpiLab
from tests.warehouse.lab import Row

SALE: Row = {"transaction_id": "a", "store_id": 7, "product_id": 1, "quantity": 1, "revenue": 5.0}


@pytest.mark.parametrize(
    ("asked", "error", "hint"),
    [
        ({"by": ["colour"]}, NotFoundError, "Dimensions: day, store, region, category, product, brand."),
        ({"where": {"colour": "red"}}, NotFoundError, "Dimensions: day, store"),
        ({"where": {"region": []}}, InputError, "region=value"),
        ({"definition": "nett"}, NotFoundError, "Definitions: net, gross"),
        ({"from_": "2026-02-30"}, InputError, "2026-01-31"),
        ({"to": "yesterday"}, InputError, "2026-01-31"),
        ({"from_": "2026-03-02", "to": "2026-03-01"}, InputError, "Swap"),
    ],
)
def test_an_unusable_question_says_what_would_be_usable(
    kpis: KpiLab, asked: dict[str, Any], error: type[ShoplakeError], hint: str
) -> None:
    import datetime as dt

    kpis.land("pos", [SALE | {"discount_applied": None, "timestamp": dt.datetime(2026, 3, 2)}])
    with pytest.raises(error) as caught:
        kpis.ask("total_sales", **asked)
    assert hint in caught.value.hint


def test_an_unknown_kpi_and_team_list_those_that_exist(settings: Settings) -> None:
    with pytest.raises(NotFoundError, match="'sales_total'") as caught:
        answer(settings, "sales_total")
    assert "total_sales" in caught.value.hint
    with pytest.raises(NotFoundError, match="'hr'") as caught:
        answer_all(settings, team="hr")
    assert caught.value.hint == "Teams: finance, marketing, operations, sales, support."


def test_before_the_first_release_there_is_nothing_to_answer_from(settings: Settings) -> None:
    for ask in (lambda: answer(settings, "total_sales"), lambda: answer_all(settings)):
        with pytest.raises(NotFoundError, match="Nothing has been released yet"):
            ask()
