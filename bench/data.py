"""Writes clean sale lines and reference files, always the same for the same arguments, and the sums to check by."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIRST_DAY = dt.date(2025, 1, 1)
STORES = 40
PRODUCTS = 2000
WAREHOUSES = 4
LINES_OF_FIVE_BASKETS = 15
"""Baskets have 1, 2, 3, 4 and 5 lines in turn, so three on average."""


@dataclass(frozen=True)
class Truth:
    """What any right build of the data must say."""

    lines: int
    transactions: int
    net_total: str
    """Euros with two decimals, as text, so that it stays exact on its way through JSON."""


def write_sales(folder: Path, lines: int, *, days: int = 30, first_day: dt.date = FIRST_DAY) -> Truth:
    """Write ``lines`` sale lines as one CSV file a day, spread evenly, and give their sums.

    A line is unique by (transaction_id, product_id); all lines of a basket share its store and its moment.
    """
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect()
    _define_mix(con)
    net_cents, transactions = 0, 0
    for day in range(days):
        count = (day + 1) * lines // days - day * lines // days
        date = first_day + dt.timedelta(days=day)
        con.execute(f"create or replace temp table sale_lines as {_sale_lines_sql(date, day, count)}")
        target = folder / f"pos_{date.isoformat()}.csv"
        con.execute(f"copy (select * exclude (net_cents) from sale_lines) to '{target}' (header, delimiter ',')")
        sums = con.execute(
            "select coalesce(sum(net_cents), 0)::bigint, count(distinct transaction_id) from sale_lines"
        ).fetchone()
        assert sums is not None  # noqa: S101 - an aggregate without groups always gives a row
        net_cents, transactions = net_cents + sums[0], transactions + sums[1]
    con.close()
    return Truth(lines=lines, transactions=transactions, net_total=f"{Decimal(net_cents) / 100:.2f}")


def write_references(folder: Path) -> None:
    """Write ``stores/stores.csv``, ``products/products.csv`` and ``warehouses/warehouses.csv``."""
    import duckdb

    con = duckdb.connect()
    _define_mix(con)
    tables = {
        "stores": f"""
            select range + 1 as store_id, 'Store ' || (range + 1) as name, 'Region ' || (range % 4 + 1) as region,
                'DE' as country, range % {WAREHOUSES} + 1 as warehouse_id
            from range({STORES}) order by 1""",
        "products": f"""
            select range + 1 as product_id, 'Product ' || (range + 1) as name,
                'Category ' || (range % 20 + 1) as category, 'Brand ' || (range % 50 + 1) as brand,
                cast(price_cents(range + 1) * 6 // 10 / 100 as decimal(18, 2)) as unit_cost,
                cast(price_cents(range + 1) / 100 as decimal(18, 2)) as list_price
            from range({PRODUCTS}) order by 1""",
        "warehouses": f"""
            select range + 1 as warehouse_id, 'Warehouse ' || (range + 1) as name,
                'Region ' || (range + 1) as region
            from range({WAREHOUSES}) order by 1""",
    }
    for name, sql in tables.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        con.execute(f"copy ({sql}) to '{folder / name / name}.csv' (header, delimiter ',')")
    con.close()


def _define_mix(con: DuckDBPyConnection) -> None:
    """Give SQL a scatter of whole numbers that no version of DuckDB can change, unlike ``hash``."""
    con.execute("create macro mix(n, salt) as ((n + salt * 7919) * 2654435761 % 4294967291) >> 8")
    con.execute("create macro price_cents(product_id) as 99 + mix(product_id, 1) % 20000")


def _sale_lines_sql(date: dt.date, day: int, count: int) -> str:
    midnight = int(dt.datetime.combine(date, dt.time(), dt.UTC).timestamp())
    return f"""
        with numbered as (
            select
                range // {LINES_OF_FIVE_BASKETS} as block,
                range % {LINES_OF_FIVE_BASKETS} as place,
                case when place < 1 then 0 when place < 3 then 1 when place < 6 then 2 when place < 10 then 3 else 4 end
                    as basket_in_block,
                {day} * 1000003 + range as line,
                block * 5 + basket_in_block as basket,
                {day} * 1000003 + basket as basket_seed
            from range({count})
        ),
        chosen as (
            select
                *,
                (mix(basket_seed, 2) + place * 7) % {PRODUCTS} + 1 as product_id,
                if(mix(line, 3) % 100 = 0, -1, 1) * (1 + mix(line, 4) % 3) as quantity,
                if(mix(line, 5) % 5 = 0, 5 + mix(line, 6) % 16, null) as discount_percent
            from numbered
        ),
        priced as (
            select
                *,
                price_cents(product_id) * quantity as gross_cents,
                gross_cents * discount_percent // 100 as cut_cents
            from chosen
        )
        select
            'T-{date:%Y%m%d}-' || lpad(cast(basket as varchar), 7, '0') as transaction_id,
            mix(basket_seed, 7) % {STORES} + 1 as store_id,
            product_id,
            quantity,
            cast(gross_cents / 100 as decimal(18, 2)) as revenue,
            cast(cut_cents / 100 as decimal(18, 2)) as discount_applied,
            cast({midnight} + 28800 + mix(basket_seed, 8) % 43200 as double) as "timestamp",
            gross_cents - coalesce(cut_cents, 0) as net_cents
        from priced
    """
