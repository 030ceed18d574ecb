"""What the tills ring up in a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shoplake.simulator.lines import csv_lines
from shoplake.simulator.places import REGIONS, Places
from shoplake.simulator.products import Products
from shoplake.simulator.world import HOUR_SECONDS, SUNDAY, Bools, Floats, Ints, World

COLUMNS = ("transaction_id", "store_id", "product_id", "quantity", "revenue", "discount_applied", "timestamp")
WEEKDAYS = (0.84, 0.82, 0.88, 0.96, 1.18, 1.42, 0.90)
# Baskets by number of lines, 1 to 12.
BASKET_SIZES = np.array([30, 22, 14, 9, 7, 5, 4, 3, 2.5, 1.5, 1.2, 0.8])
QUANTITIES = np.array([1, 2, 3, 4, 6, 10])
QUANTITY_SHARES = (0.74, 0.15, 0.05, 0.03, 0.02, 0.01)
DISCOUNT_PERCENTS = np.array([5, 10, 15, 20, 25, 50])
DISCOUNT_SHARES = (0.25, 0.34, 0.15, 0.16, 0.07, 0.03)
DISCOUNTED, ZERO_DISCOUNT = 0.20, 0.10
RETURNS = 0.015
LOST_WHEN_OUT = 0.8
"""Share of sales that a store loses when its warehouse has none; the rest comes off its own shelves."""
WEEK_HOURS = {9: 5, 10: 7, 11: 9, 12: 11, 13: 10, 14: 8, 15: 8, 16: 9, 17: 12, 18: 11, 19: 7, 20: 3}
SUNDAY_HOURS = {10: 6, 11: 10, 12: 12, 13: 12, 14: 11, 15: 9, 16: 6}


@dataclass(frozen=True)
class SaleDay:
    """The sale lines of a day in the order of their time, as columns."""

    baskets: Ints
    stores: Ints
    """Place of the store in ``Places``."""
    products: Ints
    """Place of the product in ``Products``."""
    quantities: Ints
    revenues: Ints
    """Cents, before discount."""
    discounts: Ints
    """Cents; 0 where none is given."""
    has_discount: Bools
    seconds: Ints

    def __len__(self) -> int:
        return len(self.baskets)


class Tills:
    """Gives the sales day by day."""

    def __init__(self, world: World, places: Places, products: Products) -> None:
        self.world, self.places, self.products = world, places, products
        self.lines = world.daily(world.sale_lines, WEEKDAYS)

    def day(self, number: int, is_out: Bools) -> SaleDay:
        """Draw the sales of a day.

        Args:
            number: of the day, from 0.
            is_out: for each warehouse and product, whether none is left as the day begins.

        """
        wanted = int(self.lines[number])
        draws = self.world.draws("sales", number)
        # Some lines fall away again (a product twice in a basket, none in stock), so more are drawn than wanted.
        mean = float((BASKET_SIZES * np.arange(1, 13)).sum() / BASKET_SIZES.sum())
        sizes = draws.choice(12, int(wanted * 1.5 / mean) + 40, p=BASKET_SIZES / BASKET_SIZES.sum()) + 1
        stores = draws.choice(self.world.stores, len(sizes), p=self.places.store_weights)
        moments = self._moments(number, len(sizes), draws)
        is_return = draws.random(len(sizes)) < RETURNS
        basket = np.repeat(np.arange(len(sizes)), sizes)
        product = self._products(stores[basket], draws)
        kept = self._sellable(basket, product, stores[basket], is_out, draws)
        basket, product = basket[kept][:wanted], product[kept][:wanted]
        order = np.lexsort((basket, moments[basket]))
        basket, product = basket[order], product[order]
        quantity = draws.choice(QUANTITIES, len(basket), p=QUANTITY_SHARES)
        revenue = quantity * self.products.prices[product]
        discount, has_discount = _discounts(revenue, draws)
        sign = np.where(is_return[basket], -1, 1)
        return SaleDay(
            baskets=np.cumsum(np.diff(basket, prepend=-1) != 0),
            stores=stores[basket],
            products=product,
            quantities=quantity * sign,
            revenues=revenue * sign,
            discounts=discount * sign,
            has_discount=has_discount,
            seconds=moments[basket],
        )

    def _moments(self, number: int, count: int, draws: np.random.Generator) -> Ints:
        is_sunday = self.world.date(number).weekday() == SUNDAY
        hours = SUNDAY_HOURS if is_sunday else WEEK_HOURS
        shares = np.array(list(hours.values()), float)
        hour = draws.choice(np.array(list(hours)), count, p=shares / shares.sum())
        opening: Ints = self.world.midnight(number) + hour * HOUR_SECONDS
        return opening + draws.integers(0, HOUR_SECONDS, count)

    def _products(self, stores: Ints, draws: np.random.Generator) -> Ints:
        regions, chance = self.places.store_regions[stores], draws.random(len(stores))
        product = np.empty(len(stores), np.int64)
        for region in range(len(REGIONS)):
            mine = regions == region
            product[mine] = np.searchsorted(self.products.demand[region], chance[mine], side="right")
        return np.minimum(product, self.world.products - 1)

    def _sellable(self, basket: Ints, product: Ints, stores: Ints, is_out: Bools, draws: np.random.Generator) -> Ints:
        """Give the lines that are sold: each product once a basket, and few of what is out of stock."""
        first: Ints = np.unique(basket * self.world.products + product, return_index=True)[1]
        first.sort()
        pairs = self.places.store_warehouses[stores] * self.world.products + product
        is_lost = is_out[pairs[first]] & (draws.random(len(first)) < LOST_WHEN_OUT)
        sold: Ints = first[~is_lost]
        return sold

    def rendered(self, number: int, day: SaleDay) -> list[str]:
        """Write the lines of a day as CSV, without a header."""
        stores = pa.array(self.places.store_ids[day.stores])
        counters = pc.utf8_lpad(pa.array(day.baskets).cast(pa.string()), 6, "0")
        prefix = f"-{self.world.date(number):%y%m%d}-"
        transactions = pc.binary_join_element_wise("S", stores.cast(pa.string()), prefix, counters, "")
        return csv_lines(
            [
                transactions,
                stores,
                pa.array(self.products.ids[day.products]),
                pa.array(day.quantities),
                pa.array(day.revenues / 100),
                pa.array(day.discounts / 100, mask=~day.has_discount),
                pa.array(day.seconds),
            ]
        )


def _discounts(revenue: Ints, draws: np.random.Generator) -> tuple[Ints, Bools]:
    chance: Floats = draws.random(len(revenue))
    percent = draws.choice(DISCOUNT_PERCENTS, len(revenue), p=DISCOUNT_SHARES)
    discount = np.where(chance < DISCOUNTED, np.maximum(revenue * percent // 100, 1), 0)
    return discount, chance < DISCOUNTED + ZERO_DISCOUNT
