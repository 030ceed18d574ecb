"""The Kaplan-Meier median against curves drawn by hand."""

from __future__ import annotations

import duckdb
import pytest

from shoplake.access.kpi_survival import DAY, HOUR, MOST_POINTS, kaplan_meier_median, moments_for, register, survival_at


@pytest.mark.parametrize(
    ("times", "ended", "median"),
    [
        # S(3)=7/8; at 5 six are at risk, two end: 7/8 x 4/6 = 7/12; at 8 four: 7/12 x 3/4 = 7/16.
        ([3, 4, 5, 5, 8, 9, 9, 9], [True, False, True, True, True, False, False, False], 8),
        # A case censored at the time of an ending is still at risk: S(2) = 1 - 1/2.
        ([2, 2], [True, False], 2),
        # One half exactly after 3 of 6, though the product of the fractions misses it by its last bits.
        ([1, 2, 3, 4, 5, 6], [True] * 6, 3),
        ([1, 2, 3], [False, False, True], 3),
        ([1, 2, 3], [True, False, False], None),
        ([0.0, 0.0], [True, True], 0.0),
        ([], [], None),
        (None, None, None),
    ],
)
def test_the_median_is_where_the_curve_reaches_one_half(
    times: list[float] | None, ended: list[bool] | None, median: float | None
) -> None:
    assert kaplan_meier_median(times, ended) == median


def test_censored_cases_are_not_dropped() -> None:
    ended = [True, True, False, False, False, False]
    assert kaplan_meier_median([1, 2, 9, 9, 9, 9], ended) is None
    assert kaplan_meier_median([1, 2], [True, True]) == 1


def test_sql_gives_the_same_in_groups_and_over_nothing() -> None:
    con = duckdb.connect()
    register(con)
    register(con)
    rows = "(values ('a', 1.0, true), ('a', 2.0, false), ('b', 5.0, false)) as cases (g, t, e)"
    found = con.execute(f"select g, kaplan_meier_median(list(t), list(e)) from {rows} group by g order by g").fetchall()
    assert found == [("a", 1.0), ("b", None)]
    assert con.execute(f"select kaplan_meier_median(list(t), list(e)) from {rows} where g = 'c'").fetchall() == [
        (None,)
    ]


def test_the_curve_falls_where_cases_end_and_is_unknown_beyond_the_last_one_followed() -> None:
    times, ended = [3.0, 4, 5, 5, 8, 9, 9, 9], [True, False, True, True, True, False, False, False]
    found = survival_at(times, ended, [0, 3, 4.5, 5, 8, 9, 10])
    assert [one.survival for one in found] == [
        1,
        pytest.approx(7 / 8),
        pytest.approx(7 / 8),
        pytest.approx(7 / 12),
        pytest.approx(7 / 16),
        pytest.approx(7 / 16),
        None,
    ]
    assert [(one.at_risk, one.ended) for one in found] == [(8, 0), (8, 1), (6, 1), (6, 3), (4, 4), (3, 4), (0, 4)]
    assert [one.survival for one in survival_at([1.0], [True], [0, 1, 2])] == [1, 0, 0]
    assert [one.survival for one in survival_at([], [], [0])] == [None]


def test_a_curve_is_read_at_round_times() -> None:
    assert moments_for([]) == []
    assert moments_for([2.5 * HOUR]) == [0, HOUR, 2 * HOUR]
    month = moments_for([29.9 * DAY, 4.0])
    assert month[1] == DAY / 2
    assert len(month) <= MOST_POINTS + 1
