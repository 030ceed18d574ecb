"""Searches the log from its newest record back, page by page, and never for longer than it may.

A segment knows when it was begun, and with it when the one before ended: those outside of the wanted time are not read.
Of the others every record has to be opened, for nothing of it is in clear: some microseconds each. A search that runs
out of time says up to where it has come, and goes on from there when it is asked to.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from shoplake.audit.entry import DECODER, Entry
from shoplake.audit.frames import HASH_BYTES, HEADER, PREFIX, RECORD, SegmentHeader
from shoplake.audit.reading import Wanted
from shoplake.audit.segments import chain_folders, numbers, read_header, segment_path
from shoplake.errors import InputError, NotFoundError
from shoplake.home import HomePaths

if TYPE_CHECKING:
    from pathlib import Path

    from shoplake.audit.sealing import Sealing
    from shoplake.settings import Settings

MICROSECONDS = 1_000_000
LOOKED_EVERY = 500
"""Records between two looks at the clock."""
DISORDER = 10 * MICROSECONDS
"""By so much at most records that threads wrote at once stand in another order than their times."""
BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, order=True)
class Address:
    """Where a record lies; addresses are in the order of time."""

    at: dt.datetime
    chain: int
    segment: int
    sequence: int

    @property
    def name(self) -> str:
        """Name the record by its place, for an address of a page."""
        return f"{self.chain}-{self.segment}-{self.sequence}"

    @property
    def mark(self) -> str:
        """Give it whole as text, to go on from."""
        return f"{microseconds(self.at)}-{self.name}"

    @classmethod
    def read(cls, mark: str) -> Address:
        """Read what `mark` gives.

        Raises:
            InputError: it is something else.

        """
        parts = mark.split("-")
        if len(parts) != len(cls.__dataclass_fields__) or not all(p.isdigit() and len(p) < 18 for p in parts):  # noqa: PLR2004
            raise InputError("This is no place in the audit log.", hint="Begin the search anew.")
        at, chain, segment, sequence = (int(part) for part in parts)
        return cls(BEGINNING + dt.timedelta(microseconds=at), chain, segment, sequence)


@dataclass(frozen=True)
class Located:
    """A record, and where it lies."""

    address: Address
    entry: Entry


@dataclass(frozen=True)
class Found:
    """What a search gave."""

    records: tuple[Located, ...]
    """The newest first."""
    is_complete: bool
    """There are no more records that are looked for."""
    next: str
    """Mark to go on from; empty where it is complete."""
    reaches: dt.datetime | None
    """Everything newer than this was looked at; None where all was."""
    looked_at: int
    """Records that were opened."""


def microseconds(at: dt.datetime) -> int:
    """Give microseconds since 1970."""
    return (at - BEGINNING) // dt.timedelta(microseconds=1)


def search(settings: Settings, wanted: Wanted, *, limit: int, seconds: float, before: str = "") -> Found:
    """Find the newest records that are looked for.

    Args:
        settings: the home.
        wanted: what is looked for.
        limit: most records to give.
        seconds: how long to search; the newest few hundred records of each chain are always looked at.
        before: mark of the record to go on from; only older ones are given.

    Raises:
        HomeError: there is no such home.
        KeyAccessError: its keys do not open.
        InputError: ``before`` is no mark.

    """
    from shoplake.audit.sealing import Sealing

    walk = _Walk(Sealing(settings), wanted, limit, time.monotonic() + seconds, Address.read(before) if before else None)
    return walk.found(HomePaths(settings.home).audit)


def record(settings: Settings, name: str) -> Located:
    """Give one record by the name of its address.

    Raises:
        NotFoundError: there is none.

    """
    from shoplake.audit.sealing import Sealing

    parts = name.split("-")
    if len(parts) == 3 and all(part.isdigit() and len(part) < 18 for part in parts):  # noqa: PLR2004
        chain, segment, sequence = (int(part) for part in parts)
        folder = chain_folders(HomePaths(settings.home).audit).get(chain)
        if folder is not None and segment_path(folder, segment).is_file():
            held = _Held.read(_Piece(chain, segment, folder, 0, 0))
            place = next((one for one in held.places if one[0] == sequence), None)
            opened = held.opened(Sealing(settings), place) if place else None
            located = held.located(opened, place) if opened is not None and place else None
            if located is not None:
                return located
    raise NotFoundError("There is no such record.", hint="It may have been removed as too old.")


@dataclass(frozen=True)
class _Piece:
    """A segment, and the time (microseconds) between whose ends its records lie."""

    chain: int
    number: int
    folder: Path
    begins: int
    ends: int


@dataclass
class _Walk:
    sealing: Sealing
    wanted: Wanted
    limit: int
    deadline: float
    before: Address | None

    def found(self, audit: Path) -> Found:
        pieces = sorted(self._pieces(audit), key=lambda piece: (piece.ends, piece.chain), reverse=True)
        records, looked, reaches, start = list[Located](), 0, None, self.times[1]
        for piece in pieces:
            if len(records) > self.limit and microseconds(records[self.limit].address.at) > piece.ends:
                break  # what is left is older than what is shown
            # Segments that reach to where the search begins are looked into all the same: without them nothing is sure.
            if piece.ends < start - 1 and time.monotonic() >= self.deadline:
                reaches = max(piece.ends, reaches or 0)
                break
            more, looked_here, stopped_at = self._in(piece)
            looked += looked_here
            records = sorted([*records, *more], key=lambda one: one.address, reverse=True)
            if stopped_at is not None:
                reaches = max(stopped_at, reaches or 0)
        return self._page(records, looked, reaches)

    def _page(self, records: list[Located], looked: int, reaches: int | None) -> Found:
        """Give what is sure: nothing older than where an unfinished search has come to."""
        until = BEGINNING + dt.timedelta(microseconds=reaches) if reaches is not None else None
        sure = [one for one in records if until is None or one.address.at > until]
        shown = tuple(sure[: self.limit])
        if len(sure) > self.limit:
            return Found(shown, False, shown[-1].address.mark, None, looked)
        if until is not None:
            mark = Address(until + dt.timedelta(microseconds=1), 0, 0, 0).mark
            return Found(shown, False, mark, until, looked)
        return Found(shown, True, "", None, looked)

    def _pieces(self, audit: Path) -> Iterator[_Piece]:
        """Give the segments that may hold what is looked for, by the times in their headers."""
        first, last = self.times
        now = microseconds(dt.datetime.now(dt.UTC)) + MICROSECONDS
        for chain, folder in chain_folders(audit).items():
            ends = now
            for number in reversed(numbers(folder)):
                try:
                    begins = read_header(segment_path(folder, number)).made_at
                except (OSError, ValueError):
                    continue  # for `verify` to find
                if begins - DISORDER <= last and ends >= first:
                    yield _Piece(chain, number, folder, begins, max(begins, ends))
                ends = begins
                if ends < first:
                    break

    @cached_property
    def times(self) -> tuple[int, int]:
        """Give between which times (microseconds) records are looked for."""
        first, last = self.wanted.first, self.wanted.last
        begin = microseconds(dt.datetime.combine(first, dt.time(), dt.UTC)) if first else 0
        end = dt.datetime.combine(last, dt.time.max, dt.UTC) if last else dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
        if self.before is not None:
            end = min(end, self.before.at)
        return begin, microseconds(end)

    def _in(self, piece: _Piece) -> tuple[list[Located], int, int | None]:
        """Give what is looked for in a segment, how many records were opened, and where time ran out."""
        held = _Held.read(piece)
        found, looked, oldest = list[Located](), 0, self.times[0] - DISORDER
        needles = self.wanted.needles()
        for place in reversed(held.places[: self._end(held)]):
            looked += 1
            opened = held.opened(self.sealing, place)
            is_due = looked % LOOKED_EVERY == 0
            if opened is None or not (is_due or all(needle in opened for needle in needles)):
                continue
            located = held.located(opened, place)
            if located is None:
                continue
            at = microseconds(located.address.at)
            is_older = self.before is None or located.address < self.before
            if is_older and self.wanted.fits(located.entry):
                found.append(located)
            if at < oldest:
                break
            if len(found) > self.limit and at < microseconds(found[self.limit].address.at) - DISORDER:
                break
            if is_due and at < self.times[1] - 1 and time.monotonic() >= self.deadline:
                return found, looked, self._come_to(at, piece)
        return found, looked, None

    def _end(self, held: _Held) -> int:
        """Give how many of a segment's records may be old enough, by halves: they lie in the order of time."""
        newest, low, high = self.times[1] + DISORDER, 0, len(held.places)
        while low < high:
            middle = (low + high) // 2
            opened = held.opened(self.sealing, held.places[middle])
            located = held.located(opened, held.places[middle]) if opened is not None else None
            if located is None:
                return len(held.places)
            low, high = (middle + 1, high) if microseconds(located.address.at) <= newest else (low, middle)
        return low

    def _come_to(self, at: int, piece: _Piece) -> int:
        """Give up to where all has been looked at; a little is looked at again, for what stands out of order."""
        return at + DISORDER if at + DISORDER < min(piece.ends, self.times[1]) else at


