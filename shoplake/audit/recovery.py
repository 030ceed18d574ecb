"""What a writer does when a chain is not as its marks say: a crash is put right, damage is left to be seen.

A record that was cut off while it was written has been acknowledged to nobody, so it is removed. Records that were
acknowledged and are gone are never papered over: the chain goes on in a new segment from where it stood, and
`shoplake audit verify` finds the gap for ever.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from shoplake.audit.entry import new_entry
from shoplake.audit.frames import HEADER
from shoplake.audit.marks import DURABLE, Mark, Marks
from shoplake.audit.segments import after_header, last_whole, numbers, read_header, segment_path
from shoplake.errors import AuditLogError
from shoplake.files import durable_write


@dataclass(frozen=True)
class Recovered:
    """Where the log goes on."""

    end: Mark
    note: bytes = b""
    """Record that says what was found; empty when all was as it should be."""
    is_new_segment: bool = False


class Recovery:
    """Looks at the end of a chain; call it while no other process writes it."""

    def __init__(self, folder: Path, marks: Marks) -> None:
        """Recover the chain in ``folder``."""
        self._folder, self._marks = folder, marks

    def from_marks(self, written: Mark) -> Recovered:
        """Find the last whole record from what is surely on disk on."""
        if self.is_behind(written):
            return self._from_last_segment("log marks behind", numbers(self._folder)[-1])
        durable = self._marks.read(DURABLE)
        path = segment_path(self._folder, written.segment)
        try:
            start = durable if durable and durable.segment == written.segment else after_header(read_header(path))
            size = path.stat().st_size
        except (OSError, ValueError):
            return self._gap(written)
        if size < start.offset:
            return self._gap(written)
        end = last_whole(path, start)
        self._cut(path, end.offset)
        if end.sequence > written.sequence:
            return Recovered(end, _note("log marks behind", after_sequence=written.sequence, up_to=end.sequence))
        if size > end.offset:
            return Recovered(end, _note("log recovered", bytes_cut=size - end.offset, after_sequence=end.sequence))
        return Recovered(end)

    def without_marks(self) -> Recovered | None:
        """Find the end of a log whose marks are gone; None if no log has been begun.

        Raises:
            AuditLogError: the last segment cannot be read.

        """
        found = numbers(self._folder)
        first = segment_path(self._folder, 1)
        if not found or (found == [1] and first.stat().st_size <= HEADER.size):
            return None
        return self._from_last_segment("log marks lost", found[-1])

    def is_behind(self, written: Mark) -> bool:
        """Say whether there are records in segments that the mark knows nothing of."""
        later = [number for number in numbers(self._folder) if number > written.segment]
        return any(segment_path(self._folder, number).stat().st_size > HEADER.size for number in later)

    def _from_last_segment(self, what: str, number: int) -> Recovered:
        path = segment_path(self._folder, number)
        try:
            start = after_header(read_header(path))
        except ValueError as error:
            raise AuditLogError(
                f"The audit log has lost its marks, and {path} is damaged: {error}.",
                hint="See `shoplake audit verify`; move the folder away and keep it, and a new log begins.",
            ) from error
        end = last_whole(path, start)
        self._cut(path, end.offset)
        self._marks.write(DURABLE, end)
        return Recovered(end, _note(what, after_sequence=end.sequence))

    def _gap(self, written: Mark) -> Recovered:
        note = _note("log damaged", after_sequence=written.sequence, hash=written.hash.hex())
        return Recovered(written, note, is_new_segment=True)

    def _cut(self, path: Path, size: int) -> None:
        """Take off what is no whole record; it is kept beside the log, for whoever asks what it was."""
        with path.open("r+b") as file:
            file.seek(size)
            rest = file.read()
            if rest:
                durable_write(self._folder / f"{path.stem}-cut-at-{size}-{secrets.token_hex(4)}.bin", rest)
            file.truncate(size)
            file.flush()
            os.fsync(file.fileno())


def _note(action: str, **detail: object) -> bytes:
    return new_entry(action, detail=detail).encoded()
