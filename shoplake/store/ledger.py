"""The ledger: which files were offered, what became of them, which rows wait in quarantine."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, insert, select, true, update

from shoplake.errors import NotFoundError
from shoplake.store import tables as t
from shoplake.store.landed_events import EventKeys, record_events
from shoplake.store.ledger_entries import (
    MERGED,
    ActiveFile,
    FileChange,
    LakeObject,
    LedgerSnapshot,
    QuarantinedRow,
    Restated,
    RowLayout,
    SourceFile,
    StreamRange,
)
from shoplake.store.ledger_rows import (
    SNAPSHOT_COLUMNS,
    add_merge,
    add_objects,
    add_quarantined,
    advance,
    all_of,
    chunks,
    counting_files,
    file_row,
    forget,
    is_in_a_merge,
    lake_object_of,
    next_sequence,
    position_of,
    quarantined_row,
    restated_row,
    retired_files,
    source_file_of,
    utc_now,
    versions_of,
)
from shoplake.store.runs import Runs

if TYPE_CHECKING:
    from sqlalchemy import Connection


__all__ = [
    "ActiveFile",
    "FileChange",
    "LakeObject",
    "Ledger",
    "LedgerSnapshot",
    "MERGED",
    "QuarantinedRow",
    "Restated",
    "RowLayout",
    "SourceFile",
    "StreamRange",
]


class Ledger(Runs):
    """All reading and writing of the ledger's tables."""

    def snapshot(self) -> LedgerSnapshot:
        """Read the whole state at one moment.

        Its cost is linear in the number of files, not of rows; merged batches of a stream count as one file.
        """
        f = t.source_file
        counting, gone = counting_files(), retired_files()
        with self.store.reading() as con:
            rows = [
                *all_of(con, select(*SNAPSHOT_COLUMNS).where(counting)),
                *all_of(con, select(*SNAPSHOT_COLUMNS).where(gone)),
            ]
            days, objects = defaultdict[str, list[dt.date]](list), defaultdict[str, list[str]](list)
            for which in (counting, gone):
                wanted = select(f.c.file_id).where(which)
                for file_id, day in all_of(
                    con, select(t.file_day.c.file_id, t.file_day.c.day).where(t.file_day.c.file_id.in_(wanted))
                ):
                    days[file_id].append(day)
                links = select(t.file_object.c.file_id, t.file_object.c.object_name)
                for file_id, name in all_of(con, links.where(t.file_object.c.file_id.in_(wanted))):
                    objects[file_id].append(name)
            sequence = con.execute(select(func.max(t.change.c.sequence))).scalar() or 0
            current = select(t.lake_object).where(t.lake_object.c.kind == "rows", t.lake_object.c.replaced_at.is_(None))
            lake = {r.name: lake_object_of(r) for r in con.execute(current)}
        active, retired = [], []
        for row in rows:
            held = tuple(sorted(objects[row.file_id]))
            if row.is_active:
                active.append(
                    ActiveFile(
                        row.file_id,
                        row.source,
                        row.logical_name,
                        frozenset(days[row.file_id]),
                        held,
                        row.min_event_at,
                        row.max_event_at,
                        row.sequence,
                        frozenset(row.warnings),
                        row.status == MERGED,
                    )
                )
            else:
                change = FileChange(row.file_id, row.source, "retired", frozenset(days[row.file_id]))
                retired.append((change, row.retired_sequence or 0, held))
        return LedgerSnapshot(sequence, tuple(active), tuple(retired), lake)

    def record_batch(
        self,
        files: Sequence[SourceFile],
        *,
        objects: Sequence[LakeObject] = (),
        quarantined: Sequence[QuarantinedRow] = (),
        restated: Sequence[Restated] = (),
        positions: Sequence[StreamRange] = (),
        events: EventKeys | None = None,
    ) -> int:
        """Record a batch in one transaction; a landed file retires the earlier version of its name.

        With ``positions`` it also says how far streams have landed, with ``events`` under which keys events have: all
        of it is recorded, or nothing.

        Returns:
            The change number of the batch.

        Raises:
            PositionMoved: a part of a range has landed already; nothing was recorded.
            EventsLanded: an event has landed already under one of the keys; nothing was recorded.

        """
        now = utc_now()
        with self.store.writing() as con:
            for landed in positions:
                advance(con, landed, now)
            if events is not None:
                record_events(con, events, now)
            sequence = next_sequence(con, now)
            names = [(f.source, f.logical_name) for f in files]
            earlier = versions_of(con, names)
            forget(con, [f.file_id for f in files])
            self._retire(con, files, sequence)
            if files:
                con.execute(insert(t.source_file), [file_row(f, sequence, now, earlier) for f in files])
            days = [{"file_id": f.file_id, "day": d, "rows": n} for f in files for d, n in f.days.items()]
            if days:
                con.execute(insert(t.file_day), days)
            links = [{"file_id": f.file_id, "object_name": f.object_name} for f in files if f.object_name]
            if links:
                con.execute(insert(t.file_object), links)
            add_objects(con, objects, now)
            add_quarantined(con, quarantined, now)
            if restated:
                con.execute(insert(t.restatement), [restated_row(r, sequence, now) for r in restated])
        return sequence

    def record_replay(
        self,
        file: SourceFile,
        *,
        object_: LakeObject | None,
        replayed: Sequence[int],
        edited: Collection[int] = (),
        reasons: Mapping[int, Sequence[str]] | None = None,
        restated: Sequence[Restated] = (),
    ) -> None:
        """Record that quarantined rows of a file landed: its new counts and days, the object, the rows' fate.

        A file that had failed as a whole becomes active, and retires the earlier version of its name.

        Args:
            file: the file with its new totals and all its days.
            object_: the object that holds the rows that landed.
            replayed: ids of quarantine rows that landed now.
            edited: those of them that a person changed first.
            reasons: new reasons of rows that stay in quarantine, by id.
            restated: the difference to the version that the file retires.

        """
        now = utc_now()
        f = t.source_file
        with self.store.writing() as con:
            sequence = next_sequence(con, now)
            same_name = (f.c.source == file.source, f.c.logical_name == file.logical_name)
            con.execute(
                update(f)
                .where(*same_name, f.c.is_active, f.c.file_id != file.file_id)
                .values(is_active=False, retired_sequence=sequence)
            )
            if restated:
                con.execute(insert(t.restatement), [restated_row(r, sequence, now) for r in restated])
            columns = file_row(file, sequence, now, {})
            kept = (
                "rows_landed",
                "rows_quarantined",
                "rows_duplicate",
                "rows_repaired",
                "warnings",
                "repairs",
            )
            more = ("reasons", "status", "min_event_at", "max_event_at", "sequence", "is_active", "error")
            con.execute(
                update(t.source_file)
                .where(t.source_file.c.file_id == file.file_id)
                .values({name: columns[name] for name in kept + more})
            )
            con.execute(delete(t.file_day).where(t.file_day.c.file_id == file.file_id))
            days = [{"file_id": file.file_id, "day": d, "rows": n} for d, n in file.days.items()]
            if days:
                con.execute(insert(t.file_day), days)
            if object_ is not None:
                add_objects(con, [object_], now)
                con.execute(insert(t.file_object), [{"file_id": file.file_id, "object_name": object_.name}])
                if is_in_a_merge(con, file.file_id):
                    # What it is merged into counts for the file: its new rows count for themselves.
                    add_merge(con, file, object_, sequence, now)
            ids = t.quarantine_row.c.quarantine_id
            for chunk in chunks(list(replayed)):
                con.execute(update(t.quarantine_row).where(ids.in_(chunk)).values(status="replayed"))
            for chunk in chunks(list(edited)):
                con.execute(update(t.quarantine_row).where(ids.in_(chunk)).values(edited=True))
            if reasons:
                con.execute(
                    update(t.quarantine_row).where(ids == bindparam("row_id")).values(reasons=bindparam("why")),
                    [{"row_id": i, "why": list(why)} for i, why in reasons.items()],
                )

    def position(self, stream: str, partition: int) -> int | None:
        """Give the first offset of a stream's partition that has not landed; None before the first landing."""
        with self.store.reading() as con:
            return position_of(con, stream, partition)

    def positions(self, stream: str) -> dict[int, int]:
        """Give, by partition, the first offset that has not landed."""
        p = t.stream_position
        with self.store.reading() as con:
            return dict(all_of(con, select(p.c.partition, p.c.next_offset).where(p.c.stream == stream)))

    def find(self, source: str, logical_name: str) -> SourceFile | None:
        """Give the active version of a file, or its latest offered version if none is active."""
        query = (
            select(t.source_file)
            .where(t.source_file.c.source == source, t.source_file.c.logical_name == logical_name, _OFFERED)
            .order_by(t.source_file.c.is_active.desc(), t.source_file.c.version.desc())
        )
        with self.store.reading() as con:
            row = con.execute(query).first()
        return source_file_of(row) if row else None

    def find_all(self, source: str) -> dict[str, SourceFile]:
        """Give, by logical name, what `find` gives for each file of a source."""
        query = (
            select(t.source_file)
            .where(t.source_file.c.source == source, _OFFERED)
            .order_by(t.source_file.c.is_active, t.source_file.c.version)
        )
        with self.store.reading() as con:
            return {row.logical_name: source_file_of(row) for row in con.execute(query)}

    def file(self, file_id: str) -> SourceFile:
        """Give a file by its id, with its days.

        Raises:
            NotFoundError: there is none.

        """
        with self.store.reading() as con:
            row = con.execute(select(t.source_file).where(t.source_file.c.file_id == file_id)).first()
            days = all_of(con, select(t.file_day.c.day, t.file_day.c.rows).where(t.file_day.c.file_id == file_id))
        if row is None:
            raise NotFoundError(f"The ledger knows no file {file_id!r}.", hint="See `shoplake lake list`.")
        return source_file_of(row, dict(days))

    def files(self, source: str | None = None, *, only_active: bool = False) -> list[SourceFile]:
        """List files, oldest first."""
        query = select(t.source_file).where(_OFFERED).order_by(t.source_file.c.landed_at, t.source_file.c.logical_name)
        if source:
            query = query.where(t.source_file.c.source == source)
        if only_active:
            query = query.where(t.source_file.c.is_active)
        with self.store.reading() as con:
            return [source_file_of(row) for row in con.execute(query)]

    def file_names(self, *, source: str = "", file_ids: Collection[str] = ()) -> dict[str, str]:
        """Give the logical names of files by their ids: those of ``file_ids``, or all landed ones of ``source``."""
        f = t.source_file
        query = select(f.c.file_id, f.c.logical_name).where(_OFFERED)
        if source:
            query = query.where(f.c.source == source, f.c.status == "landed")
        queries = [query.where(f.c.file_id.in_(chunk)) for chunk in chunks(sorted(file_ids))] if file_ids else [query]
        with self.store.reading() as con:
            return {file_id: name for one in queries for file_id, name in all_of(con, one)}

    def objects_of(self, file_id: str) -> list[LakeObject]:
        """List the lake objects that hold landed rows of a file."""
        query = (
            select(t.lake_object)
            .join(t.file_object, t.file_object.c.object_name == t.lake_object.c.name)
            .where(t.file_object.c.file_id == file_id)
        )
        with self.store.reading() as con:
            return [lake_object_of(row) for row in con.execute(query)]

    def objects(self) -> list[LakeObject]:
        """List every object that the ledger knows; any other file in the lake is an orphan."""
        with self.store.reading() as con:
            return [lake_object_of(row) for row in con.execute(select(t.lake_object))]

    def set_key_version(self, name: str, key_version: int, size: int) -> None:
        """Record that an object is now encrypted under another version of its key."""
        with self.store.writing() as con:
            con.execute(
                update(t.lake_object).where(t.lake_object.c.name == name).values(key_version=key_version, bytes=size)
            )

    def quarantined(
        self,
        *,
        source: str | None = None,
        file_id: str | None = None,
        ids: Collection[int] | None = None,
        status: str | None = "open",
        limit: int | None = None,
    ) -> list[QuarantinedRow]:
        """List quarantined rows by source, file, id or status, in the order of files and lines."""
        q = t.quarantine_row
        query = select(q).order_by(q.c.quarantine_id)
        for column, value in ((q.c.source, source), (q.c.file_id, file_id), (q.c.status, status)):
            if value is not None:
                query = query.where(column == value)
        if limit is not None:
            query = query.limit(limit)
        with self.store.reading() as con:
            if ids is None:
                return [quarantined_row(row) for row in con.execute(query)]
            found = [
                row for chunk in chunks(sorted(ids)) for row in con.execute(query.where(q.c.quarantine_id.in_(chunk)))
            ]
        return [quarantined_row(row) for row in found]

    def open_quarantine_by_day(self) -> dict[str, dict[str, int]]:
        """Count open quarantined rows by source and the UTC day on which their file was offered."""
        q, f = t.quarantine_row, t.source_file
        query = (
            select(q.c.source, func.date(f.c.landed_at), func.count())
            .join(f, f.c.file_id == q.c.file_id)
            .where(q.c.status == "open")
            .group_by(q.c.source, func.date(f.c.landed_at))
        )
        counts: dict[str, dict[str, int]] = {}
        with self.store.reading() as con:
            for source, day, rows in all_of(con, query):
                counts.setdefault(source, {})[str(day)] = rows
        return counts

    def restatements(self) -> list[Restated]:
        """List restatements, oldest first."""
        with self.store.reading() as con:
            rows = con.execute(select(t.restatement).order_by(t.restatement.c.id)).all()
        return [Restated(**{k: v for k, v in row._mapping.items() if k != "id"}) for row in rows]

    def _retire(self, con: Connection, files: Sequence[SourceFile], sequence: int) -> None:
        """End the versions that these files replace; what of those waits in quarantine waits no longer.

        A landed file replaces every earlier version of its name; a failed one only those that never landed.
        """
        f, q = t.source_file, t.quarantine_row
        same_name = (f.c.source == bindparam("of"), f.c.logical_name == bindparam("named"))
        for status, replaced in (("landed", true()), ("failed", ~f.c.is_active)):
            rows = [{"of": file.source, "named": file.logical_name} for file in files if file.status == status]
            if not rows:
                continue
            earlier = select(f.c.file_id).where(*same_name, replaced)
            open_rows = update(q).where(q.c.status == "open", q.c.file_id.in_(earlier))
            con.execute(open_rows.values(status="discarded"), rows)
            if status == "landed":
                con.execute(
                    update(f).where(*same_name, f.c.is_active).values(is_active=False, retired_sequence=sequence), rows
                )


_OFFERED = t.source_file.c.status != MERGED
