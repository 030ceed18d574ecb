"""What has landed lately: the files of some sources that came or went after a change of the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from shoplake.store import tables as t

if TYPE_CHECKING:
    from shoplake.store.engine import Store


@dataclass(frozen=True)
class RecentFile:
    """A file that landed, and one of its objects."""

    source: str
    file_id: str
    object_name: str
    last_event_at: dt.datetime


@dataclass(frozen=True)
class Recent:
    """The ledger at one moment, as far as it is news."""

    sequence: int
    """The latest change of the ledger."""
    files: tuple[RecentFile, ...]
    """In the order in which they landed; a file whose quarantine was replayed comes again, with all its objects."""
    is_retired: bool
    """Whether rows that landed before count no longer: a file was restated."""
    positions: dict[str, int]
    """The first offset of each asked stream that has not landed."""


def recent(
    store: Store, sources: Collection[str], streams: Collection[str], *, after: int, since: dt.datetime
) -> Recent:
    """Give what landed after a change number and holds events since a moment (UTC, naive), all at one moment."""
    f, link, p = t.source_file, t.file_object, t.stream_position
    query = (
        select(f.c.source, f.c.file_id, link.c.object_name, f.c.max_event_at.label("last_event_at"))
        .join(link, link.c.file_id == f.c.file_id)
        .where(f.c.sequence > after, f.c.source.in_(sources), f.c.is_active, f.c.max_event_at >= since)
        .order_by(f.c.sequence, f.c.file_id, link.c.object_name)
    )
    gone = select(func.count()).where(f.c.retired_sequence > after, f.c.source.in_(sources), f.c.max_event_at >= since)
    with store.reading() as con:
        sequence = con.execute(select(func.max(t.change.c.sequence))).scalar() or 0
        rows = con.execute(query).all() if sequence > after else []
        retired = con.execute(gone).scalar() if sequence > after else 0
        places = con.execute(select(p.c.stream, p.c.next_offset).where(p.c.stream.in_(streams), p.c.partition == 0))
        positions = {row.stream: row.next_offset for row in places}
    return Recent(sequence, tuple(RecentFile(**row._mapping) for row in rows), bool(retired), positions)
