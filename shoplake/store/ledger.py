"""The ledger: which files were offered, what became of them, which rows wait in quarantine."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, bindparam, delete, false, func, insert, select, true, update

from shoplake.errors import NotFoundError, PositionMoved
from shoplake.store import tables as t
from shoplake.store.landed_events import EventKeys, record_events

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from shoplake.store.engine import Store

FileStatus = Literal["landed", "refused", "failed"]
FILE_ID_LENGTH = 20
MERGED = "merged"
"""Status of an entry that stands for many batches of a stream; see `shoplake.store.merging`."""


@dataclass(frozen=True)
class SourceFile:
    """One version of a file that was offered."""

    file_id: str
    source: str
    logical_name: str
    content_hash: str
    status: FileStatus
    rows_read: int = 0
    rows_landed: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_repaired: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    drift: Mapping[str, int] = field(default_factory=dict)
    contract_version: str = ""
    format: str = ""
    bytes: int = 0
    min_event_at: dt.datetime | None = None
    max_event_at: dt.datetime | None = None
    error: str | None = None
    object_name: str | None = None
    days: Mapping[dt.date, int] = field(default_factory=dict)
    """Rows by UTC day of the event time."""
    landed_at: dt.datetime | None = None
    version: int = 1
    is_active: bool = False


@dataclass(frozen=True)
class RowLayout:
    """What the rows of a lake object hold, by the contract that they landed under."""

    fields: tuple[str, ...]
    flags: Mapping[str, int]
    """The bit of each code in ``_flags``."""


@dataclass(frozen=True)
class LakeObject:
    """An encrypted Parquet file in the lake."""

    name: str
    source: str
    kind: Literal["rows", "quarantine"]
    key_version: int
    rows: int
    bytes: int
    layout: RowLayout | None = None


@dataclass(frozen=True)
class QuarantinedRow:
    """A row that broke a rule; its raw line lies in the quarantine object."""

    file_id: str
    source: str
    line: int
    reasons: tuple[str, ...]
    object_name: str
    status: Literal["open", "replayed", "discarded"] = "open"
    edited: bool = False
    quarantine_id: int = 0


@dataclass(frozen=True)
class Restated:
    """The difference that a restatement made."""

    source: str
    logical_name: str
    old_file_id: str
    new_file_id: str
    rows_added: int
    rows_removed: int
    rows_changed: int
    net_sales_moved: str | None
    sequence: int = 0
    at: dt.datetime | None = None


@dataclass(frozen=True)
class StreamRange:
    """The offsets of one partition of a stream that land together."""

    stream: str
    partition: int
    first_offset: int
    next_offset: int
    """The first offset after the range."""


@dataclass(frozen=True)
class FileChange:
    """A file whose rows came or went."""

    file_id: str
    source: str
    kind: Literal["added", "retired"]
    days: frozenset[dt.date]


@dataclass(frozen=True)
class ActiveFile:
    """A file whose rows count."""

    file_id: str
    source: str
    logical_name: str
    days: frozenset[dt.date]
    objects: tuple[str, ...]
    min_event_at: dt.datetime | None
    max_event_at: dt.datetime | None
    sequence: int
    warnings: frozenset[str] = frozenset()
    """Codes of the warnings that any of its rows has."""
    is_merge: bool = False
    """It stands for many batches of a stream, whose rows keep the ids of their own files."""


@dataclass(frozen=True)
class LedgerSnapshot:
    """The ledger at one moment: enough to plan a run and to read the lake."""

    sequence: int
    files: tuple[ActiveFile, ...]
    retired: tuple[tuple[FileChange, int, tuple[str, ...]], ...]
    """Superseded files, the change number that retired each, and their objects."""
    objects: Mapping[str, LakeObject]

    def active_files(self, source: str) -> list[ActiveFile]:
        """List the files of a source whose rows count."""
        return [file for file in self.files if file.source == source]

    def retired_ids(self, objects: Collection[str]) -> list[str]:
        """Name the superseded files that have rows in any of ``objects``."""
        return sorted(c.file_id for c, _, held in self.retired if any(name in objects for name in held))

    def changes_since(self, sequence: int, source: str | None = None) -> list[FileChange]:
        """List what came and what went after a change number, of one source or of all."""
        added = [FileChange(f.file_id, f.source, "added", f.days) for f in self.files if f.sequence > sequence]
        gone = [change for change, at, _ in self.retired if at > sequence]
        return [change for change in added + gone if source in {None, change.source}]

    def days(self, source: str) -> frozenset[dt.date]:
        """Give the UTC days that hold rows of a source."""
        return frozenset(day for file in self.active_files(source) for day in file.days)

    def watermarks(self) -> dict[str, dt.datetime]:
        """Give the latest event time (UTC, naive) of each source that has one."""
        marks: dict[str, dt.datetime] = {}
        for file in self.files:
            if file.max_event_at is not None:
                marks[file.source] = max(marks.get(file.source, file.max_event_at), file.max_event_at)
        return marks


class Ledger:
    """All reading and writing of the ledger's tables."""

    def __init__(self, store: Store) -> None:
        """Keep the ledger in ``store``."""
        self.store = store

    def snapshot(self) -> LedgerSnapshot:
        """Read the whole state at one moment.

        Its cost is linear in the number of files, not of rows; merged batches of a stream count as one file.
        """
        f = t.source_file
        counting, gone = counting_files(), _retired_files()
        with self.store.reading() as con:
            rows = [
                *_all(con, select(*_SNAPSHOT_COLUMNS).where(counting)),
                *_all(con, select(*_SNAPSHOT_COLUMNS).where(gone)),
            ]
            days, objects = defaultdict[str, list[dt.date]](list), defaultdict[str, list[str]](list)
            for which in (counting, gone):
                wanted = select(f.c.file_id).where(which)
                for file_id, day in _all(
                    con, select(t.file_day.c.file_id, t.file_day.c.day).where(t.file_day.c.file_id.in_(wanted))
                ):
                    days[file_id].append(day)
                links = select(t.file_object.c.file_id, t.file_object.c.object_name)
                for file_id, name in _all(con, links.where(t.file_object.c.file_id.in_(wanted))):
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
                _advance(con, landed, now)
            if events is not None:
                record_events(con, events, now)
            sequence = _next_sequence(con, now)
            names = [(f.source, f.logical_name) for f in files]
            earlier = _versions(con, names)
            _forget(con, [f.file_id for f in files])
            self._retire(con, files, sequence)
            if files:
                con.execute(insert(t.source_file), [_file_row(f, sequence, now, earlier) for f in files])
            days = [{"file_id": f.file_id, "day": d, "rows": n} for f in files for d, n in f.days.items()]
            if days:
                con.execute(insert(t.file_day), days)
            links = [{"file_id": f.file_id, "object_name": f.object_name} for f in files if f.object_name]
            if links:
                con.execute(insert(t.file_object), links)
            add_objects(con, objects, now)
            _add_quarantined(con, quarantined, now)
            if restated:
                con.execute(insert(t.restatement), [_restated_row(r, sequence, now) for r in restated])
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
            sequence = _next_sequence(con, now)
            same_name = (f.c.source == file.source, f.c.logical_name == file.logical_name)
            con.execute(
                update(f)
                .where(*same_name, f.c.is_active, f.c.file_id != file.file_id)
                .values(is_active=False, retired_sequence=sequence)
            )
            if restated:
                con.execute(insert(t.restatement), [_restated_row(r, sequence, now) for r in restated])
            columns = _file_row(file, sequence, now, {})
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
                if _is_merged(con, file.file_id):
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
            return _position(con, stream, partition)

    def positions(self, stream: str) -> dict[int, int]:
        """Give, by partition, the first offset that has not landed."""
        p = t.stream_position
        with self.store.reading() as con:
            return dict(_all(con, select(p.c.partition, p.c.next_offset).where(p.c.stream == stream)))

    def find(self, source: str, logical_name: str) -> SourceFile | None:
        """Give the active version of a file, or its latest offered version if none is active."""
        query = (
            select(t.source_file)
            .where(t.source_file.c.source == source, t.source_file.c.logical_name == logical_name, _OFFERED)
            .order_by(t.source_file.c.is_active.desc(), t.source_file.c.version.desc())
        )
        with self.store.reading() as con:
            row = con.execute(query).first()
        return _source_file(row) if row else None

    def find_all(self, source: str) -> dict[str, SourceFile]:
        """Give, by logical name, what `find` gives for each file of a source."""
        query = (
            select(t.source_file)
            .where(t.source_file.c.source == source, _OFFERED)
            .order_by(t.source_file.c.is_active, t.source_file.c.version)
        )
        with self.store.reading() as con:
            return {row.logical_name: _source_file(row) for row in con.execute(query)}

    def file(self, file_id: str) -> SourceFile:
        """Give a file by its id, with its days.

        Raises:
            NotFoundError: there is none.

        """
        with self.store.reading() as con:
            row = con.execute(select(t.source_file).where(t.source_file.c.file_id == file_id)).first()
            days = _all(con, select(t.file_day.c.day, t.file_day.c.rows).where(t.file_day.c.file_id == file_id))
        if row is None:
            raise NotFoundError(f"The ledger knows no file {file_id!r}.", hint="See `shoplake lake list`.")
        return _source_file(row, dict(days))

    def files(self, source: str | None = None, *, only_active: bool = False) -> list[SourceFile]:
        """List files, oldest first."""
        query = select(t.source_file).where(_OFFERED).order_by(t.source_file.c.landed_at, t.source_file.c.logical_name)
        if source:
            query = query.where(t.source_file.c.source == source)
        if only_active:
            query = query.where(t.source_file.c.is_active)
        with self.store.reading() as con:
            return [_source_file(row) for row in con.execute(query)]

    def file_names(self, *, source: str = "", file_ids: Collection[str] = ()) -> dict[str, str]:
        """Give the logical names of files by their ids: those of ``file_ids``, or all landed ones of ``source``."""
        f = t.source_file
        query = select(f.c.file_id, f.c.logical_name).where(_OFFERED)
        if source:
            query = query.where(f.c.source == source, f.c.status == "landed")
        queries = [query.where(f.c.file_id.in_(chunk)) for chunk in chunks(sorted(file_ids))] if file_ids else [query]
        with self.store.reading() as con:
            return {file_id: name for one in queries for file_id, name in _all(con, one)}

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
                return [_quarantined(row) for row in con.execute(query)]
            found = [
                row for chunk in chunks(sorted(ids)) for row in con.execute(query.where(q.c.quarantine_id.in_(chunk)))
            ]
        return [_quarantined(row) for row in found]

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
            for source, day, rows in _all(con, query):
                counts.setdefault(source, {})[str(day)] = rows
        return counts

    def restatements(self) -> list[Restated]:
        """List restatements, oldest first."""
        with self.store.reading() as con:
            rows = con.execute(select(t.restatement).order_by(t.restatement.c.id)).all()
        return [Restated(**{k: v for k, v in row._mapping.items() if k != "id"}) for row in rows]

    def start_run(self, again: int | None = None) -> int:
        """Record that a run begins, in the place of an earlier record where one is given; give its number."""
        values: dict[str, Any] = {
            "started_at": utc_now(),
            "finished_at": None,
            "status": "running",
            "release_id": None,
            "detail": {},
        }
        with self.store.writing() as con:
            if again is None:
                return _new_key(con, insert(t.pipeline_run).values(values))
            con.execute(update(t.pipeline_run).where(t.pipeline_run.c.id == again).values(values))
            return again

    def finish_run(self, run_id: int, *, status: str, release_id: str | None, detail: Mapping[str, Any]) -> None:
        """Record how a run ended."""
        values = {"finished_at": utc_now(), "status": status, "release_id": release_id, "detail": dict(detail)}
        with self.store.writing() as con:
            con.execute(update(t.pipeline_run).where(t.pipeline_run.c.id == run_id).values(values))

    def interrupted_run(self) -> bool:
        """Say whether an earlier run was cut off, and note it as ended. Call under the home's lock."""
        running = t.pipeline_run.c.status == "running"
        with self.store.writing() as con:
            done = con.execute(
                update(t.pipeline_run).where(running).values(status="interrupted", finished_at=utc_now())
            )
            return bool(done.rowcount)

    def runs(self, limit: int = 20) -> list[dict[str, Any]]:
        """List the latest runs, newest first."""
        query = (
            select(t.pipeline_run).order_by(t.pipeline_run.c.started_at.desc(), t.pipeline_run.c.id.desc()).limit(limit)
        )
        with self.store.reading() as con:
            return [dict(row._mapping) for row in con.execute(query)]

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


