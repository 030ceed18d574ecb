"""Measures the query sandbox: ``python -m bench.sandbox [--clients 8] [--queries 400] [--lines 1000000]``.

So many threads ask ``SELECT 1`` at once, each query in a process of its own and on record; the same statement on an
open connection of this process is timed beside it. Then a million sale lines are read from a release as Arrow.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.data import write_references, write_sales
from bench.machine import describe
from shoplake.access.identity import Identity
from shoplake.access.sandbox import Question, Sandbox
from shoplake.lake.landing import land
from shoplake.pipeline.init import init_home
from shoplake.pipeline.run import run
from shoplake.settings import Settings, load_settings

MOST_MEDIAN_MS, MOST_P99_MS, MOST_ROWS_SECONDS = 25.0, 80.0, 1.0
ASKER = Identity("bench", "data_engineer")
SIX_COLUMNS = "select transaction_id, store_id, product_id, units, net_amount, sale_date from warehouse.fct_sale_lines"


def main() -> int:
    """Measure and print; give 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox", description=__doc__)
    parser.add_argument("--clients", type=int, default=8, help="threads that ask at once")
    parser.add_argument("--queries", type=int, default=400, help="queries of all of them")
    parser.add_argument("--lines", type=int, default=1_000_000, help="sale lines to read")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        settings = _released(Path(work), given.lines)
        with Sandbox(settings) as box:
            print(f"walls: {', '.join(box.walls())}")
            alone = _timed(lambda: _asked(box), 1, max(given.queries // 8, 1))
            print(f"SELECT 1, one client: {_words(alone)}")
            together = _timed(lambda: _asked(box), given.clients, given.queries)
            print(f"SELECT 1, {given.clients} clients: {_words(together)}")
            print(f"SELECT 1 on an open connection: {_words(_floor(given.queries))}")
            seconds = _rows(box, given.lines)
    median, late = statistics.median(together), _late(together)
    print(f"targets: median {MOST_MEDIAN_MS:g} ms, 99 of 100 {MOST_P99_MS:g} ms, rows {MOST_ROWS_SECONDS:g} s")
    return 0 if median <= MOST_MEDIAN_MS and late <= MOST_P99_MS and seconds <= MOST_ROWS_SECONDS else 1


def _released(work: Path, lines: int) -> Settings:
    settings = load_settings(work / "home")
    init_home(settings)
    write_references(work / "references")
    write_sales(work / "sales", lines)
    for source in ("stores", "products", "warehouses"):
        land(settings, source, sorted((work / "references" / source).iterdir()))
    land(settings, "pos", sorted((work / "sales").iterdir()))
    run(settings)
    return settings


def _asked(box: Sandbox) -> None:
    box.answer(ASKER, Question("select 1"))


def _timed(ask: Callable[[], None], clients: int, queries: int) -> list[float]:
    """Give the milliseconds of each query."""

    def client(_: int) -> list[float]:
        found = []
        for _ in range(max(queries // clients, 2)):
            started = time.perf_counter()
            ask()
            found.append((time.perf_counter() - started) * 1000)
        return found

    ask()
    with ThreadPoolExecutor(clients) as pool:
        return [took for each in pool.map(client, range(clients)) for took in each]


def _floor(queries: int) -> list[float]:
    import duckdb

    con = duckdb.connect()
    return _timed(lambda: con.execute("select 1").fetchall() and None, 1, queries)


def _rows(box: Sandbox, lines: int) -> float:
    """Read all sale lines some times; give the median of the seconds."""
    took = []
    for _ in range(5):
        started = time.perf_counter()
        answer = box.answer(ASKER, Question(SIX_COLUMNS))
        took.append(time.perf_counter() - started)
        assert answer.table.num_rows == lines  # noqa: S101 - a wrong answer has no speed
    seconds = statistics.median(took)
    print(f"{lines:,} rows x 6 columns as Arrow: median {seconds:.2f} s, {answer.table.nbytes / 1e6:.0f} MB")
    return seconds


def _late(took: list[float]) -> float:
    return statistics.quantiles(took, n=100)[-1]


def _words(took: list[float]) -> str:
    return f"median {statistics.median(took):.1f} ms, 99 of 100 below {_late(took):.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
