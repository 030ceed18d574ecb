"""SQL asked of a running service, beside the same in DuckDB alone; a part of `bench.service`."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence

from bench.https import Asked, ask
from shoplake.access.session import open_release
from shoplake.client import connect
from shoplake.pipeline.releases import required
from shoplake.settings import Settings

MEDIAN_MILLISECONDS, SLOW_MILLISECONDS, MILLION_SECONDS = 25.0, 80.0, 1.0
CLIENTS = 8
MILLION = 1_000_000
WIDE = f"""
select range as id, range % 997 as store_id, (range * 1.37)::decimal(18, 2) as net_amount, range / 3.0 as ratio,
  timestamp '2026-01-01' + to_seconds(range) as sold_at, (range % 7)::varchar || ' pieces' as unit
from range({MILLION})
"""


def measure_sql(settings: Settings, url: str, pid: int, tokens: Sequence[str], requests: int) -> bool:
    """Measure and print; say whether the targets are met.

    Args:
        settings: the home.
        url: of the running service.
        pid: its process.
        tokens: of people of several roles, who ask in turn; the first may export.
        requests: how many of each measurement.

    """
    one = [Asked("/v1/sql", token, json.dumps({"sql": "SELECT 1"})) for token in tokens]
    ask(settings, url, pid, one, 1, 2 * len(one))
    print(f"SELECT 1 in DuckDB alone, in this process: {_one_in_process(settings):.2f} ms")
    print(f"SELECT 1, 1 client: {ask(settings, url, pid, one, 1, requests).words()}")
    found = ask(settings, url, pid, one, CLIENTS, requests)
    print(f"SELECT 1, {CLIENTS} clients: {found.words()}")
    median, slow = statistics.median(found.milliseconds), found.below(0.99)
    print(
        f"SELECT 1, {CLIENTS} clients: median {median:.1f} ms (target {MEDIAN_MILLISECONDS:.0f} ms), "
        f"p99 {slow:.1f} ms (target {SLOW_MILLISECONDS:.0f} ms)"
    )
    print(f"1 M rows x 6 columns to Arrow in DuckDB alone, in this process: {_million_in_process(settings):.2f} s")
    million = _million(settings, url, tokens[0])
    print(f"1 M rows x 6 columns as Arrow to a client: {million:.2f} s (target {MILLION_SECONDS:.0f} s)")
    is_fast = median <= MEDIAN_MILLISECONDS and slow <= SLOW_MILLISECONDS and million <= MILLION_SECONDS
    return is_fast and not found.failures


def _million(settings: Settings, url: str, token: str) -> float:
    with connect(url, token, ca=settings.home / "tls" / "ca.pem") as lake:
        lake.page("select 1")
        return _best(lambda: lake.sql(WIDE).arrow().num_rows)


def _million_in_process(settings: Settings) -> float:
    con = open_release(settings, required(settings, None))
    try:
        return _best(lambda: con.execute(WIDE).to_arrow_table().num_rows)
    finally:
        con.close()


def _one_in_process(settings: Settings, times: int = 300) -> float:
    """Give the median milliseconds in a session that is open already."""
    con = open_release(settings, required(settings, None))
    try:
        return statistics.median(_seconds(lambda: len(con.execute("select 1").fetchall())) for _ in range(times)) * 1000
    finally:
        con.close()


def _best(act: Callable[[], int]) -> float:
    if act() != MILLION:
        raise RuntimeError("Not all rows came.")
    return min(_seconds(act) for _ in range(3))


def _seconds(act: Callable[[], int]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
