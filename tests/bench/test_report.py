from __future__ import annotations

from dataclasses import replace

from bench.events import EventCost, Landed
from bench.history import HistoryCost
from bench.measure import Measured
from bench.outcome import Outcome
from bench.report import page
from bench.results import TARGET_LINES, Entry, Results, SizeResult, targets


def _outcome(land: float, build: float, peak_mb: float = 900.0) -> Outcome:
    return Outcome(
        lines=TARGET_LINES,
        transactions=1,
        net_total="1.00",
        land_seconds=land,
        build_seconds=build,
        total_seconds=land + build,
        peak_mb=peak_mb,
    )


def _results(ours: tuple[Outcome, ...], lines: int = TARGET_LINES) -> Results:
    floor = Entry("floor", (_outcome(6, 10),))
    failed = Entry("PySpark local", (), failure="failed: out of memory")
    history = HistoryCost(365, 30, 9.0, 6.0, 5.0, 4.9, (9.0,), (6.0,))
    return Results((SizeResult(lines, (floor, Entry("shoplake", ours), failed)),), 3, 0.2, history)


def test_targets_are_held_against_the_median_run_and_the_highest_peak() -> None:
    ours = (_outcome(8, 20), _outcome(9, 40, peak_mb=3500.0), _outcome(7, 19))
    found = targets(_results(ours))
    assert [round(t.value, 2) for t in found if t.value] == [1.33, 1.75, 3500, 1.5, 0.2]
    assert [t.is_met for t in found] == [True, True, False, False, None, None, True]
    assert found[2].sentence().startswith("Not met: shoplake's peak memory at 20 M lines is 3,500 MB")


def test_a_limit_that_is_just_reached_is_met_unless_the_target_says_under() -> None:
    met = [t.is_met for t in targets(_results((_outcome(9, 23, peak_mb=3072.0),)))]
    assert met[:3] == [True, True, False]


def test_other_sizes_say_nothing_of_the_targets_at_twenty_million() -> None:
    found = targets(_results((_outcome(1, 1),), lines=1_000_000))
    assert [t.is_met for t in found[:3]] == [None, None, None]
    assert all(t.sentence().startswith("Not measured") for t in found[:3])


def test_the_page_shows_every_contender_its_ratio_and_its_failure() -> None:
    text = page(_results((_outcome(9, 23),)))
    assert "| shoplake | 9.0 | 23.0 | 32.0 | 1.50 | 2.00 | 900 | 625,000 |" in text
    assert "failed: out of memory" in text
    assert "Ratio 1.50 by the clock and 1.02 in processor time" in text


def test_events_are_held_against_their_targets_and_shown() -> None:
    web = Landed(1, "web_events", 1000, Measured("", 0.006, 0.006, 1), Measured("", 0.005, 0.005, 1))
    calls = replace(web, source="interactions", rows=100)
    results = replace(_results((_outcome(9, 23),)), events=EventCost((web, calls)))
    assert [t.is_met for t in targets(results)[4:6]] == [True, True]
    assert "- web events into the lake: 166,667 a second" in page(results)
