"""Measures publishing into PostgreSQL: ``python -m bench.publish [--rows 1000000]``.

A release of one mart (`mart_sales__product_day`, 365 day partitions, encrypted as always) is published into a real
server that the benchmark starts; a second publication finds one changed day, a third nothing. In the same run the same
rows are written by bare binary COPY through psycopg, from memory, into a table of the same shape without an index: as
fast as that server takes rows.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.machine import describe
from shoplake.audit.recording import close_logs
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, connect, copy_options
from shoplake.keys.keyring import Keyring
from shoplake.pipeline import releases
from shoplake.pipeline.init import init_home
from shoplake.pipeline.manifest import AuditCounts, Manifest, Partition, Table
from shoplake.publication.postgres import Report, publish
from shoplake.settings import Settings, load_settings
from tests.postgres import PostgresServer, started_server

SECONDS = 5.0
DAYS = 365
BLOCK = 262_144
MART, DATABASE = "mart_sales__product_day", "sales"
OPTIONS = ("-c", "shared_buffers=128MB", "-c", "max_wal_size=4GB")
TARGET = f"{DATABASE}.{MART}"


def main() -> int:
    """Measure and print; give 1 if the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.publish", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the mart")
    parser.add_argument("--repeats", type=int, default=3, help="publications, each into an empty database")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work, started_server(options=OPTIONS) as server:
        settings = load_settings(Path(work) / "home")
        init_home(settings)
        _release(settings, given.rows)
        whole, bare = [], []
        for number in range(given.repeats):
            database = _new_database(server, number)
            took, ours = _published(settings, server.url(database))
            whole.append(took)
            bare.append(_bare_copy(server, database))
            print(f"published {ours.rows:,} rows in {took:.2f} s; bare binary COPY of them {bare[-1]:.2f} s")
        _change_a_day(settings)
        took, ours = _published(settings, server.url(database))
        print(f"one changed day ({ours.rows:,} rows): {took:.2f} s")
        took, ours = _published(settings, server.url(database))
        print(f"the same release again ({ours.rows:,} rows): {took:.2f} s")
        close_logs()
    best, floor = min(whole), min(bare)
    print(f"best of {given.repeats}: {best:.2f} s (target {SECONDS:g} s), {best / floor:.2f} x bare COPY")
    return 0 if best < SECONDS else 1


def _published(settings: Settings, url: str) -> tuple[float, Report]:
    """Publish once; give the seconds, and what was done."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    found = publish(settings, url)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    print(f"  own processor time {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f} s")
    return took, found


def _new_database(server: PostgresServer, number: int) -> str:
    with server.connect() as con:
        con.execute(f"create database bench_{number}")
    return f"bench_{number}"


def _columns() -> dict[str, str]:
    from shoplake.pipeline.project import load_project

    return dict(load_project(load_settings()).graph[MART].columns)


def _release(settings: Settings, rows: int) -> None:
    """Make a release of one mart, day by day."""
    columns, folder = _columns(), HomePaths(settings.home).partitions / DATABASE / MART
    folder.mkdir(parents=True)
    keyring, con = Keyring.open(settings), connect(settings)
    keyring.ensure([TARGET])
    key = keyring.current(TARGET)
    values = ", ".join(f"{_value(kind, n)}::{kind} as {name}" for n, (name, kind) in enumerate(columns.items()))
    options = copy_options(add_parquet_key(con, key))
    partitions, each = [], rows // DAYS
    for day in range(DAYS):
        label = (dt.date(2025, 1, 1) + dt.timedelta(days=day)).isoformat()
        count = each + (rows % DAYS if day == DAYS - 1 else 0)
        file = folder / f"{label}.parquet"
        con.execute(f"copy (select {values.replace('$day', label)} from range({count})) to '{file}' ({options})")
        partitions.append(Partition(label, f"first {label}", count, (f"{DATABASE}/{MART}/{file.name}",), key.version))
    table = Table(DATABASE, columns, "sale_date", tuple(partitions), key=TARGET)
    now = dt.datetime.now(dt.UTC)
    releases.save(
        settings,
        Manifest(releases.new_release_id(now), now, 1, "UTC", "bench", {}, None, {MART: table}, AuditCounts(0, 0)),
    )
    con.close()


def _value(kind: str, number: int) -> str:
    if kind == "DATE":
        return "'$day'"
    return {"VARCHAR": f"'word ' || (range * {number + 3} % 5000)", "BOOLEAN": "range % 7 = 0"}.get(
        kind, f"(range * {number + 7} % 90000) / 4"
    )


def _change_a_day(settings: Settings) -> None:
    """Make another release, whose last day has another content."""
    manifest = releases.required(settings, None)
    *kept, last = manifest.tables[MART].partitions
    changed = msgspec.structs.replace(last, content="changed")
    table = msgspec.structs.replace(manifest.tables[MART], partitions=(*kept, changed))
    now = manifest.created_at + dt.timedelta(seconds=1)
    changes = {"release_id": releases.new_release_id(now), "created_at": now, "tables": {MART: table}}
    releases.save(settings, msgspec.structs.replace(manifest, **changes))


def _bare_copy(server: PostgresServer, database: str) -> float:
    """Give the seconds in which psycopg writes the same rows by binary COPY, from memory."""
    with server.connect(database) as con:
        with con.cursor().copy(f"copy {TARGET} to stdout (format binary)") as out:
            rows = b"".join(bytes(block) for block in out)
        con.execute(f"create table bare (like {TARGET})")
        started = time.perf_counter()
        with con.cursor().copy("copy bare from stdin (format binary)") as into:
            for start in range(0, len(rows), BLOCK):
                into.write(rows[start : start + BLOCK])
        return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
