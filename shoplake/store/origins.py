"""Which files hold rows of some days, and what of these days waits in quarantine."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, cast, func, or_, select

from shoplake.store import tables as t

if TYPE_CHECKING:
    from shoplake.store.engine import Store


@dataclass(frozen=True)
class OriginFile:
    """A file with rows of the days."""

    source: str
    name: str
    landed_at: dt.datetime
    rows: int
    """Its rows of these days."""
    version: int
    moved: tuple[int, int, int] | None
    """Rows that it added, removed and changed against the version before, where it is a restatement."""


@dataclass(frozen=True)
class FilesOfSource:
    """All files of a source with rows of the days."""

    source: str
    files: int
    rows: int


class Origins:
    """Questions to the ledger about where the rows of some days come from."""

    def __init__(self, store: Store) -> None:
        """Read the ledger of ``store``."""
        self._store = store

    def sources(self, reaches: Mapping[str, int], first: dt.date, last: dt.date) -> list[FilesOfSource]:
        """Count the files and rows of each source.

        Args:
            reaches: sources, and the change number up to which files of each count.
            first: UTC day of event times.
            last: UTC day, included.

        """
        here = _rows_of(first, last)
        f = t.source_file
        query: Any = (
            select(f.c.source, func.count(), func.sum(here.c.rows_here))
            .join(here, here.c.file_id == f.c.file_id)
            .where(_counted(reaches))
            .group_by(f.c.source)
            .order_by(f.c.source)
        )
        with self._store.reading() as con:
            counted: list[Any] = list(con.execute(query))
        return [FilesOfSource(source, int(files), int(rows)) for source, files, rows in counted]

    def files(self, reaches: Mapping[str, int], first: dt.date, last: dt.date, limit: int) -> list[OriginFile]:
        """List the files that landed last; arguments as for `sources`."""
        here = _rows_of(first, last)
        f, r = t.source_file, t.restatement
        moved = [r.c.rows_added, r.c.rows_removed, r.c.rows_changed]
        query: Any = (
            select(f.c.source, f.c.logical_name, f.c.landed_at, f.c.version, here.c.rows_here, *moved)
            .join(here, here.c.file_id == f.c.file_id)
            .outerjoin(r, r.c.new_file_id == f.c.file_id)
            .where(_counted(reaches))
            .order_by(f.c.landed_at.desc(), f.c.logical_name.desc())
            .limit(limit)
        )
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(query))
        return [
            OriginFile(
                row.source,
                row.logical_name,
                row.landed_at,
                int(row.rows_here),
                row.version,
                (row.rows_added, row.rows_removed, row.rows_changed) if row.rows_added is not None else None,
            )
            for row in rows
        ]

    def quarantined(self, sources: list[str], first: dt.date, last: dt.date) -> dict[tuple[str, str], int]:
        """Count rows in quarantine by source and reason, of files that hold rows of the days.

        A file that waits as a whole tells no days: it counts when it was offered since the first day.
        """
        q, f, d = t.quarantine_row, t.source_file, t.file_day
        of_days = select(d.c.file_id).where(d.c.day.between(first, last))
        waits = and_(f.c.status == "failed", f.c.landed_at >= dt.datetime.combine(first, dt.time()))
        why: Any = cast(q.c.reasons, Text)
        query: Any = (
            select(q.c.source, why, func.count())
            .join(f, f.c.file_id == q.c.file_id)
            .where(q.c.status == "open", q.c.source.in_(sources), or_(q.c.file_id.in_(of_days), waits))
            .group_by(q.c.source, why)
        )
        found = Counter[tuple[str, str]]()
        with self._store.reading() as con:
            counted: list[Any] = list(con.execute(query))
        for source, reasons, rows in counted:
            for reason in json.loads(reasons):
                found[source, reason] += rows
        return dict(found)


def _rows_of(first: dt.date, last: dt.date) -> Any:  # noqa: ANN401 - SQLAlchemy's types say nothing
    d = t.file_day
    summed = select(d.c.file_id, func.sum(d.c.rows).label("rows_here")).where(d.c.day.between(first, last))
    return summed.group_by(d.c.file_id).subquery()


def _counted(reaches: Mapping[str, int]) -> Any:  # noqa: ANN401 - as above
    """Tell the files that a release holds: what retired them came later."""
    f = t.source_file
    of_sources = [
        and_(f.c.source == source, f.c.sequence <= upto, or_(f.c.is_active, f.c.retired_sequence > upto))
        for source, upto in reaches.items()
    ]
    return and_(f.c.status == "landed", or_(*of_sources))
