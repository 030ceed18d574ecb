"""What makes sandboxed processes cheap to fork changes nothing of what they do."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, os, sys
from pathlib import Path

from shoplake.access.sandbox.inside import memory, system

if sys.argv[1] == "without":
    system.MADV_COLLAPSE = 9999
import duckdb, pyarrow

def mappings():
    return [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]

def copied():
    parts = [part for part in mappings() if part[1] == "r-xp" and len(part) == 5]
    return sum(int.__sub__(*(int(edge, 16) for edge in reversed(part[0].split("-")))) for part in parts)

before = copied()
memory.use_large_pages()
memory.fill_gaps()
table = duckdb.sql("select range as n, 'x' || range as t from range(10000)").to_arrow_table()
child = system.fork()
if child == 0:
    rows = duckdb.connect(config={"threads": 1}).execute("select sum(n) from range(10) t(n)").fetchone()
    os._exit(int(rows[0]))
print(json.dumps({
    "rows": table.num_rows,
    "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
    "copied": copied() - before,
    "writable_code": [part for part in mappings() if "w" in part[1] and "x" in part[1]],
}))
"""


def _ran(how: str) -> dict[str, object]:
    found = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    told: dict[str, object] = json.loads(found.stdout)
    return told


def test_libraries_run_from_copies_that_nobody_can_write() -> None:
    told = _ran("with")
    assert (told["rows"], told["child"], told["writable_code"]) == (10_000, 45, [])


def test_without_large_pages_libraries_stay_where_they_are() -> None:
    told = _ran("without")
    assert (told["rows"], told["child"], told["copied"]) == (10_000, 45, 0)
