"""How large the simulated world is, and where its chance comes from."""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
SATURDAY, SUNDAY = 5, 6
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class World:
    """The settings of a simulated retailer; the same settings give the same bytes."""

    seed: int = 7
    days: int = 60
    stores: int = 40
    warehouses: int = 6
    products: int = 2_000
    first_day: dt.date = dt.date(2026, 1, 1)
    sale_lines: int = 1_500_000
    inventory_rows: int = 2_200_000
    """Every product in every warehouse is counted once a day at least, so there are never fewer rows than that."""
    web_events: int = 400_000
    interactions: int = 40_000
    customers: int = 20_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "seed" else 1
            if isinstance(value, int) and value < least:
                raise ValueError(f"a world needs {field.name} of {least} or more, not {value}")

    def scaled(self, factor: float) -> World:
        """Give a world with ``factor`` times the rows over the same days.

        Stores, warehouses and products grow more slowly than rows do, as they would in a growing company.

        Raises:
            ValueError: the factor is not above 0.

        """
        if not factor > 0 or math.isinf(factor):
            raise ValueError(f"a world is scaled by a number above 0, not by {factor}")
        if factor == 1:
            return self
        rows = {
            name: max(1, round(getattr(self, name) * factor))
            for name in ("sale_lines", "inventory_rows", "web_events", "interactions")
        }
        warehouses = max(min(self.warehouses, 2), round(self.warehouses * factor**0.25))
        # The daily count of every pair may take 60 % of the stock rows, so that some are left for what moves.
        countable = int(0.6 * rows["inventory_rows"] / (self.days * warehouses))
        return replace(
            self,
            stores=max(min(self.stores, 3), round(self.stores * factor**0.5)),
            warehouses=warehouses,
            products=max(min(self.products, 10), min(round(self.products * factor**0.5), countable)),
            customers=max(min(self.customers, 20), round(self.customers * factor)),
            **rows,
        )

    def draws(self, purpose: str, number: int = 0) -> np.random.Generator:
        """Give the source of chance for one purpose and day; it depends on nothing that was drawn before."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode()), number])

    def date(self, number: int) -> dt.date:
        """Give the date of a day by its number from 0."""
        return self.first_day + dt.timedelta(days=number)

    def midnight(self, number: int) -> int:
        """Give the epoch second at which a day begins."""
        return (self.date(number) - EPOCH).days * DAY_SECONDS

    def shape(self, weekdays: tuple[float, ...]) -> Floats:
        """Give each day's share of a total: by weekday, with a slow season and a rise around pay day."""
        dates = [self.date(number) for number in range(self.days)]
        season = [1 + 0.12 * math.sin(2 * math.pi * (date.timetuple().tm_yday - 80) / 365) for date in dates]
        pay_day = [1.08 if date.day >= 27 or date.day <= 2 else 1.0 for date in dates]  # noqa: PLR2004
        weights = np.array([weekdays[d.weekday()] * s * p for d, s, p in zip(dates, season, pay_day, strict=True)])
        shares: Floats = weights / weights.sum()
        return shares

    def daily(self, total: int, weekdays: tuple[float, ...]) -> Ints:
        """Split a total over the days by their shape; the parts add up to it exactly."""
        ends = np.rint(np.cumsum(self.shape(weekdays)) * total).astype(np.int64)
        return np.diff(ends, prepend=0)


@dataclass(frozen=True)
class Written:
    """What was written, by source; the restated day stands under ``later/pos``."""

    files: Mapping[str, tuple[Path, ...]]
    rows: Mapping[str, int]
