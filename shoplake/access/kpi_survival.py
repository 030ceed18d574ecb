"""The Kaplan-Meier median: half of the cases are over by then, those still running counted as such."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HALF = 0.5
ROUNDING = 1e-12
"""1 - 1/3 - ... products of fractions miss an exact half by their last bits."""


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
    cases: list[tuple[float, bool]] = sorted(zip(times or (), ended or (), strict=True))
    at_risk, survival = len(cases), 1.0
    time: float
    for time, group in groupby(cases, key=lambda case: case[0]):
        same = [is_end for _, is_end in group]
        survival *= 1 - sum(same) / at_risk
        if any(same) and survival <= HALF + ROUNDING:
            return time
        at_risk -= len(same)
    return None


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
