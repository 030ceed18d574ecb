from __future__ import annotations

from pathlib import Path

import pytest

from bench.events import EventCost, Landed, LostRowsError, _check, measure_events, report
from bench.measure import Measured


def _measured(seconds: float, output: str = "[]") -> Measured:
    return Measured(output, seconds, seconds, 100.0)


def _cost(protected: float, clear: float) -> EventCost:
    web = Landed(1, "web_events", 1000, _measured(protected), _measured(clear))
    calls = Landed(1, "interactions", 100, _measured(0.002), _measured(0.001))
    return EventCost((web, calls))


def test_both_homes_land_every_event_and_only_one_protects_it(tmp_path: Path) -> None:
    from shoplake.lake.browse import show_rows
    from shoplake.settings import load_settings

    cost = measure_events(tmp_path, web_events=500, rounds=1, customers=40)
    assert [(one.round, one.source, one.rows) for one in cost.landed] == [
        (1, "web_events", 500),
        (1, "interactions", 50),
    ]
    users = {}
    for home in ("protected", "clear"):
        rows = show_rows(load_settings(tmp_path / home), "web_events", limit=1000).rows
        users[home] = {row[1] for row in rows if row[1] is not None}
    assert all(str(user).startswith("c_") for user in users["protected"])
    assert all(isinstance(user, int) for user in users["clear"])
    assert len(users["protected"]) == len(users["clear"]) > 10


def test_a_row_that_is_missing_stops_the_benchmark() -> None:
    _check(_measured(1, '[{"rows_landed": 3}, {"rows_landed": 4}]'), 7)
    with pytest.raises(LostRowsError, match="7 of 8"):
        _check(_measured(1, '[{"rows_landed": 3}, {"rows_landed": 4}]'), 8)


def test_the_report_holds_both_figures_against_their_targets() -> None:
    good = report(_cost(0.006, 0.005))
    assert "web events into the lake: 166,667 a second (100,000 is the target: met)" in good
    assert "protection: 1.33 of landing without it (at most 1.25 is the target: not met)" in good
    assert "ratio of web_events, all rounds: 1.20" in good
    assert "(at most 1.25 is the target: met)" in report(_cost(0.004, 0.005))
    assert "(100,000 is the target: not met)" in report(_cost(0.02, 0.02))
