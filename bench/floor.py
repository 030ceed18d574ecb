"""The floor: what any way from CSV to encrypted marts on DuckDB must at least do, with no checks.

Run as ``python -m bench.floor FOLDER WORK``.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import secrets  # noqa: E402 - the clock starts before anything is imported
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import duckdb  # noqa: E402
from duckdb_extensions import import_extension  # noqa: E402

from bench.outcome import say  # noqa: E402

ENCRYPTED = "(format parquet, compression zstd, encryption_config {footer_key: 'k'})"
DECRYPTED = "encryption_config = {footer_key: 'k'}"
COLUMNS = """{
    transaction_id: 'varchar', store_id: 'bigint', product_id: 'bigint', quantity: 'bigint',
    revenue: 'double', discount_applied: 'double', "timestamp": 'double'
}"""


def main(folder: Path, work: Path) -> None:
    """Build the marts in ``work`` and say how it went."""
    con = duckdb.connect()
    import_extension("httpfs", con=con)
    con.execute("load httpfs")
    con.execute("set temp_file_encryption = true")
    con.execute(f"set temp_directory = '{work / 'spill'}'")
    con.execute(f"pragma add_parquet_key('k', '{secrets.token_hex(16)}')")

    lake, fact = work / "lake.parquet", work / "fact.parquet"
    store_day, product_day = work / "store_day.parquet", work / "product_day.parquet"
    con.execute(f"copy (from read_csv('{folder}/*.csv', header = true, columns = {COLUMNS})) to '{lake}' {ENCRYPTED}")
    landed = time.perf_counter()
    con.execute(f"copy ({_fact_sql(lake)}) to '{fact}' {ENCRYPTED}")
    con.execute(f"copy ({_mart_sql(fact, 'store_id')}) to '{store_day}' {ENCRYPTED}")
    con.execute(f"copy ({_mart_sql(fact, 'product_id')}) to '{product_day}' {ENCRYPTED}")
    built = time.perf_counter()

    sums = con.execute(
        f"select sum(sale_lines), sum(transactions), sum(net_amount) from read_parquet('{store_day}', {DECRYPTED})"
    ).fetchall()[0]
    say(lines=sums[0], transactions=sums[1], net_total=sums[2], seconds=(landed - STARTED, built - landed))


def _fact_sql(lake: Path) -> str:
    return f"""
        select
            transaction_id, store_id, product_id, quantity as units,
            cast(revenue as decimal(18, 2)) as gross_amount,
            cast(coalesce(discount_applied, 0) as decimal(18, 2)) as discount_amount,
            gross_amount - discount_amount as net_amount,
            make_timestamp(cast("timestamp" * 1000000 as bigint)) as sold_at,
            cast(sold_at as date) as sale_date
        from read_parquet('{lake}', {DECRYPTED})"""


def _mart_sql(fact: Path, dimension: str) -> str:
    return f"""
        select
            sale_date, {dimension},
            sum(units) as units,
            sum(gross_amount) as gross_amount,
            sum(discount_amount) as discount_amount,
            sum(net_amount) as net_amount,
            count(*) as sale_lines,
            count(distinct transaction_id) as transactions
        from read_parquet('{fact}', {DECRYPTED})
        group by sale_date, {dimension}"""


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
