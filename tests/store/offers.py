"""Files as landing would offer them to the ledger."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from shoplake.store.ledger import LakeObject, QuarantinedRow, SourceFile

DAY = dt.date(2026, 1, 5)


def noon(day: dt.date) -> dt.datetime:
    """Give the middle of a day."""
    return dt.datetime.combine(day, dt.time(12))


def offer(name: str, *, content: str = "first", day: dt.date = DAY, **changes: Any) -> SourceFile:
    """Give a file of ten rows on one day, landed unless ``changes`` say otherwise."""
    identity = hashlib.sha256(f"{name}/{content}".encode()).hexdigest()
    landed = changes.get("status", "landed") == "landed"
    values: dict[str, Any] = {
        "file_id": identity[:20],
        "source": "pos",
        "logical_name": name,
        "content_hash": identity,
        "status": "landed",
        "rows_read": 10,
        "rows_landed": 10 if landed else 0,
        "contract_version": "1.0.0",
        "format": "csv",
        "bytes": 500,
        "min_event_at": noon(day) if landed else None,
        "max_event_at": noon(day) if landed else None,
        "object_name": f"rows-{identity[:8]}" if landed else None,
        "days": {day: 10} if landed else {},
    }
    return SourceFile(**values | changes)


def object_of(file: SourceFile) -> LakeObject:
    """Give the lake object that holds a file's rows."""
    assert file.object_name is not None
    return LakeObject(file.object_name, file.source, "rows", 1, file.rows_landed, 300)


def waiting(file: SourceFile, *lines: int) -> list[QuarantinedRow]:
    """Give quarantined rows of a file."""
    return [QuarantinedRow(file.file_id, file.source, n, ("quantity_not_integer",), "quarantine-1") for n in lines]
