"""Customers complain, are answered within days, rate and sometimes write."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import mean, median
from typing import Any

import pytest

from tests.simulator.conftest import Small

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def plain(small: Small) -> Rows:
    return [
        row
        for row in small.json("interactions")
        if isinstance(row["customer_id"], int)
        and isinstance(row["timestamp"], float)
        and 1e9 < row["timestamp"] < 3e9
        and row["interaction_type"] in {"Feedback", "Loyalty", "Complaint"}
    ]


def test_feedback_is_most_common(plain: Rows) -> None:
    kinds = Counter(row["interaction_type"] for row in plain)
    assert kinds["Feedback"] > kinds["Complaint"] > 0
    assert kinds["Feedback"] > kinds["Loyalty"] > 0


def test_complaints_are_rated_low_and_loyalty_high(plain: Rows) -> None:
    ratings = defaultdict(list)
    for row in plain:
        if isinstance(row["rating"], int):
            ratings[row["interaction_type"]].append(row["rating"])
    assert mean(ratings["Complaint"]) < 2.2
    assert 3.4 < mean(ratings["Feedback"]) < mean(ratings["Loyalty"])


def test_ratings_channels_and_messages_are_sometimes_missing(plain: Rows) -> None:
    for name, least, most in (("rating", 0.2, 0.5), ("channel", 0.02, 0.07), ("message_excerpt", 0.18, 0.32)):
        assert least < sum(row[name] is None for row in plain) / len(plain) < most, name


def test_early_complaints_are_mostly_followed_by_contentment_within_days(small: Small, plain: Rows) -> None:
    by_customer = defaultdict(list)
    for row in plain:
        by_customer[row["customer_id"]].append(row)
    second_day = small.world.midnight(1)
    waits, complaints = [], 0
    for rows in by_customer.values():
        for complaint in rows:
            if complaint["interaction_type"] == "Complaint" and complaint["timestamp"] < second_day:
                complaints += 1
                later = [
                    row["timestamp"] - complaint["timestamp"]
                    for row in rows
                    if row["interaction_type"] != "Complaint" and row["timestamp"] > complaint["timestamp"]
                ]
                waits += [min(later)] if later else []
    assert len(waits) > 0.5 * complaints > 20
    assert 0.2 * 86_400 < median(waits) < 3 * 86_400


def test_messages_hold_personal_data_in_words_beyond_ascii(plain: Rows) -> None:
    messages = {row["message_excerpt"] for row in plain if isinstance(row["message_excerpt"], str)}
    assert any("@" in message for message in messages)
    assert any("07700 900" in message for message in messages)
    assert any(not message.isascii() for message in messages)
