"""Appends frames to a chain of this process's own, and makes each durable before it is acknowledged.

The log of a home is as many chains as processes have written it at once. A process takes the first that is free, keeps
it for as long as it lives, and leaves it to the next: nobody waits for another, and a chain has one writer at a time.
Signed heads tie the chains together.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from shoplake.audit.frames import NOTHING, RECORD, SegmentHeader, pack
from shoplake.audit.marks import DURABLE, WRITTEN, Mark, Marks
from shoplake.audit.recovery import Recovered, Recovery
from shoplake.audit.segments import after_header, chain_folder, read_header, segment_path
from shoplake.errors import AuditLogError
from shoplake.files import fsync_directory

if TYPE_CHECKING:
    from shoplake.audit.sealing import Sealing

MICROSECONDS = 1_000_000


def take_chain(audit: Path, sealing: Sealing, *, segment_bytes: int) -> Chain:
    """Take the first chain that no process holds; the system frees it when this process ends, however it does."""
    for number in count():
        folder = chain_folder(audit, number)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return Chain(folder, number, lock, sealing, segment_bytes=segment_bytes)
    raise AssertionError("numbers do not end")


class Chain:
    """A chain, open for appending; threads may share it, a forked process may not."""

    def __init__(self, folder: Path, number: int, lock: int, sealing: Sealing, *, segment_bytes: int) -> None:
        """Append in ``folder`` while ``lock`` is held; a segment that has ``segment_bytes`` is followed by another."""
        self.number = number
        self._folder, self._lock, self._sealing, self._segment_bytes = folder, lock, sealing, segment_bytes
        self._marks = Marks(folder / "marks", sealing.marks_key)
        self._threads, self._syncing = Lock(), Lock()
        self._segment = self._handle = self._inode = -1
        self._path = str(folder)
        self._month = range(0)
        self._header: SegmentHeader | None = None
        self._end: Mark | None = None
        self._durable = 0

    def close(self) -> None:
        """Close every file, and leave the chain to the next process."""
        self._shut()
        self._marks.close()
        os.close(self._lock)

    def append(self, body: bytes, kind: int = RECORD) -> Mark:
        """Append one frame (a record's ``body`` is sealed here) and give the place after it, once it is on disk."""
        with self._threads:
            self._end = self._append(self._settled(), [(kind, body)])
            mark, handle = self._end, os.dup(self._handle)
        try:
            self._sync(mark, handle)
        finally:
            os.close(handle)
        return mark

    def _append(self, end: Mark, bodies: Sequence[tuple[int, bytes]]) -> Mark:
        here, blob, header = end, b"", self._header
        assert header is not None  # noqa: S101 - `_settled` has opened the segment
        for kind, body in bodies:
            sealed = self._sealing.seal(body, header.key_version, end.log_id) if kind == RECORD else body
            packed, value = pack(here.hash, kind, here.sequence + 1, sealed)
            blob += packed
            here = Mark(here.log_id, here.segment, here.offset + len(packed), here.sequence + 1, _now(), value)
        # The mark goes first: what lies beyond it was not written by us.
        self._marks.write(WRITTEN, here)
        try:
            if os.write(self._handle, blob) != len(blob):
                raise OSError(28, "No space left on device")
        except OSError:
            os.ftruncate(self._handle, end.offset)
            self._marks.write(WRITTEN, end)
            raise
        return here

    def _sync(self, mark: Mark, handle: int) -> None:
        """Force the file to disk; one sync serves all threads that wrote before it began."""
        with self._syncing:
            if self._durable >= mark.sequence:
                return
            reach = mark
            end = self._end
            if end is not None and end.segment == mark.segment:
                reach = end
            os.fdatasync(handle)
            self._marks.write(DURABLE, reach)
            self._durable = reach.sequence

    def _settled(self) -> Mark:
        """Give where the chain ends, its last segment open; put right what a crash left, and say so in the chain."""
        end = self._end
        if end is None:
            end = self._taken_over()
        elif not self._fits(end):
            end = self._recovered(Recovery(self._folder, self._marks).from_marks(end))
        return end if self._has_room(end) else self._begin_segment(end)

    def _taken_over(self) -> Mark:
        end, recovery = self._marks.read(WRITTEN), Recovery(self._folder, self._marks)
        if end is None:
            found = recovery.without_marks()
            return self._begin() if found is None else self._recovered(found)
        durable = self._marks.read(DURABLE)
        self._durable = durable.sequence if durable else 0
        if self._fits(end) and self._durable >= end.sequence and not recovery.is_behind(end):
            return end
        return self._recovered(recovery.from_marks(end))

    def _fits(self, end: Mark) -> bool:
        """Say whether the last segment is as long as it should be, and have it open, whatever file it is now."""
        try:
            state = os.stat(self._path if end.segment == self._segment else segment_path(self._folder, end.segment))
        except FileNotFoundError:
            return False
        if end.segment != self._segment or state.st_ino != self._inode:
            self._open(end.segment)
        return state.st_size == end.offset

    def _recovered(self, found: Recovered) -> Mark:
        if found.is_new_segment:
            end = self._begin_segment(found.end)
        else:
            self._open(found.end.segment)
            end = found.end
        self._marks.write(WRITTEN, end)
        return self._append(end, [(RECORD, found.note)]) if found.note else end

    def _has_room(self, end: Mark) -> bool:
        header = self._header
        assert header is not None  # noqa: S101 - opened just now
        is_full = end.offset >= self._segment_bytes
        return not is_full and header.key_version >= self._sealing.version and _now() in self._month

    def _begin(self) -> Mark:
        """Begin the chain: a segment, then the marks that say so."""
        start = Mark(self._sealing.chain_id(self.number), 0, 0, 0, _now(), NOTHING)
        mark = self._begin_segment(start)
        self._marks.write(DURABLE, mark)
        self._marks.sync()
        fsync_directory(self._folder)
        fsync_directory(self._folder.parent)
        return mark

    def _begin_segment(self, end: Mark) -> Mark:
        """Begin the segment after ``end``; the one before is on disk from then on."""
        if self._handle >= 0:
            os.fdatasync(self._handle)
        number = end.segment + 1
        header = SegmentHeader(end.log_id, number, self._sealing.version, end.sequence + 1, _now(), end.hash)
        # One that is there already was begun by a process that ended before it wrote the mark.
        with open(segment_path(self._folder, number), "wb", opener=_private) as file:
            file.write(header.pack())
            file.flush()
            os.fsync(file.fileno())
        fsync_directory(self._folder)
        self._open(number)
        mark = after_header(header)
        self._marks.write(WRITTEN, mark)
        return mark

    def _open(self, number: int) -> None:
        self._shut()
        path = segment_path(self._folder, number)
        try:
            self._header = read_header(path)
        except ValueError as error:
            raise AuditLogError(
                f"The audit log {path} is damaged: {error}.", hint="See `shoplake audit verify`."
            ) from error
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND)
        self._segment, self._inode, self._path = number, os.fstat(self._handle).st_ino, str(path)
        self._month = _month(self._header.made_at)

    def _shut(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._segment = self._handle = self._inode = -1


def _now() -> int:
    return int(time.time() * MICROSECONDS)


def _month(moment: int) -> range:
    """Give all moments of a moment's month."""
    first = dt.datetime.fromtimestamp(moment // MICROSECONDS, dt.UTC).date().replace(day=1)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    return range(
        *(int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()) * MICROSECONDS for day in (first, after))
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
