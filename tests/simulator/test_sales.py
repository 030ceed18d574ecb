"""Baskets, returns, discounts, hours and popularity are those of shops."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict

import pytest

from tests.simulator.conftest import Small

Row = dict[str, str]


@pytest.fixture(scope="module")
def plain(small: Small) -> list[Row]:
    """Give the lines that hold a number wherever one is due."""
    found = []
    for row in small.csv("pos"):
        texts = (row["store_id"], row["product_id"], row["quantity"].lstrip("-"), row["timestamp"] or "")
        is_money = row["revenue"].lstrip("-").replace(".", "").isdecimal() and row["discount_applied"] != "10%"
        is_sale = is_money and row["transaction_id"].startswith("S")
        if is_sale and all(text.isdecimal() for text in texts) and len(texts[3]) == 10:
            found.append(row)
    assert len(found) > 0.97 * small.written.rows["pos"]
    return found


def test_baskets_have_one_to_twelve_lines_each_of_another_product(plain: list[Row]) -> None:
    baskets: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in plain:
        baskets[row["transaction_id"]][row["product_id"].lstrip("0")] += 1
    sizes = Counter(len(products) for products in baskets.values())
    assert set(range(1, 9)) <= set(sizes) <= set(range(1, 13))
    assert sizes[1] > sizes[3] > sizes[8]
    again = sum(count - 1 for products in baskets.values() for count in products.values())
    # Only duplicates and conflicts repeat a product.
    assert again < 0.01 * len(plain)


def test_a_basket_is_of_one_store_and_moment(plain: list[Row]) -> None:
    moments = defaultdict(set)
    for row in plain:
        moments[row["transaction_id"]].add((int(row["store_id"]), row["timestamp"]))
    odd = [found for found in moments.values() if len(found) > 1]
    assert len(odd) < 0.01 * len(moments)


def test_returns_take_back_goods_and_money(plain: list[Row]) -> None:
    negative = [row for row in plain if row["quantity"].startswith("-")]
    assert 0.005 < len(negative) / len(plain) < 0.035
    with_money = [row for row in negative if row["revenue"].startswith("-")]
    assert len(with_money) > 0.9 * len(negative)
    # A discount on a return is not above 0, but for the lines that break that rule.
    wrong = [row for row in with_money if float(row["discount_applied"] or 0) > 0]
    assert len(wrong) < 0.1 * len(with_money)


def test_a_fifth_of_the_lines_has_a_discount_below_its_revenue(plain: list[Row]) -> None:
    discounts = [(abs(float(row["discount_applied"] or 0)), abs(float(row["revenue"]))) for row in plain]
    assert sum(off > 0 for off, _ in discounts) / len(plain) == pytest.approx(0.20, abs=0.03)
    assert sum(off > full / 2 + 0.01 for off, full in discounts) < 0.005 * len(plain)


def test_tills_ring_in_opening_hours_and_shorter_ones_on_sundays(plain: list[Row]) -> None:
    moments = [dt.datetime.fromtimestamp(int(row["timestamp"]), dt.UTC) for row in plain]
    # 2026-01-04 is a Sunday.
    sunday = {m.hour for m in moments if m.date() == dt.date(2026, 1, 4)}
    assert sunday == set(range(10, 17))
    saturday = Counter(m.hour for m in moments if m.date() == dt.date(2026, 1, 3))
    assert set(saturday) == set(range(9, 21))
    assert saturday[17] > saturday[9]


def test_saturdays_sell_most(small: Small) -> None:
    lines = {name: len(found) for name, found in small.lines("pos").items()}
    assert max(lines, key=lambda name: lines[name]) == "pos_2026-01-03.csv"


def test_a_few_products_sell_most_and_regions_differ_in_taste(small: Small, plain: list[Row]) -> None:
    sold = Counter(row["product_id"].lstrip("0") for row in plain)
    top = sum(count for _, count in sold.most_common(6))
    assert top > 0.25 * len(plain)
    regions = {row["store_id"]: row["region"] for row in small.csv("stores")}
    by_region: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in plain:
        if row["store_id"] in regions:
            by_region[regions[row["store_id"]]][row["product_id"]] += 1
    favourites = {region: tuple(p for p, _ in counts.most_common(5)) for region, counts in by_region.items()}
    assert len(set(favourites.values())) > 1
