"""Says of events in memory which would not land and why, by the same generated SQL that landing uses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shoplake.lake.checks import checked_sql
from shoplake.sources.lexers import lex_lines

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.settings import Settings

Reasons = dict[int, tuple[str, ...]]
"""Reasons by the number (from 0) of each event that would not land."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class EventChecker:
    """Checks events on a DuckDB connection of its own; one thread uses it at a time."""

    def __init__(self, settings: Settings, *, clock: Callable[[], dt.datetime] = _utc_now) -> None:
        """Check with one thread and a small part of the memory."""
        from shoplake.keys.duckdb_session import connect

        self._con, self._clock = connect(settings, threads=1, memory_limit="256MB"), clock

    def check(self, contract: Contract, batches: Sequence[Sequence[bytes]]) -> list[Reasons]:
        """Check several batches of lines at once; give for each which lines would not land."""
        import pyarrow as pa

        names = [field.name for field in contract.fields]
        found: list[Reasons] = [{} for _ in batches]
        chunks = [
            pa.table(
                {f"f{n}": pa.array(column, pa.string()) for n, column in enumerate(rows.columns)}
                | {
                    "_file_id": pa.array([number] * len(rows.lines), pa.int32()),
                    "_line": pa.array(rows.lines, pa.int64()),
                    "_broken": pa.array(rows.broken, pa.string()),
                    "_kinds": pa.array(rows.kinds, pa.string()),
                }
            )
            for number, lines in enumerate(batches)
            for rows in lex_lines(lines, names)
        ]
        if not chunks:
            return found
        lexed = pa.concat_tables(chunks)  # noqa: F841 - read by name
        now = self._clock().astimezone(dt.UTC).replace(tzinfo=None)
        query = checked_sql(contract, "lexed", now=now, has_kinds=True).rejected
        for number, line, reasons in self._con.execute(query).fetchall():
            found[number][line - 1] = tuple(reasons)
        return found

    def close(self) -> None:
        """Close the connection."""
        self._con.close()
