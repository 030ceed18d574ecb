"""How things stand: what the last run's tests said, what has landed of a source, what a release holds of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shoplake.home import HomePaths

if TYPE_CHECKING:
    from shoplake.catalogue.guards import Guard
    from shoplake.pipeline.manifest import Manifest, Table
    from shoplake.settings import Settings

Verdict = Literal["passed", "passed-before", "warned", "failed", "not-run"]
FAILED = re.compile(r"^  (\S+) on \S+: (\d+) row", re.MULTILINE)
"""How a run that fails names each test that broke, and the number of rows that broke it."""


@dataclass(frozen=True)
class Landed:
    """What counts of a source."""

    files: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Held:
    """What a release holds of a table, or of a person's part of it."""

    rows: int
    files: int
    bytes: int
    first: str
    """Day or month of the first partition; empty where the table is kept as a whole."""
    last: str


def broken_tests(settings: Settings) -> dict[str, int]:
    """Give the tests that kept the last run from publishing, each with the number of rows that broke it."""
    from shoplake.pipeline.releasing import opened

    with opened(settings) as (_, ledger):
        runs = ledger.runs(limit=1)
    if not runs or runs[0]["status"] != "failed":
        return {}
    return {name: int(rows) for name, rows in FAILED.findall(str(runs[0]["detail"].get("error", "")))}


def landed(settings: Settings, source: str) -> Landed:
    """Count the files of a source whose rows count."""
    from shoplake.pipeline.releasing import opened

    with opened(settings) as (_, ledger):
        files = ledger.files(source, only_active=True)
    return Landed(len(files), sum(file.rows_landed for file in files), sum(file.bytes for file in files))


def held(settings: Settings, table: Table) -> Held:
    """Count the rows and the bytes of a table's files."""
    root = HomePaths(settings.home).partitions
    files = [root / file for partition in table.partitions for file in partition.files]
    labels = sorted(partition.label for partition in table.partitions) if table.partition_by else []
    return Held(
        table.rows,
        len(files),
        sum(file.stat().st_size for file in files if file.is_file()),
        labels[0] if labels else "",
        labels[-1] if labels else "",
    )


def verdict(guard: Guard, manifest: Manifest, broken: Mapping[str, int]) -> Verdict:
    """Say how the last audit went for a test of a model.

    A run audits what it makes anew: of a table that it leaves alone, the last audit that was of it still stands.
    """
    if guard.name in broken:
        return "failed"
    if not manifest.release_id or not manifest.tables.keys() & set(guard.reads):
        return "not-run"
    if manifest.changed.keys().isdisjoint(guard.reads):
        return "passed-before"
    return "warned" if guard.is_warning and manifest.tests.warned else "passed"
