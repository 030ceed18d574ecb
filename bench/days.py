"""Writes one business day of all four sources, the same day always the same, for the benchmark of growing history."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bench.data import WAREHOUSES, write_sales

STOCKED_PRODUCTS = 250
PAIRS = STOCKED_PRODUCTS * WAREHOUSES
COUNTS_A_DAY = 4
COUNTS = PAIRS * COUNTS_A_DAY
CUSTOMERS = 2000
SESSIONS = 600
EVENTS_A_SESSION = 5
INTERACTIONS = 300
EPOCH = dt.date(2000, 1, 1)
NUMBERS_A_DAY = 200_003


def write_day(folder: Path, date: dt.date, sale_lines: int) -> dict[str, Path]:
    """Write the files of ``date`` below ``folder``, one folder a source, and give them by source."""
    import duckdb

    write_sales(folder / "pos", sale_lines, days=1, first_day=date)
    files = {"pos": folder / "pos" / f"pos_{date.isoformat()}.csv"}
    con = duckdb.connect()
    # Each day draws from a stretch of its own, so that no two days look alike.
    drawn = f"n + salt * 7919 + {(date - EPOCH).days * NUMBERS_A_DAY}"
    con.execute(f"create macro mix(n, salt) as (({drawn}) * 2654435761 % 4294967291) >> 8")
    midnight = int(dt.datetime.combine(date, dt.time(), dt.UTC).timestamp())
    for source, (sql, ending, options) in _sources(midnight, date).items():
        files[source] = folder / source / f"{source}_{date.isoformat()}.{ending}"
        files[source].parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy ({sql}) to '{files[source]}' ({options})")
    con.close()
    return files


def _sources(midnight: int, date: dt.date) -> dict[str, tuple[str, str, str]]:
    inventory = f"""
        select
            {date.toordinal() * COUNTS} + range as inventory_id,
            range // {WAREHOUSES} % {STOCKED_PRODUCTS} + 1 as product_id,
            range % {WAREHOUSES} + 1 as warehouse_id,
            greatest(0, mix(range, 1) % 120 - 6) as stock_level,
            20 as restock_threshold,
            cast({midnight} + range // {PAIRS} * {86400 // COUNTS_A_DAY} as double) as last_updated
        from range({COUNTS})"""
    web_events = f"""
        select
            '{date:%Y%m%d}-' || range // {EVENTS_A_SESSION} as session_id,
            if(mix(range // {EVENTS_A_SESSION}, 2) % 3 = 0, null, mix(range // {EVENTS_A_SESSION}, 3) % {CUSTOMERS} + 1)
                as user_id,
            '/p/' || mix(range, 4) % 500 as page,
            ['Desktop', 'Mobile', 'Tablet'][mix(range // {EVENTS_A_SESSION}, 5) % 3 + 1] as device_type,
            'Firefox' as browser,
            ['Click', 'View', 'Scroll'][mix(range, 6) % 3 + 1] as event_type,
            cast({midnight} + mix(range // {EVENTS_A_SESSION}, 7) % 80000 + range % {EVENTS_A_SESSION} * 40 as double)
                as "timestamp"
        from range({SESSIONS * EVENTS_A_SESSION})"""
    interactions = f"""
        select
            mix(range, 8) % {CUSTOMERS} + 1 as customer_id,
            ['Feedback', 'Loyalty', 'Complaint'][mix(range, 9) % 3 + 1] as interaction_type,
            ['Email', 'App', 'Phone'][mix(range, 10) % 3 + 1] as channel,
            if(mix(range, 11) % 4 = 0, null, mix(range, 12) % 5 + 1) as rating,
            'Message ' || range as message_excerpt,
            cast({midnight} + mix(range, 13) % 86000 as double) as "timestamp"
        from range({INTERACTIONS})"""
    return {
        "inventory": (inventory, "csv", "header, delimiter ','"),
        "web_events": (web_events, "jsonl", "format json"),
        "interactions": (interactions, "jsonl", "format json"),
    }
