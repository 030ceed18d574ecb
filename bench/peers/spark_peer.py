"""PySpark on this machine: CSV to Parquet to marts. Its Parquet encryption wants a key server, so all lies in clear.

Run as ``python -m bench.peers.spark_peer FOLDER WORK``.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import sys  # noqa: E402 - the clock starts before anything is imported
from pathlib import Path  # noqa: E402

from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql import functions as f  # noqa: E402

from bench.outcome import say  # noqa: E402

SCHEMA = (
    "transaction_id string, store_id bigint, product_id bigint, quantity bigint, "
    "revenue double, discount_applied double, timestamp double"
)
MONEY = "decimal(18,2)"
DRIVER_MEMORY = "2g"
"""As much as shoplake gives its engine."""


def main(folder: Path, work: Path) -> None:
    """Build the marts in ``work`` and say how it went."""
    spark = _session(work)
    lake, fact, store_day = str(work / "lake"), str(work / "fact"), str(work / "store_day")
    spark.read.csv(str(folder), schema=SCHEMA, header=True).write.parquet(lake)
    landed = time.perf_counter()
    _fact(spark.read.parquet(lake)).write.parquet(fact)
    _mart(spark.read.parquet(fact), "store_id").write.parquet(store_day)
    _mart(spark.read.parquet(fact), "product_id").write.parquet(str(work / "product_day"))
    built = time.perf_counter()

    sums = spark.read.parquet(store_day).agg(f.sum("sale_lines"), f.sum("transactions"), f.sum("net_amount")).first()
    if sums is None:
        raise RuntimeError("Spark gave no sums")
    say(
        lines=sums[0],
        transactions=sums[1],
        net_total=sums[2],
        seconds=(landed - STARTED, built - landed),
        note="not encrypted",
    )
    spark.stop()


def _session(work: Path) -> SparkSession:
    builder = SparkSession.builder.master("local[*]").appName("bench")
    options = {
        "spark.driver.memory": DRIVER_MEMORY,
        "spark.local.dir": str(work / "spill"),
        "spark.log.level": "ERROR",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _fact(lake: DataFrame) -> DataFrame:
    gross, discount = f.col("revenue").cast(MONEY), f.coalesce(f.col("discount_applied"), f.lit(0.0)).cast(MONEY)
    sold_at = f.timestamp_seconds(f.col("timestamp"))
    return lake.select(
        "transaction_id",
        "store_id",
        "product_id",
        f.col("quantity").alias("units"),
        gross.alias("gross_amount"),
        discount.alias("discount_amount"),
        (gross - discount).cast(MONEY).alias("net_amount"),
        sold_at.alias("sold_at"),
        f.to_date(sold_at).alias("sale_date"),
    )


def _mart(fact: DataFrame, dimension: str) -> DataFrame:
    return fact.groupBy("sale_date", dimension).agg(
        f.sum("units").alias("units"),
        f.sum("gross_amount").alias("gross_amount"),
        f.sum("discount_amount").alias("discount_amount"),
        f.sum("net_amount").alias("net_amount"),
        f.count(f.lit(1)).alias("sale_lines"),
        f.count_distinct(f.col("transaction_id")).alias("transactions"),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
