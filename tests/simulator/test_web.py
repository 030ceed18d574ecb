"""Visits to the web shop last, bounce, pause and cross midnight as visits do."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from tests.simulator.conftest import Small

Sessions = list[list[dict[str, Any]]]


def test_about_a_third_of_the_sessions_is_a_single_event(sessions: Sessions) -> None:
    assert sum(len(events) == 1 for events in sessions) / len(sessions) == pytest.approx(0.35, abs=0.04)


def test_about_two_in_five_sessions_are_signed_in_and_keep_their_customer(small: Small, sessions: Sessions) -> None:
    users = [{e["user_id"] for e in events if isinstance(e["user_id"], int | None)} for events in sessions]
    assert sum(None not in found for found in users) / len(users) == pytest.approx(0.40, abs=0.05)
    assert sum(len(found) > 1 for found in users) < 0.01 * len(users)
    known = {row["customer_id"] for row in small.json("interactions") if isinstance(row["customer_id"], int)}
    assert known & {user for found in users for user in found}


def test_events_follow_each_other_in_seconds_and_a_few_after_a_long_pause(sessions: Sessions) -> None:
    gaps = [b["timestamp"] - a["timestamp"] for events in sessions for a, b in pairwise(events)]
    assert 10 < median(gaps) < 60
    assert 0.002 < sum(gap > 1800 for gap in gaps) / len(gaps) < 0.03


def test_some_sessions_cross_midnight(sessions: Sessions) -> None:
    days = [{dt.datetime.fromtimestamp(e["timestamp"], dt.UTC).date() for e in events} for events in sessions]
    assert sum(len(found) == 2 for found in days) > 3


def test_devices_and_browsers_belong_together(sessions: Sessions) -> None:
    pairs = Counter((e["device_type"], e["browser"]) for events in sessions for e in events)
    devices = Counter(e["device_type"] for events in sessions for e in events)
    assert devices["Mobile"] > devices["Desktop"] > devices["Tablet"] > 0
    assert devices[None] > 0
    assert pairs["Desktop", "Samsung Internet"] == 0
    assert pairs["Mobile", "Samsung Internet"] > 0


def test_visitors_look_at_the_products_that_sell(small: Small, sessions: Sessions) -> None:
    pages = Counter(e["page"] for events in sessions for e in events)
    assert pages.most_common(1)[0][0] == "/"
    seen = [page.removeprefix("/product/") for page, _ in pages.most_common() if page and page.startswith("/product/")]
    ids = {row["product_id"] for row in small.csv("products")}
    assert set(seen) <= ids
    sold = [product for product, _ in Counter(row["product_id"] for row in small.csv("pos")).most_common(12)]
    assert len(set(seen[:12]) & set(sold)) >= 6


def test_views_come_before_clicks_and_scrolls(sessions: Sessions) -> None:
    kinds = Counter(e["event_type"] for events in sessions for e in events)
    assert kinds["View"] > kinds["Click"] > kinds["Scroll"] > kinds[None] > 0
