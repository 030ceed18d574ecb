"""A run or a round on a disk that is full or fails says so and publishes nothing; once the disk works it is done."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from shoplake.access.sql import query
from shoplake.home import HomePaths
from shoplake.lake.landing import land
from shoplake.pipeline import releases
from shoplake.settings import Settings
from tests.faults.disk import BadDisk
from tests.faults.runs import Runs
from tests.journey.world import COLUMNS, DAY, FIRST, write

UNITS = "select sum(units) from warehouse.fct_sale_lines"
VISITS = "select count(*) from marketing.mart_marketing__sessions"
FAILURES = [
    ("run", errno.ENOSPC, "write", "/build/"),
    ("round", errno.ENOSPC, "write", "/build/"),
    ("round", errno.EIO, "sync", "/releases/"),
    ("run", errno.ENOSPC, "write", "/releases/"),
    ("run", errno.EIO, "write", "/audit/"),
    ("round", errno.EIO, "sync", "/operations.db"),
]


def deliver(settings: Settings, folder: Path, day: int) -> None:
    tills = [["T1", 1, 1, day + 1, 2.5, None, FIRST + day * DAY]]
    visits = [[f"s{day}", None, "/", "Mobile", "Firefox", "View", FIRST + day * DAY]]
    for source, rows in (("pos", tills), ("web_events", visits)):
        named = [dict(zip(COLUMNS[source], row, strict=True)) for row in rows]
        land(settings, source, [write(folder, source, f"{source}{day}", named)])


@pytest.mark.proof
def test_a_run_that_cannot_write_publishes_nothing_and_the_next_one_does(
    settings: Settings, bad_disk: BadDisk, tmp_path: Path
) -> None:
    deliver(settings, tmp_path, 0)
    with Runs(settings.home, os.environ | dict(bad_disk.environment)) as runs:
        first = runs.call("run")["release"]
        assert first == releases.required(settings, None).release_id
        deliver(settings, tmp_path, 1)
        for what, error, calls, part in FAILURES:
            with bad_disk.failing(error, calls, part):
                said = runs.call(what).get("error", "")
            assert "cannot be written" in said, (what, part, said)
            assert os.strerror(error) in said or "disk I/O error" in said, (what, part, said)
            assert releases.list_ids(settings) == [first]
            assert query(settings, UNITS).rows == [(1,)]
        second = runs.call("run")["release"]
    assert releases.required(settings, None).release_id == second
    assert query(settings, UNITS).rows == [(3,)]
    assert query(settings, VISITS).rows == [(2,)]
    root = HomePaths(settings.home).partitions
    on_disk = {str(file.relative_to(root)) for file in root.rglob("*.parquet")}
    assert on_disk == releases.files_in(releases.kept(settings)), "a run that failed has left files"
