"""The product range: ids, prices, and how often each product is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoplake.simulator.places import REGIONS
from shoplake.simulator.world import Bools, Floats, Ints, World

CATEGORIES = (
    ("Grocery", 3.2, ("Rice", "Pasta", "Oats", "Olive oil", "Tea", "Honey")),
    ("Drinks", 2.4, ("Juice", "Cola", "Water", "Lemonade", "Cider", "Tonic")),
    ("Bakery", 1.8, ("Loaf", "Baguette", "Brioche", "Muffin", "Crêpe", "Scone")),
    ("Household", 1.3, ("Sponge", "Bin bags", "Detergent", "Candle", "Foil", "Broom")),
    ("Beauty", 1.0, ("Shampoo", "Soap", "Hand cream", "Toothpaste", "Razor", "Balm")),
    ("Clothing", 0.8, ("Socks", "T-shirt", "Scarf", "Jumper", "Gloves", "Belt")),
    ("Toys", 0.6, ("Puzzle", "Blocks", "Kite", "Plush bear", "Card game", "Yo-yo")),
    ("Garden", 0.5, ("Trowel", "Compost", "Seeds", "Planter", "Hose", "Rake")),
    ("Electronics", 0.4, ("Cable", "Headphones", "Lamp", "Charger", "Radio", "Torch")),
    ("Books", 0.4, ("Novel", "Cookbook", "Atlas", "Notebook", "Diary", "Comic")),
)
TYPICAL_PRICES = (2.5, 1.8, 2.2, 4.5, 6.0, 18.0, 15.0, 12.0, 35.0, 11.0)
BRANDS = ("Alder", "Birch & Co", "Calla", "Dunmore", "Elm Row", "Fjell", "Gable", "Hestia", "Own brand")
SMALL_ID_SHARE = 0.5
COST_UNKNOWN_SHARE = 0.03


@dataclass(frozen=True)
class Products:
    """The range; arrays are by the product's place in it, from 0."""

    ids: Ints
    categories: Ints
    prices: Ints
    """List price in cents."""
    costs: Ints
    """Unit cost in cents."""
    cost_is_known: Bools
    popularity: Floats
    """Share of all sale lines; long-tailed."""
    demand: Floats
    """Cumulative shares of each region, one row a region: taste differs by category."""


def build_products(world: World) -> Products:
    """Draw the range; some products have numbers of their own, the others their 13-digit barcode."""
    draws = world.draws("products")
    count = world.products
    categories = draws.permutation(np.arange(count) % len(CATEGORIES))
    typical = np.array(TYPICAL_PRICES)[categories]
    # Prices end in 9 or 5, as prices do.
    tens = np.maximum(np.rint(typical * draws.lognormal(0, 0.45, count) * 10).astype(np.int64), 3)
    prices = tens * 10 - np.where(draws.random(count) < 0.7, 1, 5)  # noqa: PLR2004
    costs = np.rint(prices * draws.uniform(0.45, 0.75, count)).astype(np.int64)
    popularity = 1 / (draws.permutation(count) + 8.0) ** 0.9
    popularity *= np.array([weight for _, weight, _ in CATEGORIES])[categories]
    popularity /= popularity.sum()
    # Only rarely sold products lack a cost, as with listings that nobody looked after.
    is_rare = popularity < np.median(popularity)
    taste = draws.lognormal(0, 0.35, (len(REGIONS), len(CATEGORIES)))
    demand = np.cumsum(popularity * taste[:, categories], axis=1)
    return Products(
        ids=_ids(count, draws),
        categories=categories,
        prices=prices,
        costs=costs,
        cost_is_known=~(is_rare & (draws.random(count) < 2 * COST_UNKNOWN_SHARE)),
        popularity=popularity,
        demand=demand / demand[:, -1:],
    )


def _ids(count: int, draws: np.random.Generator) -> Ints:
    is_small = draws.random(count) < SMALL_ID_SHARE
    small = 101 + np.arange(count)
    return np.where(is_small, small, _barcodes(np.arange(count) * 7 + 31))


def _barcodes(items: Ints) -> Ints:
    """Give EAN-13 numbers with their check digit (GS1 General Specifications, 7.9)."""
    stems = 501_234_000_000 + items
    digits = stems[:, None] // 10 ** np.arange(12) % 10
    total = (digits * np.where(np.arange(12) % 2 == 0, 3, 1)).sum(axis=1)
    barcodes: Ints = stems * 10 + (10 - total % 10) % 10
    return barcodes


def product_rows(products: Products) -> list[dict[str, str]]:
    """Give the range as rows of its reference file."""
    rows = []
    for place, product_id in enumerate(products.ids):
        category, _, things = CATEGORIES[products.categories[place]]
        brand = BRANDS[place % len(BRANDS)]
        cost, price = products.costs[place] / 100, products.prices[place] / 100
        rows.append(
            {
                "product_id": str(product_id),
                "name": f"{brand} {things[place // len(BRANDS) % len(things)]} {place + 1}",
                "category": category,
                "brand": brand,
                "unit_cost": f"{cost:.2f}" if products.cost_is_known[place] else "",
                "list_price": f"{price:.2f}",
            }
        )
    return rows
