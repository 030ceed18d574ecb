"""What a search of the audit log costs, by the record: ``python -m bench.audit_search --records 1000000``."""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path

import msgspec

from shoplake.audit.entry import Actor, acting_as, new_entry
from shoplake.audit.frames import RECORD
from shoplake.audit.reading import Wanted, check_home
from shoplake.audit.recording import close_logs, log_of
from shoplake.audit.search import search
from shoplake.pipeline.init import init_home
from shoplake.settings import Settings, load_settings

AT_ONCE = 5_000
SPAN = dt.timedelta(days=365)


def fill(settings: Settings, records: int) -> None:
    """Write records of a year into the log of a home, thousands at a time: written one by one they take an hour."""
    chain = log_of(settings)._chain
    with acting_as(Actor("ada", "sales")):
        words = {"kpi": "total_sales", "days": ["2026-01-01", "2026-01-31"], "where": {"region": ["North"]}}
        entry = new_entry("kpi", release="20260105T081500Z-3f2a91", tables=["sales.mart_sales__store_day"], **words)
    begin, step = dt.datetime.now(dt.UTC) - SPAN, SPAN / records
    with chain._threads:
        for start in range(0, records, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, records))
            made = [msgspec.structs.replace(entry, at=begin + step * n, rows=n).encoded() for n in numbers]
            chain._end = chain._append(chain._settled(), [(RECORD, body) for body in made])
        chain._sync(chain._end, chain._handle)
    close_logs()


def main() -> None:
    """Fill a log, and search it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(Path(folder) / "home")
        init_home(settings)
        fill(settings, records)
        for words, wanted in (
            ("the newest 50", Wanted()),
            ("a user in no record", Wanted(user="nobody")),
            ("a text in no record", Wanted(text="nothing says this")),
            ("a user in every record, newest 50", Wanted(user="ada")),
        ):
            started, spent = time.perf_counter(), time.process_time()
            found = search(settings, wanted, limit=50, seconds=600)
            print(
                f"{words}: {time.perf_counter() - started:.2f} s, processor {time.process_time() - spent:.2f} s, "
                f"{found.looked_at:,} opened"
            )
        started, spent = time.perf_counter(), time.process_time()
        report = check_home(settings)
        print(
            f"a check of all: {time.perf_counter() - started:.2f} s, processor {time.process_time() - spent:.2f} s, "
            f"{report.records:,} records"
        )
        close_logs()


if __name__ == "__main__":
    main()
