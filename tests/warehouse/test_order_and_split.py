"""Any order and any split of the same rows ends in the same tables as one full build."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.lab import Compiled, Lab, Row

START = dt.datetime(2026, 1, 20)
PROVENANCE = {"_file_id", "_line"}
ADVISORY = {"fct_web_sessions__lasts_less_than_a_day"}
QUICK = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def sale(rng: random.Random) -> Row:
    return {
        "transaction_id": f"t{rng.randint(1, 6)}",
        "store_id": rng.randint(1, 3),
        "product_id": rng.randint(1, 3),
        "quantity": rng.randint(0, 2),
        "revenue": float(rng.randint(0, 3)),
        "discount_applied": rng.choice([None, 0.0]),
        "timestamp": START + dt.timedelta(hours=12 * rng.randint(0, 20)),
    }


def count(rng: random.Random) -> Row:
    return {
        "inventory_id": rng.randint(1, 3),
        "product_id": rng.randint(1, 2),
        "warehouse_id": 1,
        "stock_level": rng.randint(-2, 6),
        "restock_threshold": rng.choice([None, 2, 3]),
        "last_updated": START + dt.timedelta(hours=rng.choice([rng.randint(0, 60), 8 * rng.randint(0, 120)])),
    }


def interaction(rng: random.Random) -> Row:
    return {
        "customer_id": f"c{rng.randint(1, 2)}",
        "interaction_type": rng.choice(["Complaint", "Complaint", "Feedback", "Loyalty"]),
        "channel": rng.choice([None, "Email", "Phone"]),
        "rating": rng.choice([None, 1, 2, 3, 5]),
        "message_excerpt": rng.choice([None, "late", "wet"]),
        "timestamp": START + dt.timedelta(hours=12 * rng.randint(0, 200)),
    }


def event(rng: random.Random) -> Row:
    near_midnight = dt.timedelta(days=rng.randint(0, 5), minutes=10 * rng.randint(-8, 8))
    return {
        "session_id": rng.choice(["s1", "s2"]),
        "user_id": rng.choice([None, "c1"]),
        "page": rng.choice(["/", "/cart"]),
        "device_type": rng.choice([None, "Mobile"]),
        "browser": "Firefox",
        "event_type": rng.choice([None, "View", "Click", "Scroll"]),
        "timestamp": START + near_midnight,
    }


def steady_visit(rng: random.Random) -> list[Row]:
    """Make a session that runs for more than two days, with an event every 25 minutes."""
    row = {**event(rng), "session_id": "long", "user_id": "c9"}
    begin = START + dt.timedelta(hours=rng.randint(0, 48))
    return [{**row, "timestamp": begin + dt.timedelta(minutes=25 * n)} for n in range(130)]


MAKERS: dict[str, Any] = {"pos": sale, "inventory": count, "interactions": interaction, "web_events": event}


def files_of(rng: random.Random, rows: list[Row]) -> list[list[Row]]:
    """Split rows into a few files at random; some rows stand in two files."""
    files: list[list[Row]] = [[] for _ in range(rng.randint(1, 5))]
    for row in rows:
        for file in rng.sample(files, k=2 if len(files) > 1 and rng.random() < 0.1 else 1):
            file.append(row)
    return [file for file in files if file]


def by_time(rng: random.Random, rows: list[Row], time: str) -> list[list[Row]]:
    """Split rows into files of successive stretches of time, as sources deliver them."""
    rows = sorted(rows, key=lambda row: row[time])
    cuts = sorted(rng.sample(range(1, len(rows)), k=min(4, len(rows) - 1)))
    return [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


def content(lab: Lab) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: [tuple(v for k, v in row.items() if k not in PROVENANCE) for row in lab.table(name)]
        for name in lab.project.graph.models
        if lab.project.graph[name].is_table
    }


def assert_same(found: Lab, expected: Lab) -> None:
    left, right = content(found), content(expected)
    for name, rows in right.items():
        assert sorted(left[name], key=str) == sorted(rows, key=str), name


def one_build(project: Compiled, rows: dict[str, list[Row]], **more: Any) -> Lab:
    lab = Lab(project, **more)
    for source, some in rows.items():
        lab.land(source, some)
    lab.run()
    return lab


def some_rows(rng: random.Random) -> dict[str, list[Row]]:
    rows = {source: [make(rng) for _ in range(rng.randint(2, 25))] for source, make in MAKERS.items()}
    if rng.random() < 0.4:
        rows["web_events"] += steady_visit(rng)
    return rows


@given(seed=st.integers(0, 10**6))
@QUICK
def test_files_in_any_order_and_split_give_the_tables_of_one_build(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    rows, settle = some_rows(rng), rng.choice([0, 35])
    lab = Lab(project, settle_after_days=settle)
    split = rng.choice(
        [
            lambda _, r: files_of(rng, r),
            lambda s, r: by_time(rng, r, "last_updated" if s == "inventory" else "timestamp"),
        ]
    )
    deliveries = [(source, file) for source, some in rows.items() for file in split(source, some)]
    if rng.random() < 0.6:
        rng.shuffle(deliveries)
    for source, file in deliveries:
        lab.land(source, file)
        if rng.random() < 0.7:
            lab.run()
    lab.run()
    assert lab.audit().keys() <= ADVISORY
    assert_same(lab, one_build(project, rows, settle_after_days=settle))


@given(seed=st.integers(0, 10**6))
@QUICK
def test_restated_files_give_the_tables_of_the_last_versions(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    last: dict[tuple[str, str], list[Row]] = {}
    lab = Lab(project)
    for _ in range(rng.randint(3, 8)):
        source = rng.choice(list(MAKERS))
        name = f"{source}-{rng.randint(1, 2)}"
        last[source, name] = [MAKERS[source](rng) for _ in range(rng.randint(1, 15))]
        lab.land(source, last[source, name], name=name)
        lab.run()
    expected = Lab(project)
    for (source, name), rows in last.items():
        expected.land(source, rows, name=name)
    expected.run()
    assert_same(lab, expected)


@pytest.mark.proof
@given(seed=st.integers(0, 10**9))
@settings(QUICK, max_examples=1000, derandomize=False)
def test_a_thousand_orders_and_splits(project: Compiled, seed: int) -> None:
    test_files_in_any_order_and_split_give_the_tables_of_one_build.hypothesis.inner_test(project, seed)  # type: ignore[attr-defined]


@pytest.mark.proof
@given(seed=st.integers(0, 10**9))
@settings(QUICK, max_examples=300, derandomize=False)
def test_three_hundred_restatements(project: Compiled, seed: int) -> None:
    test_restated_files_give_the_tables_of_the_last_versions.hypothesis.inner_test(project, seed)  # type: ignore[attr-defined]
