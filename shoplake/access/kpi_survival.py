"""The Kaplan-Meier estimate: which share of the cases is not over yet, those still running counted as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HALF = 0.5
ROUNDING = 1e-12
"""1 - 1/3 - ... products of fractions miss an exact half by their last bits."""
HOUR, DAY = 3_600, 86_400
STEPS = (HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY)
"""Seconds between the points of a curve that people read, the finest that gives no more than `MOST_POINTS`."""
MOST_POINTS = 60


@dataclass(frozen=True)
class SurvivalPoint:
    """The curve at one time."""

    seconds: float
    survival: float | None
    """Share of the cases that is not over yet; None beyond the time for which any was followed."""
    at_risk: int
    """Cases that were followed at least that long."""
    ended: int
    """Cases that were over by then."""


def kaplan_meier_median(times: list[float] | None, ended: list[bool] | None) -> float | None:
    """Give the first time at which the survival curve is at or below one half.

    The estimator is Kaplan and Meier's (JASA 53, 1958): at each time with an ending, survival falls by the share of the
    cases that were followed at least that long. A case censored at the time of an ending was still at risk.

    Args:
        times: for how long each case was followed.
        ended: whether it ended then (True) or was only followed no longer (False).

    Returns:
        None when there is no case or the curve never falls to one half.

    """
    steps = _steps(times or (), ended or ())
    return next((time for time, survival, ends in steps if ends and survival <= HALF + ROUNDING), None)


def survival_at(times: Sequence[float], ended: Sequence[bool], moments: Sequence[float]) -> list[SurvivalPoint]:
    """Give the survival curve at some times.

    Args:
        times: for how long each case was followed.
        ended: whether it ended then.
        moments: times that are asked for, rising.

    """
    steps, followed = list(_steps(times, ended)), max(times, default=-1.0)
    found, place, survival = [], 0, 1.0
    for moment in moments:
        while place < len(steps) and steps[place][0] <= moment:
            survival, place = steps[place][1], place + 1
        is_known = moment <= followed or (bool(steps) and survival <= ROUNDING)
        over = sum(is_end for time, is_end in zip(times, ended, strict=True) if time <= moment)
        left = sum(time >= moment for time in times)
        found.append(SurvivalPoint(moment, max(survival, 0.0) if is_known else None, left, over))
    return found


def moments_for(times: Sequence[float]) -> list[float]:
    """Give the times at which people read a curve: from 0, in round steps, past the longest one."""
    longest = max(times, default=0.0)
    step = next((step for step in STEPS if longest / step <= MOST_POINTS), STEPS[-1])
    return [float(n * step) for n in range(int(longest // step) + 1)] if times else []


def _steps(times: Sequence[float], ended: Sequence[bool]) -> Iterator[tuple[float, float, int]]:
    """Give each time at which a case was last followed, the survival from then on, and how many ended then."""
    cases: list[tuple[float, bool]] = sorted(zip(times, ended, strict=True))
    at_risk, survival = len(cases), 1.0
    for time, group in groupby(cases, key=lambda case: case[0]):
        same = [is_end for _, is_end in group]
        survival *= 1 - sum(same) / at_risk
        yield time, survival, sum(same)
        at_risk -= len(same)


def register(con: DuckDBPyConnection) -> None:
    """Make ``kaplan_meier_median(list, list)`` known to a connection's SQL; a second call changes nothing."""
    import duckdb
    from duckdb.func import FunctionNullHandling

    # The name is taken: by this very function, as the session is ours; a cursor of it says so in another way.
    with suppress(duckdb.NotSupportedError, duckdb.CatalogException):
        con.create_function(
            "kaplan_meier_median",
            kaplan_meier_median,
            ["DOUBLE[]", "BOOLEAN[]"],
            "DOUBLE",
            null_handling=FunctionNullHandling.SPECIAL,
        )
