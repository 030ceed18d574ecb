"""The quick reading takes nothing that the SQL would not land."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st

from shoplake.collector.body import cut
from shoplake.collector.fast_check import FastCheck
from shoplake.contracts import load_contracts
from shoplake.lake.verdict import EventChecker
from shoplake.settings import Settings
from tests.collector.running import NOW, event, ndjson

ODD: list[Any] = [
    None, "", " ", "\u00a0", "\u2003", "x", " x", "View", "view", "7", 7, 7.0, 7.5, 1e300, -1, 0, 1 << 63, -(1 << 63),
    True, [], {}, ["x"], {"a": 1}, "\ud83d\ude00", "\u0000", NOW, NOW * 1000, NOW + 86_000, NOW + 86_399, NOW + 90_000,
    946_684_799, 946_684_800, "2026-03-01T12:00:00Z", "Feedback", "feedback", 5, 6,
]  # fmt: skip
BASE = {
    "web_events": event(1, device_type="Mobile", browser="Firefox", event_type="View"),
    "interactions": {"customer_id": 1, "interaction_type": "Loyalty", "channel": "App", "rating": 3, "timestamp": NOW},
}


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventChecker]:
    made = EventChecker(Settings(home=tmp_path_factory.mktemp("checker")))
    yield made
    made.close()


def changes(source: str) -> st.SearchStrategy[dict[str, Any]]:
    names = [*BASE[source], "message_excerpt", "event_id", "campaign"]
    return st.dictionaries(st.sampled_from(names), st.sampled_from(ODD), max_size=3)


@pytest.mark.parametrize("source", BASE)
def test_what_it_takes_lands(source: str, checker: EventChecker) -> None:
    contract = load_contracts()[source]
    fast = FastCheck(contract)

    @tuned(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(changes(source), min_size=1, max_size=8))
    def holds(rows: list[dict[str, Any]]) -> None:
        lines = [json.dumps(BASE[source] | row).encode() for row in rows]
        (reasons,) = checker.check(contract, [lines])
        for number, line in enumerate(lines):
            if fast.read(cut(line, 10)) is not None:
                assert number not in reasons, line

    holds()


@pytest.mark.parametrize("source", BASE)
def test_good_events_are_taken_at_once(source: str) -> None:
    rows = [BASE[source] | {"event_id": f"e{n}"} for n in range(3)]
    assert FastCheck(load_contracts()[source]).read(cut(ndjson(rows), 10)) == ["e0", "e1", "e2"]
    assert FastCheck(load_contracts()[source]).read(cut(json.dumps(rows).encode(), 10)) == ["e0", "e1", "e2"]


def test_events_that_are_not_one_a_line_are_left_to_the_sql() -> None:
    fast = FastCheck(load_contracts()["web_events"])
    line = json.dumps(event(1)).encode()
    for body in (line + line, line + b"\n" + line + line, b'{"a":\n{}}' + line, line + b"\n{" + b"\n" + line):
        assert fast.read(cut(body, 10)) is None


def test_the_limit_of_the_future_moves_with_the_clock() -> None:
    now = [time.time()]
    fast = FastCheck(load_contracts()["web_events"], clock=lambda: now[0])
    later = cut(json.dumps(event(1, timestamp=now[0] + 90_000)).encode(), 1)
    assert fast.read(later) is None
    now[0] += 5_000
    assert fast.read(later) == [None]
    now[0] -= 5_000
    assert fast.read(later) is None


def test_a_thousand_events_are_read_in_less_than_a_millisecond_each_hundred() -> None:
    fast = FastCheck(load_contracts()["web_events"])
    events = cut(ndjson([event(n) for n in range(1_000)]), 1_000)
    took = min(_seconds(fast, events) for _ in range(20))
    assert took < 0.01


def _seconds(fast: FastCheck, events: Any) -> float:
    started = time.perf_counter()
    assert fast.read(events) is not None
    return time.perf_counter() - started