def utc_now() -> dt.datetime:
    """Give the time as the ledger keeps it: UTC, without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _all(con: Connection, query: Any) -> list[Any]:  # noqa: ANN401 - SQLAlchemy's Select has one type parameter a column
    return list(con.execute(query))


def _new_key(con: Connection, statement: Any) -> int:  # noqa: ANN401 - as above
    key = con.execute(statement).inserted_primary_key
    assert key is not None  # noqa: S101 - these tables number their rows
    return int(key[0])


def _next_sequence(con: Connection, now: dt.datetime) -> int:
    return _new_key(con, insert(t.change).values(at=now))


def _position(con: Connection, stream: str, partition: int) -> int | None:
    p = t.stream_position
    query = select(p.c.next_offset).where(p.c.stream == stream, p.c.partition == partition)
    return con.execute(query.with_for_update()).scalar()


def _advance(con: Connection, landed: StreamRange, now: dt.datetime) -> None:
    """Move a stream's position to the end of a range."""
    p, known = t.stream_position, _position(con, landed.stream, landed.partition)
    if known is not None and known > landed.first_offset:
        raise PositionMoved(
            f"{landed.stream}/{landed.partition} has landed up to {known}, past {landed.first_offset}.",
            hint="Another reader landed it; go on from the recorded position.",
        )
    values = {"next_offset": landed.next_offset, "updated_at": now}
    if known is None:
        con.execute(insert(p).values(stream=landed.stream, partition=landed.partition, **values))
    else:
        here = p.c.stream == landed.stream, p.c.partition == landed.partition
        con.execute(update(p).where(*here).values(values))


