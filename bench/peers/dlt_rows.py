"""dlt fed with rows as dicts (its usual way), then dbt. Run as ``python -m bench.peers.dlt_rows FOLDER WORK``."""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import csv  # noqa: E402 - the clock starts before anything is imported
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from bench.peers.dlt_load import load_and_build  # noqa: E402

BATCH_ROWS = 10_000


def batches(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Give the files' rows as lists of typed dicts."""
    batch: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                batch.append(_typed(row))
                if len(batch) == BATCH_ROWS:
                    yield batch
                    batch = []
    yield batch


def _typed(row: dict[str, str]) -> dict[str, Any]:
    return {
        "transaction_id": row["transaction_id"],
        "store_id": int(row["store_id"]),
        "product_id": int(row["product_id"]),
        "quantity": int(row["quantity"]),
        "revenue": float(row["revenue"]),
        "discount_applied": float(row["discount_applied"]) if row["discount_applied"] else None,
        "timestamp": float(row["timestamp"]),
    }


if __name__ == "__main__":
    load_and_build(batches(Path(sys.argv[1])), Path(sys.argv[2]), STARTED)
