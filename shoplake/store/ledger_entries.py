"""What the ledger holds, as data: files, lake objects, rows in quarantine, ranges of streams, a snapshot of it all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

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
