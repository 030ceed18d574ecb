"""Polars: CSV to Parquet to marts with its streaming engine. Polars cannot encrypt, so everything lies in clear.

Run as ``python -m bench.peers.polars_peer FOLDER WORK``.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import sys  # noqa: E402 - the clock starts before anything is imported
from pathlib import Path  # noqa: E402

import polars as pl  # noqa: E402

from bench.outcome import say  # noqa: E402

SCHEMA = {
    "transaction_id": pl.String,
    "store_id": pl.Int64,
    "product_id": pl.Int64,
    "quantity": pl.Int64,
    "revenue": pl.Float64,
    "discount_applied": pl.Float64,
    "timestamp": pl.Float64,
}
MONEY = pl.Decimal(18, 2)


def main(folder: Path, work: Path) -> None:
    """Build the marts in ``work`` and say how it went."""
    lake, fact, store_day = work / "lake.parquet", work / "fact.parquet", work / "store_day.parquet"
    pl.scan_csv(folder / "*.csv", schema=SCHEMA).sink_parquet(lake, compression="zstd")
    landed = time.perf_counter()
    _fact(pl.scan_parquet(lake)).sink_parquet(fact, compression="zstd")
    _mart(pl.scan_parquet(fact), "store_id").sink_parquet(store_day, compression="zstd")
    _mart(pl.scan_parquet(fact), "product_id").sink_parquet(work / "product_day.parquet", compression="zstd")
    built = time.perf_counter()

    sums = pl.read_parquet(store_day).select(pl.col("sale_lines", "transactions", "net_amount").sum()).row(0)
    say(
        lines=sums[0],
        transactions=sums[1],
        net_total=sums[2],
        seconds=(landed - STARTED, built - landed),
        note="not encrypted",
    )


def _fact(lake: pl.LazyFrame) -> pl.LazyFrame:
    sold_at = pl.from_epoch((pl.col("timestamp") * 1_000_000).cast(pl.Int64), time_unit="us")
    return (
        lake.select(
            "transaction_id",
            "store_id",
            "product_id",
            pl.col("quantity").alias("units"),
            # Rounded first: a cast from float to decimal may cut the noise beneath a cent instead of rounding it.
            pl.col("revenue").round(2).cast(MONEY).alias("gross_amount"),
            pl.col("discount_applied").fill_null(0).round(2).cast(MONEY).alias("discount_amount"),
            sold_at.alias("sold_at"),
        )
        .with_columns((pl.col("gross_amount") - pl.col("discount_amount")).cast(MONEY).alias("net_amount"))
        .with_columns(pl.col("sold_at").dt.date().alias("sale_date"))
    )


def _mart(fact: pl.LazyFrame, dimension: str) -> pl.LazyFrame:
    return fact.group_by("sale_date", dimension).agg(
        pl.col("units", "gross_amount", "discount_amount", "net_amount").sum(),
        pl.len().alias("sale_lines"),
        pl.col("transaction_id").n_unique().alias("transactions"),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