@dataclass(frozen=True)
class _Held:
    """The bytes of a segment, and where its records lie in them."""

    piece: _Piece
    header: SegmentHeader | None
    data: bytes
    places: list[tuple[int, int, int]]
    """Sequence, begin and end of each sealed record, the oldest first."""

    @classmethod
    def read(cls, piece: _Piece) -> _Held:
        """Read a segment; what cannot be cut is for `verify` to find."""
        try:
            data = segment_path(piece.folder, piece.number).read_bytes()
            header = SegmentHeader.unpack(data)
        except (OSError, ValueError):
            return cls(piece, None, b"", [])
        places, offset, size = list[tuple[int, int, int]](), HEADER.size, len(data)
        read, prefix = PREFIX.unpack_from, PREFIX.size
        while offset + prefix <= size:
            length, kind, sequence = read(data, offset)
            begin = offset + prefix
            offset = begin + length + HASH_BYTES
            if offset > size:
                break
            if kind == RECORD:
                places.append((sequence, begin, begin + length))
        return cls(piece, header, data, places)

    def opened(self, sealing: Sealing, place: tuple[int, int, int]) -> bytes | None:
        """Open a record; None if nobody with the key has sealed it."""
        assert self.header is not None  # noqa: S101 - it has places
        return sealing.open(self.data[place[1] : place[2]], self.header.key_version, self.header.log_id)

    def located(self, opened: bytes, place: tuple[int, int, int]) -> Located | None:
        """Decode a record that was opened; None where it is none."""
        try:
            entry = DECODER.decode(opened)
        except (msgspec.DecodeError, ValueError):
            return None
        return Located(Address(entry.at.astimezone(dt.UTC), self.piece.chain, self.piece.number, place[0]), entry)
