"""Walks through one chain, oldest frame first, and finds what does not follow from what came before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from shoplake.audit.frames import HEAD, HEADER, NOTHING, RECORD, CutOffError, Frame, SegmentHeader, frames
from shoplake.audit.heads import Position, read_head
from shoplake.audit.marks import DURABLE, WRITTEN, Mark, read_all

Open = Callable[[bytes, int, bytes], bytes | None]
"""Opens a sealed record, given the version of its key and the chain's id."""
Place = tuple[int, int]
"""Segment and sequence."""
STEP = 5_000
"""Records between two calls of whoever bounds the time."""


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where."""

    what: str
    chain: int | None = None
    segment: int | None = None
    sequence: int | None = None
    offset: int | None = None


@dataclass(frozen=True)
class ChainImage:
    """A chain as it lies there."""

    segments: Iterable[tuple[int, bytes]]
    """Number and bytes of each, oldest first."""
    marks: tuple[bytes, bytes] = (b"", b"")
    """The marks as they were before the segments were read, and after: a writer may go on meanwhile."""


@dataclass
class ChainResult:
    """What a walk found."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records: int = 0
    unsigned: int = 0


class ChainWalk:
    """One walk through one chain."""

    def __init__(
        self,
        number: int,
        wanted: Mapping[Place, set[Position]],
        last: Position | None,
        marks_key: bytes | None,
        opener: Open | None,
        chain_id: Callable[[int], bytes] | None,
        on_step: Callable[[], None],
    ) -> None:
        """Walk through chain ``number``, of which heads say ``wanted``, the newest of them ``last``."""
        self._on_step = on_step
        self._number, self._wanted, self._last = number, dict(wanted), last
        self._marks_key, self._open = marks_key, opener
        self._id = chain_id(number) if chain_id else None
        self._signed = max((sequence for _, sequence in wanted), default=0)
        self._result = ChainResult()
        self._chain, self._sequence, self._segment, self._key_version = NOTHING, 0, 0, 0
        self._first: SegmentHeader | None = None
        self._torn: Finding | None = None
        self._has_empty_end = False
        self._marked: dict[Place, list[Mark]] = {}

    def walk(self, image: ChainImage | None) -> ChainResult:
        """Walk through all segments; None stands for a chain that is not there."""
        marks = self._read_marks(image)
        for number, data in image.segments if image else ():
            if self._torn is not None:  # a segment that another follows has no cut off end
                self._result.findings.append(self._torn)
                self._torn = None
            self._walk_segment(number, data)
        self._check_end(marks)
        self._check_beginning()
        self._check_heads()
        return self._result

    def _find(self, what: str, sequence: int | None = None, offset: int | None = None) -> None:
        self._result.findings.append(Finding(what, self._number, self._segment or None, sequence, offset))

    def _walk_segment(self, number: int, data: bytes) -> None:
        self._on_step()
        before, self._segment = self._segment, number
        try:
            header = SegmentHeader.unpack(data)
        except ValueError as error:
            self._torn = Finding(f"not readable: {error}", self._number, number, None, 0)
            self._has_empty_end = True
            return
        self._id = self._id or header.log_id
        if header.log_id != self._id or header.number != number:
            self._find("the segment is not of this chain", offset=0)
        if self._first is None:
            self._first = header
        elif number != before + 1:
            self._find(f"segments {before + 1} to {number - 1} are missing")
        elif header.first_sequence != self._sequence + 1:
            self._find("records at the end of the segment before are missing", self._sequence + 1, 0)
        elif header.before != self._chain:
            self._find("the segment does not follow the one before", header.first_sequence, 0)
        self._chain, self._sequence, self._key_version = header.hash, header.first_sequence - 1, header.key_version
        self._has_empty_end = len(data) == HEADER.size
        self._pass(HEADER.size)
        try:
            for frame in frames(data):
                self._walk_frame(frame)
        except CutOffError as cut:
            self._torn = Finding("a record is cut off", self._number, number, self._sequence + 1, cut.offset)

    def _walk_frame(self, frame: Frame) -> None:
        expected = self._sequence + 1
        if frame.sequence % STEP == 0:
            self._on_step()
        if frame.sequence > expected and frame.is_chained_to(self._chain):
            self._find("a record was changed", expected, frame.offset)
        elif frame.sequence > expected:
            self._find(f"records before {frame.sequence} are missing or changed", expected, frame.offset)
        elif frame.sequence != expected:
            self._find(f"record {frame.sequence} stands where {expected} belongs", expected, frame.offset)
        elif not frame.is_chained_to(self._chain):
            self._find("a record was changed", frame.sequence, frame.offset)
        elif frame.kind == RECORD:
            self._check_seal(frame)
        elif frame.kind != HEAD or read_head(frame.body) is None:
            self._find("a head is not signed", frame.sequence, frame.offset)
        # Go on from what stands there: so each later change is found by itself.
        self._chain, self._sequence = frame.hash, frame.sequence
        self._result.records += frame.kind == RECORD
        self._result.unsigned += frame.kind == RECORD and frame.sequence > self._signed
        self._pass(frame.end)

    def _pass(self, offset: int) -> None:
        """Compare the place that the walk has come to with what marks and heads say of it."""
        here = self._segment, self._sequence
        if any((mark.hash, mark.offset) != (self._chain, offset) for mark in self._marked.get(here, ())):
            self._find("the log is not the one that the marks know", self._sequence, offset)
        if any(bytes.fromhex(position.hash) != self._chain for position in self._wanted.pop(here, ())):
            self._find("the log is not the one that a head has signed", self._sequence, offset)

    def _check_seal(self, frame: Frame) -> None:
        if self._open is None or self._id is None:
            return
        opened = self._open(frame.body, self._key_version, self._id)
        if opened is None:
            self._find("a record is not sealed with the log's key", frame.sequence, frame.offset)
        elif opened.startswith(b'{"action":"log '):
            self._result.notes.append(f"chain {self._number}, record {frame.sequence}: {opened.decode()}")

    def _read_marks(self, image: ChainImage | None) -> tuple[Mark, Mark] | None:
        """Give what was surely on disk before the segments were read, and what may have been written after."""
        if self._marks_key is None or image is None:
            return None
        before, after = (read_all(data, self._marks_key) for data in image.marks)
        if before is None or after is None:
            self._find("the marks were changed or are missing")
            return None
        durable, written = before[DURABLE], after[WRITTEN]
        for mark in (durable, written):
            self._marked.setdefault((mark.segment, mark.sequence), []).append(mark)
        return durable, written

    def _check_end(self, marks: tuple[Mark, Mark] | None) -> None:
        torn, self._torn = self._torn, None
        if marks is not None:
            durable, written = marks
            is_behind = self._sequence < durable.sequence
            if is_behind:
                self._find(f"records {self._sequence + 1} to {durable.sequence} are missing at the end")
            if self._sequence > written.sequence and not self._has_empty_end:
                self._find("there are records beyond those that were written here", written.sequence + 1)
            if torn is not None and (is_behind or _is_beyond(torn, written)):
                self._result.findings.append(torn)
                return
        if torn is not None:
            self._result.notes.append(
                f"chain {self._number}: the last write was cut off (segment {torn.segment}, byte {torn.offset}); "
                "nobody was given anything for it, and the next record takes its place"
            )

    def _check_beginning(self) -> None:
        """See that the chain begins where its last head says, or earlier, while what is too old is being removed."""
        self._segment = 0
        if self._first is None:
            return
        first, before = (self._last.first_segment, self._last.first_before) if self._last else (1, NOTHING.hex())
        if self._first.number > first:
            self._find(f"segments before {self._first.number} are missing")
        elif self._first.number == first and self._first.before.hex() != before:
            self._find("the first segment is not the one that the last head says")
        elif self._last and self._id is not None and self._last.id != self._id.hex():
            self._find("the chain is not the one that the last head says")

    def _check_heads(self) -> None:
        """See that the walk has passed every place that a head knows, but those that were removed as too old."""
        first = self._first.first_sequence - 1 if self._first else 0
        missing = [sequence for _, sequence in self._wanted if sequence >= first]
        if missing:
            self._find(f"what heads have signed up to record {max(missing)} is missing", min(missing))


def _is_beyond(torn: Finding, written: Mark) -> bool:
    """Say whether the cut off bytes are none that a write had begun."""
    if torn.segment != written.segment:
        return torn.sequence is not None
    return (torn.offset or 0) >= written.offset
