"""What lies in the warehouses hour by hour, and which of it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shoplake.simulator.lines import csv_lines
from shoplake.simulator.places import Places
from shoplake.simulator.products import Products
from shoplake.simulator.sales import SaleDay
from shoplake.simulator.world import HOUR_SECONDS, Bools, Floats, Ints, World

COLUMNS = ("inventory_id", "product_id", "warehouse_id", "stock_level", "restock_threshold", "last_updated")
HOURS = 24
THRESHOLD_DAYS, TARGET_DAYS = 4.0, 13.0
"""Days of demand at which more is ordered, and up to which."""
NO_THRESHOLD = 0.05
OVERSELLS = 0.03
"""Share of pairs whose system promises more than there is."""
DEEPEST = -6
LATE_ORDERS = 0.05
DELIVERY_HOURS = (5, 11)
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class CountDay:
    """The counts of a day in the order of their time, as columns."""

    pairs: Ints
    levels: Ints
    hours: Ints
    seconds: Ints
    first_id: int
    """Id of the first count; the next ones follow."""

    def __len__(self) -> int:
        return len(self.pairs)


class Stock:
    """Carries the levels from day to day. A pair is a product in a warehouse: warehouse x products + product."""

    def __init__(self, world: World, places: Places, products: Products) -> None:
        self.world, self.places, self.products = world, places, products
        draws = world.draws("stock")
        pairs = world.warehouses * world.products
        demand = self._expected_demand()
        self.reorder_point = np.ceil(demand * THRESHOLD_DAYS).astype(np.int64) + 1
        self.target = np.maximum(np.ceil(demand * TARGET_DAYS).astype(np.int64), self.reorder_point + 3)
        self.has_threshold = draws.random(pairs) >= NO_THRESHOLD
        self.oversells = draws.random(pairs) < OVERSELLS
        self.levels = draws.integers(self.reorder_point // 2, self.target + 1)
        self.due_day = np.full(pairs, NEVER)
        self.count_hour = draws.integers(0, HOURS, pairs)
        self.counted = 0

    def _expected_demand(self) -> Floats:
        """Give the units a day that each pair should meet."""
        shares = np.zeros((self.world.warehouses, self.products.demand.shape[0]))
        np.add.at(shares, (self.places.store_warehouses, self.places.store_regions), self.places.store_weights)
        taste = np.diff(self.products.demand, axis=1, prepend=0)
        units_per_line = 1.5
        demand: Floats = (shares @ taste).ravel() * (units_per_line * self.world.sale_lines / self.world.days)
        return demand

    @property
    def is_out(self) -> Bools:
        """Whether none is left, for each pair."""
        return self.levels <= 0

    def day(self, number: int, sales: SaleDay) -> CountDay:
        """Move the levels by a day's sales and deliveries, and count some of them."""
        draws = self.world.draws("counts", number)
        delivery_hour = draws.integers(*DELIVERY_HOURS, len(self.levels))
        is_due = self.due_day <= number
        taken = self._taken(number, sales)
        floor = np.where(self.oversells, DEEPEST, 0)
        after = np.empty((HOURS, len(self.levels)), np.int64)
        moved = np.empty_like(after)
        level = self.levels
        for hour in range(HOURS):
            arrives = is_due & (delivery_hour == hour)
            # A level below its floor never came from sales, so it is not lifted to it.
            left = np.maximum(level - taken[hour], np.minimum(floor, level))
            left = np.where(arrives, np.maximum(self.target, left), left)
            after[hour], moved[hour] = left, np.abs(left - level)
            level = left
        self.levels = level
        self.due_day[is_due] = NEVER
        self._order(number, draws)
        return self._count(number, after, moved, draws)

    def _taken(self, number: int, sales: SaleDay) -> Ints:
        """Give the units that left each pair in each hour; returns come back."""
        pairs = self.places.store_warehouses[sales.stores] * self.world.products + sales.products
        hours = (sales.seconds - self.world.midnight(number)) // HOUR_SECONDS
        size = HOURS * len(self.levels)
        taken = np.bincount(hours * len(self.levels) + pairs, weights=sales.quantities, minlength=size)
        return taken.astype(np.int64).reshape(HOURS, -1)

    def _order(self, number: int, draws: np.random.Generator) -> None:
        """Order what fell to its reorder point; most comes in one to three days, some far later."""
        pairs = np.flatnonzero((self.levels <= self.reorder_point) & (self.due_day == NEVER))
        days = draws.integers(1, 4, len(pairs))
        is_late = draws.random(len(pairs)) < LATE_ORDERS
        self.due_day[pairs] = number + np.where(is_late, draws.integers(6, 22, len(pairs)), days)

    def _count(self, number: int, after: Ints, moved: Ints, draws: np.random.Generator) -> CountDay:
        """Choose the day's counts: every pair at its own hour, then those that moved most until the quota is met."""
        pairs = after.shape[1]
        is_counted = np.zeros(after.shape, np.bool_)
        is_counted[self.count_hour, np.arange(pairs)] = True
        days_left = self.world.days - number
        quota = (self.world.inventory_rows - self.counted) // days_left - pairs
        spare = min(max(quota, 0), after.size - pairs)
        if spare:
            # Ties, and hours when nothing moved, are settled by chance.
            worth = moved / (1 + 0.05 * np.abs(after)) + draws.random(after.shape) * 0.1
            worth[is_counted] = -1
            most = np.argpartition(worth.ravel(), after.size - spare)[after.size - spare :]
            is_counted.ravel()[most] = True
        hours, counted = np.nonzero(is_counted)
        within = draws.integers(0, HOUR_SECONDS, len(hours))
        order = np.lexsort((within, hours))
        hours, counted = hours[order], counted[order]
        first_id = self.counted + 1
        self.counted += len(hours)
        return CountDay(
            pairs=counted,
            levels=after[hours, counted],
            hours=hours,
            seconds=self.world.midnight(number) + hours * HOUR_SECONDS + within[order],
            first_id=first_id,
        )

    def rendered(self, day: CountDay) -> list[list[str]]:
        """Write the counts of a day as CSV lines without a header, one list an hour."""
        warehouse, product = np.divmod(day.pairs, self.world.products)
        lines = csv_lines(
            [
                pa.array(day.first_id + np.arange(len(day))),
                pa.array(self.products.ids[product]),
                pa.array(self.places.warehouse_ids[warehouse]),
                pa.array(day.levels),
                pa.array(self.reorder_point[day.pairs], mask=~self.has_threshold[day.pairs]),
                pa.array(day.seconds),
            ]
        )
        ends = np.searchsorted(day.hours, np.arange(HOURS + 1))
        return [lines[ends[hour] : ends[hour + 1]] for hour in range(HOURS)]
