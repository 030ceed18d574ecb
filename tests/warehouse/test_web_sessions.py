"""Sessions: events of one (session id, customer) without a pause of more than 30 minutes."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.lab import Compiled, Lab, Row
from tests.warehouse.test_order_and_split import QUICK, event, steady_visit

NOON = dt.datetime(2026, 3, 2, 12)
MIDNIGHT = dt.datetime(2026, 3, 3)


def at(minutes: float, start: dt.datetime = NOON, **more: object) -> Row:
    return {
        "session_id": "s1",
        "user_id": "c1",
        "page": "/",
        "device_type": "Mobile",
        "browser": "Firefox",
        "event_type": "View",
        "timestamp": start + dt.timedelta(minutes=minutes),
        **more,
    }


def sessions(lab: Lab) -> list[tuple[float, int]]:
    """Give (duration in minutes, events) of each session, earliest first."""
    rows = sorted(lab.table("fct_web_sessions"), key=lambda row: (row["started_at"], row["session_key"]))
    return [(row["duration_seconds"] / 60, row["events"]) for row in rows]


def test_a_pause_of_exactly_thirty_minutes_does_not_end_a_session(lab: Lab) -> None:
    lab.land("web_events", [at(0), at(30), at(60 + 1 / 60e6 * 60)])
    lab.run()
    assert sessions(lab) == [(30, 2), (0, 1)]


def test_a_late_event_joins_two_sessions_over_midnight(lab: Lab) -> None:
    lab.land("web_events", [at(-40, MIDNIGHT), at(-20, MIDNIGHT), at(15, MIDNIGHT), at(30, MIDNIGHT)])
    lab.run()
    assert sessions(lab) == [(20, 2), (15, 2)]
    lab.land("web_events", [at(0, MIDNIGHT)])
    lab.run()
    assert sessions(lab) == [(70, 5)]
    assert [row["session_date"] for row in lab.table("fct_web_sessions")] == [dt.date(2026, 3, 2)]


def test_a_restatement_that_removes_the_bridge_parts_the_sessions_again(lab: Lab) -> None:
    lab.land("web_events", [at(-40, MIDNIGHT), at(-20, MIDNIGHT), at(15, MIDNIGHT), at(30, MIDNIGHT)])
    lab.land("web_events", [at(0, MIDNIGHT)], name="late")
    lab.run()
    lab.land("web_events", [at(0, MIDNIGHT, session_id="other")], name="late")
    lab.run()
    assert sessions(lab) == [(20, 2), (0, 1), (15, 2)]


def test_a_session_longer_than_a_day_stays_whole_when_it_comes_day_by_day(lab: Lab) -> None:
    events = [at(25 * n) for n in range(150)]
    for day in sorted({row["timestamp"].date() for row in events}):
        lab.land("web_events", [row for row in events if row["timestamp"].date() == day])
        lab.run()
    assert sessions(lab) == [(25 * 149, 150)]


def test_a_session_that_a_later_change_prolongs_is_found_beside_an_earlier_change(lab: Lab) -> None:
    lab.land("web_events", [at(-20, MIDNIGHT), at(-24 * 60 * 9, MIDNIGHT)])
    lab.run()
    lab.land("web_events", [at(5, MIDNIGHT), at(-24 * 60 * 9 + 5, MIDNIGHT)])
    lab.run()
    assert sessions(lab) == [(5, 2), (25, 2)]


def test_anonymous_visitors_and_customers_never_share_a_session(lab: Lab) -> None:
    lab.land("web_events", [at(0), at(1, user_id=None), at(2), at(3, user_id=None), at(4, user_id="c2")])
    lab.run()
    assert sorted(sessions(lab)) == [(0, 1), (2, 2), (2, 2)]
    assert len({row["session_key"] for row in lab.table("fct_web_sessions")}) == 3


def test_events_at_the_same_instant_have_one_first_event(lab: Lab) -> None:
    lab.land("web_events", [at(0, page="/b"), at(0, page="/a", event_type="Click"), at(0, page="/c")])
    lab.run()
    session = lab.table("fct_web_sessions")[0]
    assert (session["entry_page"], session["events"], session["views"], session["clicks"]) == ("/a", 3, 2, 1)
    starts = [row["is_session_start"] for row in lab.table("fct_web_events")]
    assert sorted(starts) == [False, False, True]


@pytest.mark.parametrize(
    ("events", "bounce", "ga4"),
    [
        ([at(0)], True, True),
        ([at(0, event_type="Click")], True, False),
        ([at(0), at(0.1, event_type="Scroll")], False, True),
        ([at(0), at(0.1)], False, False),
        ([at(0), at(10 / 60, event_type="Scroll")], False, False),
        ([at(0, event_type=None)], True, True),
    ],
)
def test_bounces_by_both_definitions(lab: Lab, events: list[Row], bounce: bool, ga4: bool) -> None:
    lab.land("web_events", events)
    lab.run()
    session = lab.table("fct_web_sessions")[0]
    assert (session["is_bounce"], session["is_bounce_ga4"]) == (bounce, ga4)


def expected_sessions(events: list[Row]) -> list[tuple[dt.datetime, dt.datetime, int]]:
    """Work the sessions out one event at a time."""
    distinct = [row for n, row in enumerate(events) if row not in events[:n]]
    groups: dict[tuple[str, str | None], list[dt.datetime]] = {}
    for row in distinct:
        groups.setdefault((row["session_id"], row["user_id"]), []).append(row["timestamp"])
    found = []
    for times in groups.values():
        run: list[dt.datetime] = []
        for time in sorted(times):
            if run and time - run[-1] > dt.timedelta(minutes=30):
                found.append((run[0], run[-1], len(run)))
                run = []
            run.append(time)
        found.append((run[0], run[-1], len(run)))
    return sorted(found)


@given(seed=st.integers(0, 10**6))
@QUICK
def test_sessions_agree_with_a_walk_over_the_events(project: Compiled, seed: int) -> None:
    rng = random.Random(seed)
    events = [event(rng) for _ in range(60)] + (steady_visit(rng) if rng.random() < 0.5 else [])
    lab = Lab(project)
    lab.land("web_events", events)
    lab.run()
    rows = lab.table("fct_web_sessions")
    assert sorted((r["started_at"], r["ended_at"], r["events"]) for r in rows) == expected_sessions(events)
