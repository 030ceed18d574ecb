"""The bytes of the log: segments of frames, each frame chained to the one before by its hash.

A segment is one header and then frames. The header repeats the hash that the segment before ended with, so that the
chain runs through all of them. Whoever has neither a key nor anything but these bytes can follow the chain.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

HEADER = struct.Struct(">8s16sIIQQ32s")
PREFIX = struct.Struct(">IBQ")
MAGIC = b"SLAUDIT1"
HASH_BYTES = 32
NOTHING = bytes(HASH_BYTES)
"""What stands before the first segment."""
RECORD, HEAD = 0, 1
"""Kinds of frames: a sealed record, and a signed head (in clear, for it holds nothing but numbers and hashes)."""
LARGEST_BODY = 64 << 20


@dataclass(frozen=True)
class SegmentHeader:
    """What a segment begins with."""

    log_id: bytes
    number: int
    key_version: int
    """Version of the data key that seals its records."""
    first_sequence: int
    made_at: int
    """Microseconds since 1970 (UTC)."""
    before: bytes
    """Hash that the segment before ended with."""

    def pack(self) -> bytes:
        """Give its bytes."""
        return HEADER.pack(
            MAGIC, self.log_id, self.number, self.key_version, self.first_sequence, self.made_at, self.before
        )

    @property
    def hash(self) -> bytes:
        """Give the hash that its first frame is chained to."""
        return hashlib.sha256(b"segment" + self.pack()).digest()

    @classmethod
    def unpack(cls, data: bytes) -> SegmentHeader:
        """Read it from the first bytes of a segment.

        Raises:
            ValueError: they are no header.

        """
        if len(data) < HEADER.size:
            raise ValueError("a segment without a whole header")
        magic, *values = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise ValueError("not a segment")
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it lies in a segment."""

    offset: int
    end: int
    kind: int
    sequence: int
    prefix: bytes
    body: bytes
    hash: bytes
    """As it stands there."""

    def is_chained_to(self, before: bytes) -> bool:
        """Say whether its hash is that of its content after ``before``."""
        return self.hash == chained(before, self.prefix, self.body)


class CutOffError(Exception):
    """A segment ends within a frame, or a frame's length cannot be."""

    def __init__(self, offset: int) -> None:
        """Say where that frame begins."""
        super().__init__(f"cut off at {offset}")
        self.offset = offset


def chained(before: bytes, prefix: bytes, body: bytes) -> bytes:
    """Give the hash of a frame after ``before``."""
    return hashlib.sha256(before + prefix + body).digest()


def pack(before: bytes, kind: int, sequence: int, body: bytes) -> tuple[bytes, bytes]:
    """Give the bytes of a frame, and its hash."""
    prefix = PREFIX.pack(len(body), kind, sequence)
    value = chained(before, prefix, body)
    return prefix + body + value, value


def frames(data: bytes, start: int = HEADER.size) -> Iterator[Frame]:
    """Give the frames of a segment from ``start`` on.

    Raises:
        CutOffError: the segment ends within a frame.

    """
    offset = start
    while offset < len(data):
        if offset + PREFIX.size > len(data):
            raise CutOffError(offset)
        length, kind, sequence = PREFIX.unpack_from(data, offset)
        body = offset + PREFIX.size
        end = body + length + HASH_BYTES
        if length > LARGEST_BODY or end > len(data):
            raise CutOffError(offset)
        yield Frame(
            offset, end, kind, sequence, data[offset:body], data[body : body + length], data[body + length : end]
        )
        offset = end
