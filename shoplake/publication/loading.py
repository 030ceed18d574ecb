"""Rows into the database: only of the parts of a table whose content is not there yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.errors import PublicationError
from shoplake.keys.duckdb_session import quoted, text
from shoplake.pipeline.manifest import Partition, days_of_label
from shoplake.publication.present import OWN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.manifest import Table
    from shoplake.publication.server import Server
    from shoplake.publication.wanted import WantedTable
    from shoplake.settings import Settings

INDEXED_ROWS = 10_000
"""A table of fewer rows is read whole as quickly."""


@dataclass(frozen=True)
class Load:
    """What has to be done so that the database holds a table's rows."""

    wanted: WantedTable
    table: Table
    place: str
    """Name of the table to load into."""
    stale: tuple[str, ...]
    """Labels whose rows there have to go."""
    fresh: tuple[Partition, ...]
    gone: tuple[str, ...]
    """Labels that the release has no more."""
    is_whole: bool
    """Whether all rows that are there are stale."""
    is_new: bool

    @property
    def rows(self) -> int:
        """Count the rows to load."""
        return sum(partition.rows for partition in self.fresh)


def load_of(wanted: WantedTable, table: Table, place: str, known: Mapping[str, str], *, is_new: bool) -> Load:
    """Compare the partitions of a release with those in the database."""
    have = {} if is_new else known
    content = {partition.label: partition.content for partition in table.partitions}
    fresh = tuple(p for p in table.partitions if have.get(p.label) != p.content)
    gone = tuple(sorted(known.keys() - content.keys()))
    stale = tuple(sorted({p.label for p in fresh if have} | {label for label in gone if label in have}))
    return Load(wanted, table, place, stale, fresh, gone, stale == tuple(sorted(have)), is_new)


def execute_load(server: Server, con: DuckDBPyConnection, settings: Settings, keyring: Keyring, load: Load) -> None:
    """Replace the stale rows of one table with the fresh ones.

    Raises:
        PublicationError: the server refuses, or took another number of rows.
        KeyAccessError: a key of the release is gone.

    """
    place = f"{quoted(load.wanted.schema)}.{quoted(load.place)}"
    for test in _ranges(load):
        server.execute(f"delete from {place} where {test}")
    if load.rows:
        columns = list(load.wanted.columns)
        done = server.insert(load.wanted.schema, load.place, columns, _select(con, settings, keyring, load))
        if done != load.rows:
            raise PublicationError(
                f"{load.wanted.schema}.{load.wanted.name}: {done} rows were written, the release has {load.rows}.",
                hint="Nothing of this publication is in the database; `shoplake run --rebuild` makes the release anew.",
            )
    if load.is_new and load.wanted.partition_by and load.rows >= INDEXED_ROWS:
        server.execute(f"create index on {place} ({quoted(load.wanted.partition_by)})")
    if load.is_new:
        server.execute(f"analyze {place}")
    for statement in _noted(load):
        server.execute(statement)


def _select(con: DuckDBPyConnection, settings: Settings, keyring: Keyring, load: Load) -> str:
    from shoplake.keys.duckdb_session import add_parquet_key, scan_sql
    from shoplake.pipeline.releases import partition_files

    grouped = partition_files(settings, load.fresh)
    by_key = {
        add_parquet_key(con, keyring.get(load.table.key_name, version)): paths for version, paths in grouped.items()
    }
    return scan_sql(by_key, {column: load.table.columns[column] for column in load.wanted.columns})


def _ranges(load: Load) -> Iterator[str]:
    """Give tests for the rows that have to go, neighbouring days in one."""
    column, spans = load.wanted.partition_by, list[tuple[dt.date, dt.date]]()
    if load.stale and (column is None or load.is_whole):
        yield "true"
        return
    for label in load.stale:
        days = list(days_of_label(label))
        if spans and days[0] <= spans[-1][1] + dt.timedelta(days=1):
            spans[-1] = spans[-1][0], max(spans[-1][1], days[-1])
        else:
            spans.append((days[0], days[-1]))
    for first, last in spans:
        yield f"{quoted(column or '')} between {text(first.isoformat())} and {text(last.isoformat())}"


def _noted(load: Load) -> Iterator[str]:
    """Give statements that note which content is there now."""
    of_table = f"schema_name = {text(load.wanted.schema)} and table_name = {text(load.wanted.name)}"
    labels = [*load.gone, *(partition.label for partition in load.fresh)]
    if load.is_new:
        yield f"delete from {OWN}.published_partition where {of_table}"
    elif labels:
        names = ", ".join(text(label) for label in labels)
        yield f"delete from {OWN}.published_partition where {of_table} and label in ({names})"
    if load.fresh:
        table = f"{text(load.wanted.schema)}, {text(load.wanted.name)}"
        rows = ", ".join(f"({table}, {text(p.label)}, {text(p.content)})" for p in load.fresh)
        yield f"insert into {OWN}.published_partition values {rows}"
