"""dlt fed with Arrow tables (its fast way), then dbt. Run as ``python -m bench.peers.dlt_arrow FOLDER WORK``."""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import sys  # noqa: E402 - the clock starts before anything is imported
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pyarrow as pa  # noqa: E402
from pyarrow import csv  # noqa: E402

from bench.peers.dlt_load import load_and_build  # noqa: E402

TYPES = {
    "transaction_id": pa.string(),
    "store_id": pa.int64(),
    "product_id": pa.int64(),
    "quantity": pa.int64(),
    "revenue": pa.float64(),
    "discount_applied": pa.float64(),
    "timestamp": pa.float64(),
}
BLOCK_BYTES = 16 * 2**20


def tables(folder: Path) -> Iterator[pa.Table]:
    """Give the files' rows as Arrow tables, a block of a file at a time."""
    for file in sorted(folder.glob("*.csv")):
        reader = csv.open_csv(
            file,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
            convert_options=csv.ConvertOptions(column_types=TYPES),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])


if __name__ == "__main__":
    load_and_build(tables(Path(sys.argv[1])), Path(sys.argv[2]), STARTED)
