"""Pieces of released tables in memory: a month of a mart, a day of a fact, each compressed in a database of its own.

A piece never changes. It is named by the content of its partitions and their key, so that another release takes up
whatever it shares with the one before, and a piece goes at once when no release in force holds it.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted
from shoplake.pipeline.manifest import ALL, AuditCounts, Held, Manifest, Partition, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.settings import Settings

MONTH_LENGTH = len("2026-01")
BYTES_A_VALUE = 3
"""What a value of the demo's tables takes on the average, compressed; the largest table is at 2.4."""
TABLES = ("BASE_TABLE", "IN_MEMORY_TABLE")
"""What DuckDB's memory is counted under that tables take; the rest is the work of queries."""
READ_ROWS = 122_880
"""DuckDB's row group."""


@dataclass(frozen=True)
class Wanted:
    """A piece by all that it is made of."""

    name: str
    key_name: str
    columns: tuple[tuple[str, str], ...]
    partitions: tuple[Partition, ...]
    order: str = ""

    def holds(self) -> frozenset[Held]:
        """Name its partitions."""
        return frozenset((self.key_name, self.name, p.content, p.key_version) for p in self.partitions)

    @property
    def most_bytes(self) -> int:
        """Give about how much memory it takes."""
        return sum(partition.rows for partition in self.partitions) * len(self.columns) * BYTES_A_VALUE


@dataclass
class _Chunk:
    catalog: str
    holds: frozenset[Held]
    users: int = 0
    is_over: bool = False


@dataclass
class Chunks:
    """All pieces in memory. Who loads or forgets pieces does so one at a time."""

    settings: Settings
    _known: OrderedDict[Wanted, _Chunk] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)
    _is_open: bool = False

    @cached_property
    def con(self) -> DuckDBPyConnection:
        """Give the database that holds them: it has no key of any table, and can open no file."""
        from shoplake.access.kpi_survival import register
        from shoplake.keys.duckdb_session import connect

        con = connect(self.settings)
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        register(con)
        self._is_open = True
        return con

    @cached_property
    def _numbers(self) -> count[int]:
        return count(1)

    def wanted(self, name: str, table: Table, whole: Table) -> list[Wanted]:
        """Give the pieces that hold the partitions of a table, each with all that ``whole`` has of its days."""
        columns = tuple(table.columns.items())
        order = table.partition_by or ""
        groups: dict[str, list[Partition]] = {}
        for partition in whole.partitions:
            groups.setdefault(_group(name, partition.label), []).append(partition)
        labels = dict.fromkeys(_group(name, partition.label) for partition in table.partitions)
        return [Wanted(name, table.key_name, columns, tuple(groups[label]), order) for label in labels]

    def load(self, wanted: Iterable[Wanted]) -> None:
        """Read the pieces that are not there, in a session of its own that holds their keys for so long.

        Raises:
            KeyAccessError: a key is missing or wrong.

        """
        from shoplake.access.session import open_release

        missing = {}
        for one in wanted:
            if one in self._known:
                self._known.move_to_end(one)
            else:
                missing[f"chunk_{next(self._numbers)}"] = one
        if not missing:
            return
        source = open_release(self.settings, _as_release(missing))
        try:
            for catalog, one in missing.items():
                with self._attached(catalog):
                    self._read(source, catalog, one)
                with self._lock:
                    self._known[one] = _Chunk(catalog, one.holds())
        finally:
            source.close()

    @contextmanager
    def _attached(self, catalog: str) -> Iterator[None]:
        """Make a database in memory, which goes again when it cannot be filled."""
        with self.con.cursor() as cursor:
            cursor.execute(f"attach ':memory:' as {catalog} (compress)")
            try:
                yield
            except BaseException:
                cursor.execute(f"detach {catalog}")
                raise

    def _read(self, source: DuckDBPyConnection, catalog: str, one: Wanted) -> None:
        order = f" order by {quoted(one.order)}" if one.order else ""
        columns = ", ".join(f"cast({quoted(name)} as {kind}) as {quoted(name)}" for name, kind in one.columns)
        with self.con.cursor() as cursor:
            rows = source.execute(f'select * from chunks."{catalog}"{order}').to_arrow_reader(READ_ROWS)
            cursor.register("incoming", rows)
            cursor.execute(f"create table {catalog}.main.held as select {columns} from incoming")
            cursor.unregister("incoming")
            cursor.execute(f"checkpoint {catalog}")

    def select(self, table: Table, wanted: Sequence[Wanted]) -> str:
        """Give the SELECT of a table from its pieces."""
        shown = ", ".join(map(quoted, table.columns))
        if not wanted:
            nothing = ", ".join(f"null::{kind} as {quoted(name)}" for name, kind in table.columns.items())
            return f"select {nothing} where false"
        return " union all ".join(f"select {shown} from {self._known[one].catalog}.main.held" for one in wanted)

    def take(self, wanted: Iterable[Wanted]) -> None:
        """Note that pieces are in use."""
        with self._lock:
            for one in wanted:
                self._known[one].users += 1

    def give_back(self, wanted: Iterable[Wanted]) -> None:
        """Note that pieces are no longer in use; those that are over go."""
        with self._lock:
            for one in wanted:
                chunk = self._known[one]
                chunk.users -= 1
                if chunk.is_over and not chunk.users:
                    self._forget(one)

    def keep_only(self, held: Collection[Held]) -> None:
        """Let go the pieces of other partitions than these; those in use when they are given back."""
        with self._lock:
            for one, chunk in list(self._known.items()):
                chunk.is_over = not chunk.holds.issubset(held)
                if chunk.is_over and not chunk.users:
                    self._forget(one)

    def forget_one(self) -> bool:
        """Let go the unused piece that was not asked for the longest; say whether there was one."""
        with self._lock:
            found = next((one for one, chunk in self._known.items() if not chunk.users), None)
            if found is not None:
                self._forget(found)
        return found is not None

    def bytes_used(self) -> int:
        """Give the memory that they take."""
        if not self._is_open:
            return 0
        with self.con.cursor() as cursor:
            found = cursor.execute(
                f"select sum(memory_usage_bytes) from duckdb_memory() where tag in {TABLES}"
            ).fetchone()
        return int(found[0] or 0) if found else 0

    def _forget(self, one: Wanted) -> None:
        with self.con.cursor() as cursor:
            cursor.execute(f"detach {self._known.pop(one).catalog}")


def _group(name: str, label: str) -> str:
    """Name the piece that a partition belongs to; facts are read by the day, and marts by many days at once."""
    return label if name.startswith("fct_") or label == ALL else label[:MONTH_LENGTH]


def _as_release(pieces: dict[str, Wanted]) -> Manifest:
    """Describe pieces as the tables of a release, which a session can open."""
    tables = {
        catalog: Table("chunks", dict(one.columns), None, one.partitions, key=one.key_name)
        for catalog, one in pieces.items()
    }
    return Manifest("", dt.datetime.now(dt.UTC), 0, "UTC", "", {}, None, tables, AuditCounts(0, 0))
