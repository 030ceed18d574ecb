"""Lands JSON Lines, out of files or memory, as one lake object: read, check by the ten thousand, protect, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.contracts.reader import LAKE_TYPES
from shoplake.keys.duckdb_session import quoted
from shoplake.lake.checks import CheckedSql, checked_sql
from shoplake.lake.flags import CONFLICT
from shoplake.sources.json_lines import EventRows, read_events

if TYPE_CHECKING:
    import datetime as dt

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.sources.lexers import TextRows

CHECK_ROWS = 100_000
"""Lines checked by one statement: DuckDB takes some ten milliseconds to plan it."""
Rejected = tuple[int, tuple[str, ...], str]
"""Line, reasons, raw line."""


@dataclass
class EventBatch:
    """Rows on their way into the lake: those that may land are held in the temporary table ``clear_rows``.

    The table is in memory (encrypted where it spills). Only some ten thousand lines are held beside it at a time.
    """

    con: DuckDBPyConnection
    contract: Contract
    now: dt.datetime
    late_before: dt.datetime | None = None
    """Events of a stream before this moment are marked as late; None marks none."""
    rejected: dict[str, list[Rejected]] = field(default_factory=dict)
    """By file id."""
    drift: dict[str, Counter[str]] = field(default_factory=dict)
    """Rows by field that the contract does not know, by file id."""
    _plain: list[tuple[str, EventRows]] = field(default_factory=list)
    _odd: list[tuple[str, TextRows]] = field(default_factory=list)
    _waiting: int = 0
    _odd_waiting: int = 0

    def __post_init__(self) -> None:
        """Make the empty table."""
        fields = ", ".join(f"{quoted(f.name)} {LAKE_TYPES[f.type]}" for f in self.contract.fields)
        self.con.execute(
            f"create or replace temp table clear_rows ({fields}, _file_id varchar, _line bigint, _flags uinteger)"
        )

    def add(self, file_id: str, blocks: Iterable[bytes]) -> None:
        """Read the lines of a file, given as blocks of bytes."""
        drift = self.drift.setdefault(file_id, Counter())
        self.rejected.setdefault(file_id, [])
        for rows in read_events(blocks, self.contract.fields):
            self._plain.append((file_id, rows))
            drift.update(rows.drift)
            for odd in rows.odd:
                self._odd.append((file_id, odd))
                self._odd_waiting += len(odd.lines)
                drift.update(odd.drift)
            self._waiting += rows.count
            if self._waiting >= CHECK_ROWS:
                self._check_plain()
            if self._odd_waiting >= CHECK_ROWS:
                self._check_odd()

    def check(self) -> None:
        """Check the rows that were read and not checked yet."""
        self._check_plain()
        self._check_odd()

    def _check_plain(self) -> None:
        import pyarrow as pa

        waiting, self._plain, self._waiting = self._plain, [], 0
        tables = [_of_file(rows.plain, file_id) for file_id, rows in waiting if rows.plain.num_rows]
        if not tables:
            return
        table = pa.concat_tables(tables)
        relation = "(select *, null::varchar as _broken from event_rows)"
        rejected = self._insert(table, relation, has_kinds=False)
        if rejected:
            places = {(file_id, rows.first_line): rows for file_id, rows in waiting}
            starts: dict[str, list[int]] = {}
            for file_id, first_line in places:
                starts.setdefault(file_id, []).append(first_line)
            for file_id, line, reasons in rejected:
                start = max(first for first in starts[file_id] if first <= line)
                self.rejected[file_id].append((line, reasons, places[file_id, start].raw(line)))

    def _check_odd(self) -> None:
        import pyarrow as pa

        waiting, self._odd, self._odd_waiting = self._odd, [], 0
        tables = [_of_file(_table(rows), file_id) for file_id, rows in waiting if rows.lines]
        if not tables:
            return
        raw = {(file_id, line): text for file_id, rows in waiting for line, text in _numbered(rows)}
        for file_id, line, reasons in self._insert(pa.concat_tables(tables), "event_rows", has_kinds=True):
            self.rejected[file_id].append((line, reasons, raw[file_id, line]))

    def _insert(self, table: pa.Table, relation: str, *, has_kinds: bool) -> list[tuple[str, int, tuple[str, ...]]]:
        """Let the rows in that break no rule of severity error; give file, line and reasons of the others."""
        sql = self._sql(relation, has_kinds=has_kinds)
        self.con.register("event_rows", table)
        try:
            row = self.con.execute(f"insert into clear_rows {sql.landable}").fetchone()
            if row and row[0] == table.num_rows:
                return []
            # Few rows do not land, and saying why costs as much again: so it is asked of those alone.
            known = "select 1 from clear_rows as c where c._file_id = e._file_id and c._line = e._line"
            left = f"(select * from {relation} as e where not exists ({known}))"
            rows = self.con.execute(self._sql(left, has_kinds=has_kinds).rejected).fetchall()
        finally:
            self.con.unregister("event_rows")
        return [(file_id, line, tuple(reasons)) for file_id, line, reasons in rows]

    def _sql(self, relation: str, *, has_kinds: bool) -> CheckedSql:
        return checked_sql(
            self.contract,
            relation,
            now=self.now,
            has_kinds=has_kinds,
            is_natural=not has_kinds,
            late_before=self.late_before,
        )

    def drop_duplicates(self) -> dict[str, int]:
        """Keep the first of exact duplicates within a file and flag rows that share a key with other content.

        Returns:
            The rows dropped, by file id.

        """
        # As where ciphertexts are compared, equal messages are told by what else the row holds.
        fields = ", ".join(quoted(f.name) for f in self.contract.fields if f.personal != "text")
        identity = ", ".join(["_file_id", *(quoted(name) for name in self.contract.key)])
        shared = f"select hash({identity}) from clear_rows group by 1 having count(*) > 1"
        self.con.execute(f"create or replace temp table shared as {shared}")
        counted = self.con.execute("select count(*) from shared").fetchone() or (0,)
        if not counted[0]:
            self.con.execute("drop table shared")
            return {}
        suspects = f"select rowid as place, * from clear_rows where hash({identity}) in (from shared)"
        dropped = self.con.execute(
            f"delete from clear_rows where rowid in (select place from ({suspects}) "
            f"qualify row_number() over (partition by _file_id, {fields} order by _line) > 1) returning _file_id"
        ).fetchall()
        self.con.execute(
            f"update clear_rows set _flags = _flags | {CONFLICT} where rowid in (select place from ({suspects}) "
            f"qualify count(*) over (partition by {identity}) > 1)"
        )
        self.con.execute("drop table shared")
        return Counter(file_id for (file_id,) in dropped)


def _of_file(table: pa.Table, file_id: str) -> pa.Table:
    import pyarrow as pa

    return table.append_column("_file_id", pa.repeat(pa.scalar(file_id, pa.string()), table.num_rows))


def _numbered(rows: TextRows) -> Iterator[tuple[int, str]]:
    return zip(rows.lines, rows.raw, strict=True)


def _table(rows: TextRows) -> pa.Table:
    import pyarrow as pa

    columns: Mapping[str, Sequence[object]] = {
        **{f"f{place}": column for place, column in enumerate(rows.columns)},
        "_broken": rows.broken,
        "_kinds": rows.kinds or [],
    }
    table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
    return table.append_column("_line", pa.array(rows.lines, pa.int64()))
