"""What the ledger knows of merged batches: many small objects of a stream become one, and count by one entry.

A batch that was merged keeps its own entry, its days and its links to the objects that hold its rows, so that a row's
``_file_id`` still leads to where it came from. What a build reads is the one entry that stands for all of them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, literal, select, update

from shoplake.store import tables as t
from shoplake.store.ledger_entries import MERGED, LakeObject, SourceFile
from shoplake.store.ledger_rows import add_merge, add_objects, chunks, counting_files, lake_object_of, utc_now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shoplake.store.engine import Store

BATCH_NAME = re.compile(r"(?P<stream>.+)/(?P<partition>\d+)/\d{12,}-\d{12,}")


@dataclass(frozen=True)
class Mergeable:
    """A batch of a stream, or what batches were merged into before."""

    file_id: str
    source: str
    is_merge: bool
    min_event_at: dt.datetime
    max_event_at: dt.datetime
    sequence: int
    warnings: Collection[str]
    days: dict[dt.date, int]
    objects: tuple[LakeObject, ...]

    @property
    def bytes(self) -> int:
        """Count the bytes of its objects."""
        return sum(o.bytes for o in self.objects)


class Merging:
    """Reads and writes the entries of merged batches. Call under the home's lock."""

    def __init__(self, store: Store) -> None:
        """Work in the ledger of ``store``."""
        self.store = store

    def mergeable(self, source: str) -> list[Mergeable]:
        """List the batches of a source's streams that count by themselves, and what others were merged into."""
        with self.store.reading() as con:
            rows = _batches(con, source)
            days, objects = defaultdict[str, dict[dt.date, int]](dict), defaultdict[str, list[LakeObject]](list)
            for some in chunks([row.file_id for row in rows]):
                for day in con.execute(select(t.file_day).where(t.file_day.c.file_id.in_(some))):
                    days[day.file_id][day.day] = day.rows
                links = select(t.file_object.c.file_id, t.lake_object).join(
                    t.lake_object, t.lake_object.c.name == t.file_object.c.object_name
                )
                for link in con.execute(links.where(t.file_object.c.file_id.in_(some))):
                    objects[link.file_id].append(lake_object_of(link))
        return [
            Mergeable(
                row.file_id,
                row.source,
                row.status == MERGED,
                row.min_event_at,
                row.max_event_at,
                row.sequence,
                row.warnings,
                days[row.file_id],
                tuple(objects[row.file_id]),
            )
            for row in rows
            if objects[row.file_id] and row.max_event_at is not None
        ]

    def set_empty_aside(self, source: str) -> None:
        """Leave out of every snapshot the batches of which nothing has landed; a replay of theirs counts for itself."""
        links = t.file_object
        with self.store.reading() as con:
            ids = [row.file_id for row in _batches(con, source) if not row.rows_landed]
            held = [
                link for some in chunks(ids) for link in con.execute(select(links).where(links.c.file_id.in_(some)))
            ]
        empty = sorted(set(ids) - {link.file_id for link in held})
        if empty:
            with self.store.writing() as con:
                for some in chunks(empty):
                    con.execute(update(t.source_file).where(t.source_file.c.file_id.in_(some)).values(is_merged=True))

    def record(self, merged: LakeObject, batches: Sequence[Mergeable]) -> None:
        """Let ``merged`` hold the rows of ``batches``, in one transaction; builds see the same rows as before."""
        first, now = batches[0], utc_now()
        names = [o.name for batch in batches for o in batch.objects]
        days = Counter[dt.date]()
        for batch in batches:
            days.update(batch.days)
        entry = SourceFile(
            file_id="",
            source=first.source,
            logical_name="",
            content_hash="",
            status="landed",
            rows_landed=merged.rows,
            warnings=dict.fromkeys(sorted({code for batch in batches for code in batch.warnings}), 1),
            bytes=merged.bytes,
            min_event_at=min(batch.min_event_at for batch in batches),
            max_event_at=max(batch.max_event_at for batch in batches),
            days=days,
        )
        with self.store.writing() as con:
            for some in chunks([batch.file_id for batch in batches if batch.is_merge]):
                for table in (t.file_day, t.file_object, t.source_file):
                    con.execute(delete(table).where(table.c.file_id.in_(some)))
            for some in chunks([batch.file_id for batch in batches if not batch.is_merge]):
                con.execute(update(t.source_file).where(t.source_file.c.file_id.in_(some)).values(is_merged=True))
            for some in chunks(names):
                _move_links(con, some, merged.name)
                con.execute(update(t.lake_object).where(t.lake_object.c.name.in_(some)).values(replaced_at=now))
            add_objects(con, [merged], now)
            add_merge(con, entry, merged, max(batch.sequence for batch in batches), now)

    def replaced(self, source: str, before: dt.datetime) -> list[LakeObject]:
        """List the objects of a source that others replaced before a moment (UTC, naive)."""
        o = t.lake_object
        with self.store.reading() as con:
            rows = con.execute(select(o).where(o.c.replaced_at < before, o.c.source == source))
            return [lake_object_of(row) for row in rows]

    def forget(self, objects: Sequence[LakeObject]) -> None:
        """Forget objects: their files are then orphans."""
        with self.store.writing() as con:
            for some in chunks([o.name for o in objects]):
                con.execute(delete(t.lake_object).where(t.lake_object.c.name.in_(some)))


def _batches(con: Connection, source: str) -> list[Any]:
    """Give the entries of a source's batches that count by themselves, and of merges."""
    f, p = t.source_file, t.stream_position
    positions = {tuple(row) for row in con.execute(select(p.c.stream, p.c.partition))}
    rows = con.execute(select(f).where(counting_files(), f.c.source == source))
    return [row for row in rows if _is_batch(row, positions)]


def _is_batch(row: Any, positions: Collection[tuple[Any, ...]]) -> bool:  # noqa: ANN401 - SQLAlchemy's Row is not typed
    """Tell what came by a stream, and so is never restated, from files that somebody landed."""
    if row.status == MERGED:
        return True
    found = BATCH_NAME.fullmatch(row.logical_name)
    return found is not None and (found["stream"], int(found["partition"])) in positions


def _move_links(con: Connection, names: Sequence[str], to: str) -> None:
    """Link the files that have rows in any of some objects to another one instead."""
    link = t.file_object
    there = select(link.c.file_id).where(link.c.object_name == to)
    files = (
        select(link.c.file_id, literal(to))
        .where(link.c.object_name.in_(names), link.c.file_id.not_in(there))
        .distinct()
    )
    con.execute(insert(link).from_select(["file_id", "object_name"], files))
    con.execute(delete(link).where(link.c.object_name.in_(names)))
