"""What the ledger's files add up to: rows by source and by day, files that wait for a person, streams.

Each is one grouped query over the index of files, so that it costs the same for a page as for a command.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, func, or_, select

from shoplake.store import tables as t
from shoplake.store.ledger_entries import MERGED, Restated, SourceFile
from shoplake.store.ledger_rows import all_of, source_file_of

if TYPE_CHECKING:
    from shoplake.store.engine import Store

MOST_DRIFTING = 20_000
"""Files whose unknown fields are added up at most."""
NOTHING = "{}"


@dataclass(frozen=True)
class Counts:
    """Rows of files."""

    files: int = 0
    landed: int = 0
    quarantined: int = 0
    """Rows that wait in quarantine, those of failed files included."""
    duplicate: int = 0
    repaired: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add up."""
        names = self.__dataclass_fields__
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True)
class SourceCounts:
    """All files of a source whose rows count."""

    counts: Counts = field(default_factory=Counts)
    up_to: dt.datetime | None = None
    """Latest event time (UTC, naive)."""
    landed_at: dt.datetime | None = None
    """When the last file came (UTC, naive)."""


@dataclass(frozen=True)
class StreamPosition:
    """How far one partition of a stream has landed."""

    stream: str
    partition: int
    next_offset: int
    updated_at: dt.datetime


class LandedCounts:
    """Reads them."""

    def __init__(self, store: Store) -> None:
        """Read the ledger of ``store``."""
        self.store = store

    def by_source(self) -> dict[str, SourceCounts]:
        """Count, by source, the rows of the files that count."""
        f = t.source_file
        query = (
            select(f.c.source, *_SUMS, func.max(f.c.max_event_at), func.max(f.c.landed_at))
            .where(f.c.is_active, f.c.status != MERGED)
            .group_by(f.c.source)
        )
        with self.store.reading() as con:
            rows = all_of(con, query)
        return {source: SourceCounts(_counts(sums), up_to, at) for source, *sums, up_to, at in rows}

    def open_rows(self) -> dict[str, int]:
        """Count, by source, the rows that wait in quarantine."""
        q = t.quarantine_row
        query = select(q.c.source, func.count()).where(q.c.status == "open").group_by(q.c.source)
        with self.store.reading() as con:
            return {source: rows for source, rows in all_of(con, query)}

    def by_day(self, first: dt.date) -> dict[tuple[str, dt.date], Counts]:
        """Count rows by source and the UTC day on which their files came, from ``first`` on; not those replaced."""
        f = t.source_file
        day = func.date(f.c.landed_at)
        query = (
            select(f.c.source, day, *_SUMS)
            .where(f.c.landed_at >= _midnight(first), f.c.status != MERGED, or_(f.c.is_active, f.c.status == "failed"))
            .group_by(f.c.source, day)
        )
        with self.store.reading() as con:
            rows = all_of(con, query)
        return {(source, dt.date.fromisoformat(str(on))): _counts(sums) for source, on, *sums in rows}

    def drift(self, first: dt.date) -> dict[str, Counter[str]]:
        """Count, by source, the rows that had each field which the contract does not know, in files since ``first``."""
        f = t.source_file
        query = (
            select(f.c.source, f.c.drift)
            .where(f.c.is_active, f.c.landed_at >= _midnight(first), cast(f.c.drift, Text) != NOTHING)
            .order_by(f.c.landed_at.desc())
            .limit(MOST_DRIFTING)
        )
        found: dict[str, Counter[str]] = {}
        with self.store.reading() as con:
            for source, drift in all_of(con, query):
                found.setdefault(source, Counter()).update(_mapping(drift))
        return found

    def waiting(self) -> list[SourceFile]:
        """List the files that did not land and were not replaced by a later version since, the newest first."""
        f = t.source_file
        later = f.alias("later")
        replaced = select(later.c.file_id).where(
            later.c.source == f.c.source,
            later.c.logical_name == f.c.logical_name,
            later.c.version > f.c.version,
            or_(later.c.is_active, later.c.status == f.c.status),
        )
        query = (
            select(f)
            .where(f.c.status.in_(["failed", "refused"]), ~replaced.exists())
            .order_by(f.c.landed_at.desc(), f.c.logical_name)
        )
        with self.store.reading() as con:
            return [source_file_of(row) for row in con.execute(query)]

    def restatements(self, limit: int) -> list[Restated]:
        """List the newest restatements, the newest first."""
        r = t.restatement
        with self.store.reading() as con:
            rows = con.execute(select(r).order_by(r.c.id.desc()).limit(limit)).all()
        return [Restated(**{k: v for k, v in row._mapping.items() if k != "id"}) for row in rows]

    def streams(self) -> list[StreamPosition]:
        """List how far each partition of each stream has landed."""
        p = t.stream_position
        with self.store.reading() as con:
            rows = con.execute(select(p).order_by(p.c.stream, p.c.partition)).all()
        return [StreamPosition(**row._mapping) for row in rows]


_SUMS = (
    func.count(),
    *(
        func.coalesce(func.sum(t.source_file.c[name]), 0)
        for name in ("rows_landed", "rows_quarantined", "rows_duplicate", "rows_repaired")
    ),
)


def _counts(sums: list[Any]) -> Counts:
    return Counts(*(int(value) for value in sums))  # PostgreSQL sums to DECIMAL


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time())


def _mapping(value: Any) -> Mapping[str, int]:  # noqa: ANN401 - JSON
    found: Mapping[str, int] = json.loads(value) if isinstance(value, str) else value
    return found
