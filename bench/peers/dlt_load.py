"""Loads with dlt into DuckDB and builds the marts with dbt; which rows it is fed is up to the caller.

DuckDB's file is not encrypted, and neither dlt's schema nor dbt's models check anything here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
from dbt.cli.main import dbtRunner

from bench.outcome import say

DBT_PROJECT = Path(__file__).parent / "dbt"


def load_and_build(rows: Iterator[Any], work: Path, started: float) -> None:
    """Load ``rows`` (Arrow tables, or lists of dicts) as raw.sale_lines, build the marts and say how it went."""
    database = work / "peers.duckdb"
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(work / "dlt"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="raw",
    )
    pipeline.run(rows, table_name="sale_lines", write_disposition="append")
    landed = time.perf_counter()
    _build(database, work)
    built = time.perf_counter()

    with duckdb.connect(str(database)) as con:
        sums = con.execute(
            "select sum(sale_lines), sum(transactions), sum(net_amount) from main.mart_store_day"
        ).fetchall()[0]
    say(
        lines=sums[0],
        transactions=sums[1],
        net_total=sums[2],
        seconds=(landed - started, built - landed),
        note="not encrypted",
    )


def _build(database: Path, work: Path) -> None:
    os.environ["BENCH_DUCKDB"] = str(database)
    where = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    paths = ["--target-path", str(work / "dbt-target"), "--log-path", str(work / "dbt-logs")]
    result = dbtRunner().invoke(["--quiet", "run", *where, *paths])
    if not result.success:
        raise RuntimeError(f"dbt failed: {result.exception or result.result}")
