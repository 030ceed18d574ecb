"""A released home with two regions, costs, customers' words and a user of each role: what access tests look at."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.identity import Identity
from shoplake.access.login import open_logins
from shoplake.access.policy import load_policy
from shoplake.access.releasing import apply
from shoplake.lake.landing import land
from shoplake.pipeline.init import init_home
from shoplake.pipeline.run import run
from shoplake.settings import Settings, load_settings
from tests.journey.world import COLUMNS, DAY, FIRST
from tests.once import made_once

COST, OTHER_COST = 43210.98, 71.5
SOUTH = "SouthCanary"
"""Name of the other region, of its store and of its warehouse."""
WORDS = "WordsCanary"
TEXT_DAYS = 36_500
"""The world is older than the messages that a release holds by default."""
STORES = [
    {"store_id": 1, "name": "Shop N", "region": "North", "country": "X", "warehouse_id": 11},
    {"store_id": 2, "name": f"Shop {SOUTH}", "region": SOUTH, "country": "X", "warehouse_id": 12},
]
WAREHOUSES = [
    {"warehouse_id": 11, "name": "Depot N", "region": "North"},
    {"warehouse_id": 12, "name": f"Depot {SOUTH}", "region": SOUTH},
]
LIMITED = {"north_sales": "sales", "north_operations": "operations", "north_finance": "finance"}
"""Users who see one region, with their role; of every role there is one more who is not limited, named as the role."""


def products(cost: float = COST) -> list[dict[str, Any]]:
    costs = {1: cost, 2: cost / 2}
    return [
        {"product_id": n, "name": f"Thing {n}", "category": "Tea", "brand": "B", "unit_cost": costs[n], "list_price": 9}
        for n in costs
    ]


def tills(day: int) -> list[dict[str, Any]]:
    at = FIRST + day * DAY + 36_000
    lines = [
        (f"T{day}{store}{product}", store, product, product, 10.0 * store, None, at)
        for store in (1, 2)
        for product in (1, 2)
    ]
    return [dict(zip(COLUMNS["pos"], line, strict=True)) for line in lines]


def counts(day: int) -> list[dict[str, Any]]:
    at = FIRST + day * DAY + 30_000
    rows = [(n * 10 + day, n, warehouse, 1 + 2 * day, 4, at + n) for n in (1, 2) for warehouse in (11, 12)]
    return [dict(zip(COLUMNS["inventory"], row, strict=True)) for row in rows]


def contacts(day: int, words: str = WORDS) -> list[dict[str, Any]]:
    """Seven customers by email, two of them by app too, one by phone."""
    at = FIRST + day * DAY + 20_000
    asked = [(n, "Email") for n in range(101, 108)] + [(101, "App"), (102, "App"), (103, "Phone")]
    return [
        {
            "customer_id": customer,
            "interaction_type": "Complaint" if customer == 101 else "Feedback",
            "channel": channel,
            "rating": 4,
            "message_excerpt": f"{words} {customer}",
            "timestamp": at + n,
        }
        for n, (customer, channel) in enumerate(asked)
    ]


def visits(day: int) -> list[dict[str, Any]]:
    at = FIRST + day * DAY + 25_000
    return [
        {
            "session_id": f"s{day}-{customer}",
            "user_id": customer,
            "page": "/tea",
            "device_type": "Mobile",
            "browser": "Firefox",
            "event_type": "View",
            "timestamp": at + customer,
        }
        for customer in range(101, 108)
    ]


def write(folder: Path, source: str, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if source in {"interactions", "web_events"}:
        path = folder / f"{source}-{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path
    path = folder / f"{source}-{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def land_day(settings: Settings, folder: Path, day: int, words: str = WORDS) -> None:
    for source, rows in (
        ("pos", tills(day)),
        ("inventory", counts(day)),
        ("interactions", contacts(day, words)),
        ("web_events", visits(day)),
    ):
        (landed,) = land(settings, source, [write(folder, source, f"day{day}", rows)])
        assert landed.status == "landed"
        assert landed.rows_landed == len(rows)


def land_world(settings: Settings, folder: Path, *, cost: float = COST, days: int = 2, words: str = WORDS) -> None:
    for source, rows in (("stores", STORES), ("warehouses", WAREHOUSES), ("products", products(cost))):
        land(settings, source, [write(folder, source, "all", rows)])
    for day in range(days):
        land_day(settings, folder, day, words)


def add_users(settings: Settings) -> None:
    """Make a user of every role, and limited ones; none of them has a password that fits."""
    with open_logins(settings) as logins:
        for role in load_policy(settings).roles:
            logins.users.add(role, role, {}, "unset")
        for name, role in LIMITED.items():
            logins.users.add(name, role, {"region": ["North"]}, "unset")


def identities(settings: Settings) -> list[Identity]:
    """Give who the users of the home are."""
    from shoplake.access.login import identity_of

    with open_logins(settings) as logins:
        return [identity_of(user) for user in logins.users.list()]


def make_released(home: Path) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "settings.toml").write_text(f"message_text_days = {TEXT_DAYS}\n", encoding="utf-8")
    settings = load_settings(home)
    init_home(settings)
    land_world(settings, home.with_name("files"))
    run(settings)
    add_users(settings)
    apply(settings)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Settings:
    """Give a home that all tests read and none changes; processes that run tests side by side share it."""
    folder = made_once(tmp_path_factory, worker_id, "released", lambda folder: make_released(folder / "home"))
    return load_settings(folder / "home")


@pytest.fixture
def own_released(released: Settings, tmp_path: Path) -> Settings:
    """Give a copy of the released home that a test may change."""
    shutil.copytree(released.home, tmp_path / "copy")
    return load_settings(tmp_path / "copy")
