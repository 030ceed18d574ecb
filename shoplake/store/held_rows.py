"""Looking through the quarantine's index: how much waits by source, day, reason and file, and a page of its rows."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, cast, func, select, true

from shoplake.store import tables as t
from shoplake.store.ledger_rows import all_of, lake_object_of, quarantined_row

if TYPE_CHECKING:
    from shoplake.store.engine import Store
    from shoplake.store.ledger_entries import LakeObject, QuarantinedRow

MOST_FILES = 20_000
"""Files whose reasons are added up at most."""


@dataclass(frozen=True)
class HeldWanted:
    """Which open rows are looked for; what is None does not narrow them."""

    source: str | None = None
    day: dt.date | None = None
    """UTC day on which the file came."""
    reason: str | None = None
    file_id: str | None = None


@dataclass(frozen=True)
class HeldFile:
    """A file of which rows wait."""

    file_id: str
    source: str
    name: str
    status: str
    """``landed``, or ``failed`` where the whole file waits."""
    came_at: dt.datetime
    rows_read: int
    rows_open: int


class HeldRows:
    """Reads the index of quarantined rows."""

    def __init__(self, store: Store) -> None:
        """Read in ``store``."""
        self.store = store

    def by_source_and_day(self) -> list[tuple[str, dt.date, int]]:
        """Count open rows by source and the UTC day on which their file came, the newest day first."""
        q = t.quarantine_row
        day = func.date(q.c.created_at)
        query = (
            select(q.c.source, day, func.count())
            .where(q.c.status == "open")
            .group_by(q.c.source, day)
            .order_by(day.desc(), q.c.source)
        )
        with self.store.reading() as con:
            return [(source, dt.date.fromisoformat(str(on)), rows) for source, on, rows in all_of(con, query)]

    def reasons(self, wanted: HeldWanted) -> Counter[str]:
        """Count open rows by reason; a row with two reasons counts for both."""
        f, q = t.source_file, t.quarantine_row
        waits = select(q.c.quarantine_id).where(q.c.file_id == f.c.file_id, q.c.status == "open")
        query = select(f.c.reasons).where(waits.exists(), _of_files(wanted)).order_by(f.c.landed_at.desc())
        found = Counter[str]()
        with self.store.reading() as con:
            for (reasons,) in all_of(con, query.limit(MOST_FILES)):
                found.update(json.loads(reasons) if isinstance(reasons, str) else reasons)
        return found

    def files(self, wanted: HeldWanted, limit: int) -> list[HeldFile]:
        """List files with open rows, the newest first."""
        f, q = t.source_file, t.quarantine_row
        query = (
            select(f.c.file_id, f.c.source, f.c.logical_name, f.c.status, f.c.landed_at, f.c.rows_read, func.count())
            .join(q, q.c.file_id == f.c.file_id)
            .where(_of_rows(wanted))
            .group_by(f.c.file_id)
            .order_by(f.c.landed_at.desc(), f.c.logical_name)
            .limit(limit)
        )
        with self.store.reading() as con:
            return [HeldFile(*row) for row in all_of(con, query)]

    def rows(self, wanted: HeldWanted, *, before: int | None, limit: int) -> list[QuarantinedRow]:
        """List open rows, the newest first: those with an id below ``before``."""
        q = t.quarantine_row
        query = select(q).where(_of_rows(wanted)).order_by(q.c.quarantine_id.desc()).limit(limit)
        if before is not None:
            query = query.where(q.c.quarantine_id < before)
        with self.store.reading() as con:
            return [quarantined_row(row) for row in con.execute(query)]

    def count(self, wanted: HeldWanted) -> int:
        """Count open rows."""
        with self.store.reading() as con:
            return int(
                con.execute(select(func.count()).select_from(t.quarantine_row).where(_of_rows(wanted))).scalar_one()
            )

    def object_named(self, name: str) -> LakeObject | None:
        """Give an object of the lake by its name."""
        with self.store.reading() as con:
            row = con.execute(select(t.lake_object).where(t.lake_object.c.name == name)).first()
        return lake_object_of(row) if row is not None else None


def _of_rows(wanted: HeldWanted) -> Any:  # noqa: ANN401 - SQLAlchemy's conditions have many types
    q = t.quarantine_row
    found = [q.c.status == "open", *_narrowed(wanted, q, q.c.created_at)]
    if wanted.reason:
        found.append(cast(q.c.reasons, Text).contains(json.dumps(wanted.reason), autoescape=True))
    return and_(*found)


def _of_files(wanted: HeldWanted) -> Any:  # noqa: ANN401 - as above
    f = t.source_file
    return and_(true(), *_narrowed(wanted, f, f.c.landed_at))


def _narrowed(wanted: HeldWanted, table: Any, at: Any) -> list[Any]:  # noqa: ANN401 - as above
    found = []
    if wanted.source:
        found.append(table.c.source == wanted.source)
    if wanted.file_id:
        found.append(table.c.file_id == wanted.file_id)
    if wanted.day is not None:
        start = dt.datetime.combine(wanted.day, dt.time())
        found += [at >= start, at < start + dt.timedelta(days=1)]
    return found
