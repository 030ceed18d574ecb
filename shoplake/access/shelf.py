"""Keeps what KPIs read of a release in memory: only the columns that they name, compressed, within a limit.

What it lends is a *stand*: a schema of views over the tables that one question reads, for the same days under the same
keys. Whoever asks gets the stand of their own rights, and a KPI's SQL names nothing beyond it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from shoplake.access.shelf_chunks import Chunks, Wanted
from shoplake.keys.duckdb_session import quoted
from shoplake.keys.keyring import CHECK, note_keys

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.pipeline.manifest import Held, Manifest, Table
    from shoplake.settings import Settings

MOST_STANDS = 64


@dataclass
class _Stand:
    schema: str
    manifest: Manifest
    wanted: list[Wanted]
    keys: frozenset[str]
    users: int = 0
    is_over: bool = False


class Shelf:
    """Any thread may use it."""

    def __init__(self, settings: Settings) -> None:
        """Hold nothing yet."""
        self._limit = settings.service_memory_limit_bytes
        self._chunks = Chunks(settings)
        self._lock, self._loading = Lock(), Lock()
        self._stands: OrderedDict[Hashable, _Stand] = OrderedDict()
        self._numbers = count(1)

    @contextmanager
    def lent(
        self, which: Hashable, needed: Manifest, whole: Manifest, columns: Collection[str]
    ) -> Iterator[tuple[DuckDBPyConnection, Manifest] | None]:
        """Lend a cursor over tables, and the release as they stand there; None where there is no room for them.

        Args:
            which: names the very files, columns and keys of ``needed``.
            needed: the tables, with the partitions that a question reads.
            whole: the same tables with all of their partitions.
            columns: names of the columns that may be read.

        Raises:
            KeyAccessError: a key is missing or wrong.

        """
        stand = self._taken(which) or self._made(which, needed, whole, columns)
        if stand is None:
            yield None
            return
        note_keys(stand.keys)
        cursor = self._chunks.con.cursor()
        try:
            yield cursor, stand.manifest
        finally:
            cursor.close()
            self._give_back(stand)

    def keep_only(self, held: Collection[Held]) -> None:
        """Let go whatever is made of other partitions; what is in use goes when it is given back."""
        with self._loading:
            self._end_all()
            self._chunks.keep_only(held)

    def close(self) -> None:
        """Let everything go; what is in use goes when it is given back."""
        with self._loading:
            self._end_all()
            self._chunks.keep_only(())

    def bytes_used(self) -> int:
        """Give the memory that is taken."""
        return self._chunks.bytes_used()

    def count(self) -> int:
        """Count the stands."""
        return len(self._stands)

    def _taken(self, which: Hashable) -> _Stand | None:
        with self._lock:
            found = self._stands.get(which)
            if found is not None:
                self._stands.move_to_end(which)
                found.users += 1
            return found

    def _made(self, which: Hashable, needed: Manifest, whole: Manifest, columns: Collection[str]) -> _Stand | None:
        with self._loading:
            if (found := self._taken(which)) is not None:
                return found
            tables = {name: _narrow(table, columns) for name, table in needed.tables.items()}
            wanted = {name: self._chunks.wanted(name, tables[name], whole.tables[name]) for name in tables}
            every = [one for of_table in wanted.values() for one in of_table]
            if sum(one.most_bytes for one in every) > self._limit:
                return None
            # In a context of its own: a record names the keys of what is asked for, not of what is read along with it.
            Context().run(self._chunks.load, every)
            stand = self._show(needed, tables, wanted)
            with self._lock:
                self._stands[which] = stand
            self._make_room()
            return stand

    def _show(self, needed: Manifest, tables: dict[str, Table], wanted: dict[str, list[Wanted]]) -> _Stand:
        schema = f"stand_{next(self._numbers)}"
        with self._chunks.con.cursor() as cursor:
            cursor.execute(f"create schema memory.{schema}")
            for name, table in tables.items():
                select = self._chunks.select(table, wanted[name])
                cursor.execute(f"create view memory.{schema}.{quoted(name)} as {select}")
        every = [one for of_table in wanted.values() for one in of_table]
        self._chunks.take(every)
        keys = {f"{t.key_name}/{p.key_version}" for t in needed.tables.values() for p in t.partitions}
        placed = {name: msgspec.structs.replace(table, database=schema) for name, table in tables.items()}
        return _Stand(
            schema, msgspec.structs.replace(needed, tables=placed), every, frozenset(keys | {f"{CHECK}/1"}), users=1
        )

    def _give_back(self, stand: _Stand) -> None:
        with self._lock:
            stand.users -= 1
            is_last = stand.is_over and not stand.users
        if is_last:
            self._clear(stand)

    def _make_room(self) -> None:
        """End what was not asked for the longest, until the limit is kept or all that is left is in use."""
        while len(self._stands) > MOST_STANDS or self.bytes_used() > self._limit:
            if len(self._stands) <= MOST_STANDS and self._chunks.forget_one():
                continue
            with self._lock:
                idle = next((which for which, stand in self._stands.items() if not stand.users), None)
                stand = self._stands.pop(idle) if idle is not None else None
            if stand is None:
                return
            self._clear(stand)

    def _end_all(self) -> None:
        with self._lock:
            old, self._stands = list(self._stands.values()), OrderedDict()
            for stand in old:
                stand.is_over = True
            idle = [stand for stand in old if not stand.users]
        for stand in idle:
            self._clear(stand)

    def _clear(self, stand: _Stand) -> None:
        with self._chunks.con.cursor() as cursor:
            cursor.execute(f"drop schema memory.{stand.schema} cascade")
        self._chunks.give_back(stand.wanted)


def _narrow(table: Table, columns: Collection[str]) -> Table:
    """Leave out the columns that no KPI reads."""
    kept = {name: kind for name, kind in table.columns.items() if name in columns or name == table.partition_by}
    return msgspec.structs.replace(table, columns=kept or table.columns)
