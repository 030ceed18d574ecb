"""Measures the audit log: ``python -m bench.audit [--writers 16] [--records 200]``.

So many processes write records at once into the log of one home, each as fast as it can; a record costs from the call
until it is on disk. The same number of processes that only append as many bytes to one file and sync them are timed in
the same run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine import describe
from shoplake.audit.entry import new_entry
from shoplake.audit.recording import close_logs, write
from shoplake.pipeline.init import init_home
from shoplake.settings import load_settings

MOST_MILLISECONDS = 1.0
SQL = "select region, sum(net_amount) from sales.mart_sales__store_day where sale_date = ? group by region"
FRAME_BYTES = 460


def main() -> int:
    """Measure and print; give 1 if the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--writers", type=int, default=16, help="processes that write at once")
    parser.add_argument("--records", type=int, default=200, help="records of each")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        home = Path(work) / "home"
        init_home(load_settings(home))
        close_logs()
        for writers in (1, given.writers):
            plain, plain_rate = _timed(_sync_only, Path(work) / "plain", writers, given.records)
            ours, rate = _timed(_record, home, writers, given.records)
            print(f"{writers} writer(s), append and sync alone: {_words(plain)}, {plain_rate:,.0f} a second")
            print(f"{writers} writer(s), one record: {_words(ours)}, {rate:,.0f} a second")
    median = statistics.median(ours)
    print(f"median with {given.writers} writers {median:.2f} ms (target {MOST_MILLISECONDS} ms)")
    return 0 if median <= MOST_MILLISECONDS else 1


def _timed(
    work: Callable[[Path, int], list[float]], place: Path, writers: int, records: int
) -> tuple[list[float], float]:
    """Give the milliseconds of each call, and the calls of all writers in a second."""
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        pool.starmap(work, [(place, 1)] * writers, chunksize=1)
        started = time.perf_counter()
        found = [took for each in pool.starmap(work, [(place, records)] * writers, chunksize=1) for took in each]
        return found, len(found) / (time.perf_counter() - started)


def _record(home: Path, records: int) -> list[float]:
    settings, found = load_settings(home), list[float]()
    for number in range(records):
        started = time.perf_counter()
        write(settings, new_entry("sql", sql=SQL, tables=["sales.mart_sales__store_day"], rows=number))
        found.append((time.perf_counter() - started) * 1000)
    return found


def _sync_only(path: Path, records: int) -> list[float]:
    handle, found = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), list[float]()
    for _ in range(records):
        started = time.perf_counter()
        os.write(handle, bytes(FRAME_BYTES))
        os.fdatasync(handle)
        found.append((time.perf_counter() - started) * 1000)
    os.close(handle)
    return found


def _words(took: list[float]) -> str:
    return f"median {statistics.median(took):.2f} ms, 99 of 100 below {statistics.quantiles(took, n=100)[-1]:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
