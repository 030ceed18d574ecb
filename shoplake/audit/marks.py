"""How far a chain goes: two marks in one small file, each under a key that only the home has.

They let a writer go on without reading the log, and tell a record that a crash cut off from one that was taken away.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from pathlib import Path
from typing import NamedTuple

MARK = struct.Struct(">16sIQQQ32s")
MAC_BYTES = 16
SIZE = MARK.size + MAC_BYTES
WRITTEN, DURABLE = b"written", b"durable"
"""Where the chain ends, or will when the write that was begun is done; what is surely on disk."""
PLACES = {WRITTEN: 0, DURABLE: SIZE}


class Mark(NamedTuple):
    """A place in a chain, after a frame (or after a header, when the segment has none)."""

    log_id: bytes
    segment: int
    offset: int
    sequence: int
    at: int
    """Microseconds since 1970 (UTC)."""
    hash: bytes


class Marks:
    """The file of the marks, open."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open it, or make it without marks."""
        self._key = key
        self._begun = {kind: _begun(kind, key) for kind in PLACES}
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def read(self, kind: bytes) -> Mark | None:
        """Give a mark; None if there is none, or one that nobody with the key has written."""
        return opened(os.pread(self._handle, SIZE, PLACES[kind]), kind, self._key)

    def write(self, kind: bytes, mark: Mark) -> None:
        """Move a mark."""
        data = MARK.pack(*mark)
        mac = self._begun[kind].copy()
        mac.update(data)
        os.pwrite(self._handle, data + mac.digest(), PLACES[kind])

    def sync(self) -> None:
        """Force the marks to disk."""
        os.fsync(self._handle)


def opened(data: bytes, kind: bytes, key: bytes) -> Mark | None:
    """Read one mark's bytes; None if they are not what a holder of the key wrote."""
    if len(data) != SIZE:
        return None
    packed, mac = data[: MARK.size], data[MARK.size :]
    return Mark(*MARK.unpack(packed)) if hmac.compare_digest(mac, _mac(packed, kind, key)) else None


def read_all(data: bytes, key: bytes) -> dict[bytes, Mark] | None:
    """Read the whole file's bytes; None if any of them is not what a holder of the key wrote."""
    found = {kind: opened(data[place : place + SIZE], kind, key) for kind, place in PLACES.items()}
    whole = {kind: mark for kind, mark in found.items() if mark is not None}
    return whole if len(whole) == len(PLACES) and len(data) == len(PLACES) * SIZE else None


def _mac(data: bytes, kind: bytes, key: bytes) -> bytes:
    mac = _begun(kind, key)
    mac.update(data)
    return mac.digest()


def _begun(kind: bytes, key: bytes) -> hashlib.blake2b:
    """Give the keyed hash before any data: the key is worked in once for all marks of a kind."""
    return hashlib.blake2b(digest_size=MAC_BYTES, key=key, person=kind)
