"""Rows of the ledger's tables: how entries are written as rows, and read of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, false, func, insert, select, update

from shoplake.errors import PositionMoved
from shoplake.store import tables as t
from shoplake.store.ledger_entries import (
    FILE_ID_LENGTH,
    MERGED,
    LakeObject,
    QuarantinedRow,
    Restated,
    RowLayout,
    SourceFile,
    StreamRange,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row


def utc_now() -> dt.datetime:
    """Give the time as the ledger keeps it: UTC, without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def all_of(con: Connection, query: Any) -> list[Any]:  # noqa: ANN401 - SQLAlchemy's Select has one type parameter a column
    """Give every row of a query."""
    return list(con.execute(query))


def new_key(con: Connection, statement: Any) -> int:  # noqa: ANN401 - as above
    """Run an INSERT and give the number that its row was given."""
    key = con.execute(statement).inserted_primary_key
    assert key is not None  # noqa: S101 - these tables number their rows
    return int(key[0])


def next_sequence(con: Connection, now: dt.datetime) -> int:
    """Give the next number of a change: what is written under it counts together."""
    return new_key(con, insert(t.change).values(at=now))


def position_of(con: Connection, stream: str, partition: int) -> int | None:
    """Give the offset that a partition of a stream goes on with; None before its first batch."""
    p = t.stream_position
    query = select(p.c.next_offset).where(p.c.stream == stream, p.c.partition == partition)
    return con.execute(query.with_for_update()).scalar()


def advance(con: Connection, landed: StreamRange, now: dt.datetime) -> None:
    """Move a stream's position to the end of a range."""
    p, known = t.stream_position, position_of(con, landed.stream, landed.partition)
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


SNAPSHOT_COLUMNS = [
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


def retired_files() -> Any:  # noqa: ANN401 - as above
    """Give the condition on files that once counted and no longer do."""
    f = t.source_file
    return and_(f.c.retired_sequence.is_not(None), ~f.c.is_active, f.c.status == "landed")


def versions_of(con: Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Give the latest version number of each (source, logical name) that has one."""
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
            found |= {(source, name): version for name, version in all_of(con, query)}
    return found


def forget(con: Connection, file_ids: Sequence[str]) -> None:
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


def add_quarantined(con: Connection, rows: Sequence[QuarantinedRow], now: dt.datetime) -> None:
    """Write rows that wait in quarantine."""
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


def file_row(
    file: SourceFile, sequence: int, now: dt.datetime, earlier: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    """Give a file as a row; its version follows the ``earlier`` ones of its name."""
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


def source_file_of(row: Row[Any], days: Mapping[dt.date, int] | None = None) -> SourceFile:
    """Read a file from its row, with its days where they are known."""
    values = dict(row._mapping)
    for name in ("sequence", "retired_sequence", "is_merged"):
        values.pop(name)
    return SourceFile(**values, days=days or {})


def is_in_a_merge(con: Connection, file_id: str) -> bool:
    """Say whether a merge stands for the file."""
    return bool(con.execute(select(t.source_file.c.is_merged).where(t.source_file.c.file_id == file_id)).scalar())


def add_merge(con: Connection, file: SourceFile, merged: LakeObject, sequence: int, now: dt.datetime) -> None:
    """Add the entry that stands for the rows of an object, with the days and times of ``file``."""
    name = f"merged/{merged.source}/{merged.name}"
    entry = replace(
        file, file_id=merged.name[-FILE_ID_LENGTH:], logical_name=name, content_hash=merged.name, status="landed"
    )
    row = file_row(entry, sequence, now, {}) | {"status": MERGED, "object_name": merged.name}
    con.execute(insert(t.source_file), [row])
    con.execute(insert(t.file_day), [{"file_id": entry.file_id, "day": d, "rows": n} for d, n in file.days.items()])
    con.execute(insert(t.file_object), [{"file_id": entry.file_id, "object_name": merged.name}])


def restated_row(restated: Restated, sequence: int, now: dt.datetime) -> dict[str, Any]:
    """Give a restatement as a row."""
    values = {name: getattr(restated, name) for name in restated.__dataclass_fields__}
    return values | {"sequence": sequence, "at": now}


def lake_object_of(row: Row[Any]) -> LakeObject:
    """Give the object of a row of its table."""
    layout = RowLayout(tuple(row.layout["fields"]), row.layout["flags"]) if row.layout else None
    return LakeObject(row.name, row.source, row.kind, row.key_version, row.rows, row.bytes, layout)


def quarantined_row(row: Row[Any]) -> QuarantinedRow:
    """Read a row in quarantine from its row in the table."""
    values = dict(row._mapping)
    values.pop("created_at")
    return QuarantinedRow(**values | {"reasons": tuple(values["reasons"])})


def chunks(values: Sequence[Any], size: int = 500) -> list[Sequence[Any]]:
    """Cut a list into parts that fit into one statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]
