"""Search finds things by name, title, synonym and words, in English and German, with typing errors, at once."""

from __future__ import annotations

import time

import pytest

from shoplake.catalogue.opening import Catalogue, open_catalogue
from shoplake.catalogue.search import Index, counted
from shoplake.portal.pages.language import language_of
from shoplake.settings import load_settings

FIRST = {
    "total_sales": "total_sales",
    "Total sales": "total_sales",
    "takings": "total_sales",
    "Umsatz": "total_sales",
    "erlos": "revenue",
    "Erlös": "revenue",
    "bonce rate": "bounce_rate",
    "Absprungrate": "bounce_rate",
    "csat": "feedback_score.csat",
    "pos.revenue": "pos.revenue",
    "fct_sale_lines": "fct_sale_lines",
    "warehouse.fct_sale_lines": "fct_sale_lines",
    "sale_lines": "fct_sale_lines",
    "store": "dim_store",
    "customer": "dim_customer",
    "stores": "stores",
    "mart_sales__store_day.net_amount": "mart_sales__store_day.net_amount",
    "net sales": "total_sales.net",
    "invetory": "inventory_turnover",
}
"""What comes first."""
SLOWEST_SECONDS = 0.1


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return open_catalogue(load_settings(tmp_path_factory.mktemp("catalogue")))


@pytest.fixture(scope="module")
def index(catalogue: Catalogue) -> Index:
    return Index(catalogue, [language_of("de").text])


def names(index: Index, query: str) -> list[str]:
    return [f"{f.ref.name}.{f.ref.column}" if f.ref.column else f.ref.name for f in index.find(query)]


@pytest.mark.parametrize("query", FIRST)
def test_what_is_meant_comes_first(index: Index, query: str) -> None:
    assert names(index, query)[0] == FIRST[query]


def test_all_words_must_fit(index: Index) -> None:
    assert "revenue" in names(index, "margin")
    found = names(index, "gross margin")
    assert {"revenue", "revenue.gross_margin"} <= set(found)
    assert "pos.revenue" not in found
    assert names(index, "gross zebra") == []


def test_words_of_the_docs_are_found_after_names(index: Index) -> None:
    found = names(index, "pseudonym")
    assert "fct_interactions.customer_key" in found
    assert names(index, "barcode")[0] == "pos.product_id"


@pytest.mark.parametrize("query", ["", "   ", "%&/()", "x" * 5_000, "zebra", "' or 1=1 --", "\0"])
def test_nothing_is_found_by_nothing(index: Index, query: str) -> None:
    assert index.find(query) == []


def test_everything_is_found_by_its_own_name(catalogue: Catalogue, index: Index) -> None:
    for ref, entry in catalogue.entries.items():
        assert index.find(ref.name)[0].ref == ref
        for column in entry.columns:
            assert index.find(f"{ref.name}.{column.name}")[0].ref == ref._replace(column=column.name)


def test_no_query_takes_long(index: Index) -> None:
    index.find("misspelt")  # loads what compares words
    for query in (
        *FIRST,
        "a",
        "e",
        "sale date of the stores and what they sold",
        "aaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbb",
    ):
        started = time.process_time()
        index.find(query)
        assert time.process_time() - started < SLOWEST_SECONDS, query


def test_what_was_found_is_counted_by_kind(index: Index) -> None:
    assert counted(index.find("pos.revenue"))["column"] >= 1