_SNAPSHOT_COLUMNS = [
    t.source_file.c[name]
    for name in (
        "file_id",
        "source",
        "logical_name",
        "status",
        "is_active",
        "min_event_at",
        "max_event_at",
        "sequence",
        "retired_sequence",
        "warnings",
    )
]


def counting_files() -> Any:  # noqa: ANN401 - as above
    """Tell files whose rows count; batches that are merged are counted by what they are merged into."""
    f = t.source_file
    return and_(f.c.is_merged == false(), f.c.is_active, f.c.status.in_(["landed", MERGED]))


def _retired_files() -> Any:  # noqa: ANN401 - as above
    f = t.source_file
    return and_(f.c.retired_sequence.is_not(None), ~f.c.is_active, f.c.status == "landed")


def _versions(con: Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    f = t.source_file
    found: dict[tuple[str, str], int] = {}
    for source in {source for source, _ in names}:
        wanted = [name for of, name in names if of == source]
        for chunk in chunks(wanted):
            query = (
                select(f.c.logical_name, func.max(f.c.version))
                .where(f.c.source == source, f.c.logical_name.in_(chunk))
                .group_by(f.c.logical_name)
            )
            found |= {(source, name): version for name, version in _all(con, query)}
    return found


def _forget(con: Connection, file_ids: Sequence[str]) -> None:
    """Remove what an earlier offer of the very same file left: it was refused or failed, and comes again."""
    for chunk in chunks(file_ids):
        for table in (t.file_day, t.file_object, t.quarantine_row, t.source_file):
            con.execute(delete(table).where(table.c.file_id.in_(chunk)))


def add_objects(con: Connection, objects: Sequence[LakeObject], now: dt.datetime) -> None:
    """Add objects, in the place of what a cut off call left of the same names."""
    if not objects:
        return
    names = [o.name for o in objects]
    con.execute(delete(t.lake_object).where(t.lake_object.c.name.in_(names)))
    rows = [
        {
            "name": o.name,
            "source": o.source,
            "kind": o.kind,
            "key_version": o.key_version,
            "rows": o.rows,
            "bytes": o.bytes,
            "created_at": now,
            "layout": {"fields": list(o.layout.fields), "flags": dict(o.layout.flags)} if o.layout else None,
        }
        for o in objects
    ]
    con.execute(insert(t.lake_object), rows)


def _add_quarantined(con: Connection, rows: Sequence[QuarantinedRow], now: dt.datetime) -> None:
    if not rows:
        return
    values = [
        {
            "file_id": r.file_id,
            "source": r.source,
            "line": r.line,
            "reasons": list(r.reasons),
            "object_name": r.object_name,
            "status": r.status,
            "edited": r.edited,
            "created_at": now,
        }
        for r in rows
    ]
    con.execute(insert(t.quarantine_row), values)


def _file_row(
    file: SourceFile, sequence: int, now: dt.datetime, earlier: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    landed = file.status == "landed"
    return {
        "file_id": file.file_id,
        "source": file.source,
        "logical_name": file.logical_name,
        "content_hash": file.content_hash,
        "version": earlier.get((file.source, file.logical_name), 0) + 1,
        "status": file.status,
        "is_active": landed,
        "sequence": sequence,
        "retired_sequence": None,
        "rows_read": file.rows_read,
        "rows_landed": file.rows_landed,
        "rows_quarantined": file.rows_quarantined,
        "rows_duplicate": file.rows_duplicate,
        "rows_repaired": file.rows_repaired,
        "warnings": dict(file.warnings),
        "repairs": dict(file.repairs),
        "reasons": dict(file.reasons),
        "drift": dict(file.drift),
        "contract_version": file.contract_version,
        "format": file.format,
        "bytes": file.bytes,
        "min_event_at": file.min_event_at,
        "max_event_at": file.max_event_at,
        "landed_at": now,
        "error": file.error,
        "object_name": file.object_name,
        "is_merged": False,
    }


def _source_file(row: Row[Any], days: Mapping[dt.date, int] | None = None) -> SourceFile:
    values = dict(row._mapping)
    for name in ("sequence", "retired_sequence", "is_merged"):
        values.pop(name)
    return SourceFile(**values, days=days or {})


def _is_merged(con: Connection, file_id: str) -> bool:
    return bool(con.execute(select(t.source_file.c.is_merged).where(t.source_file.c.file_id == file_id)).scalar())


def add_merge(con: Connection, file: SourceFile, merged: LakeObject, sequence: int, now: dt.datetime) -> None:
    """Add the entry that stands for the rows of an object, with the days and times of ``file``."""
    name = f"merged/{merged.source}/{merged.name}"
    entry = replace(
        file, file_id=merged.name[-FILE_ID_LENGTH:], logical_name=name, content_hash=merged.name, status="landed"
    )
    row = _file_row(entry, sequence, now, {}) | {"status": MERGED, "object_name": merged.name}
    con.execute(insert(t.source_file), [row])
    con.execute(insert(t.file_day), [{"file_id": entry.file_id, "day": d, "rows": n} for d, n in file.days.items()])
    con.execute(insert(t.file_object), [{"file_id": entry.file_id, "object_name": merged.name}])


def _restated_row(restated: Restated, sequence: int, now: dt.datetime) -> dict[str, Any]:
    values = {name: getattr(restated, name) for name in restated.__dataclass_fields__}
    return values | {"sequence": sequence, "at": now}


def lake_object_of(row: Row[Any]) -> LakeObject:
    """Give the object of a row of its table."""
    layout = RowLayout(tuple(row.layout["fields"]), row.layout["flags"]) if row.layout else None
    return LakeObject(row.name, row.source, row.kind, row.key_version, row.rows, row.bytes, layout)


def _quarantined(row: Row[Any]) -> QuarantinedRow:
    values = dict(row._mapping)
    values.pop("created_at")
    return QuarantinedRow(**values | {"reasons": tuple(values["reasons"])})


def chunks(values: Sequence[Any], size: int = 500) -> list[Sequence[Any]]:
    """Cut a list into parts that fit into one statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]
