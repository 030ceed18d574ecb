"""What goes over the sockets between the service and its sandboxed processes: a kind, a length, the bytes."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence

import msgspec

HEAD = struct.Struct("<cI")
READY, FAILED, ROWS, DONE, ASKED, PLAN = b"R", b"F", b"B", b"D", b"Q", b"P"
RECEIVE_BYTES = 1 << 20
JOINED_BYTES = 1 << 16
"""A frame that is no longer goes out in one call, so that its receiver wakes up once."""
MOST_WORDS_BYTES = 1 << 16
"""Longest frame that holds no rows, as a worker may send it."""


class Plan(msgspec.Struct, frozen=True):
    """How a session is opened: the names in it mean nothing to who sees them."""

    keys: dict[str, bytes]
    """Secrets of data keys by the names that the SQL gives them."""
    statements: tuple[str, ...]
    files: tuple[str, ...]
    """Names in the folder that came along, which becomes the root."""
    memory_bytes: int
    uid: int | None = None
    gid: int | None = None


class Asked(msgspec.Struct, frozen=True):
    """One query with its limits."""

    sql: str
    parameters: bytes
    """Pickled: any value that the engine takes. It comes from the service alone."""
    database: str | None
    row_limit: int
    byte_limit: int
    cpu_seconds: int
    threads: int


class Done(msgspec.Struct, frozen=True):
    """Ends an answer."""

    is_cut: bool


class Failed(msgspec.Struct, frozen=True):
    """Why there is no answer; ``kind`` is one of ``query``, ``limit``, ``memory`` and ``opening``."""

    kind: str
    message: str


class Ready(msgspec.Struct, frozen=True):
    """What a process has behind it once it can work: the walls that stand around it."""

    walls: tuple[str, ...]


class Ended(Exception):  # noqa: N818 - what the other side did
    """The other side has gone, or said what nobody says."""


def send(sock: socket.socket, kind: bytes, *chunks: bytes | memoryview) -> None:
    """Send one frame."""
    length = sum(len(chunk) for chunk in chunks)
    if length <= JOINED_BYTES:
        sock.sendall(b"".join((HEAD.pack(kind, length), *chunks)))
        return
    sock.sendall(HEAD.pack(kind, length))
    for chunk in chunks:
        sock.sendall(chunk)


def send_words(sock: socket.socket, kind: bytes, words: msgspec.Struct) -> None:
    """Send one frame that says something."""
    send(sock, kind, msgspec.msgpack.encode(words))


def receive(sock: socket.socket, most_bytes: int, deadline: float | None = None) -> tuple[bytes, bytearray]:
    """Give the kind and the bytes of the next frame.

    Args:
        sock: where it comes from.
        most_bytes: longest frame to take.
        deadline: of `time.monotonic`, for all of it; None to wait as the socket does.

    Raises:
        Ended: the other side has gone, or sends more than it may.
        TimeoutError: the deadline has passed.

    """
    kind, length = HEAD.unpack(exactly(sock, HEAD.size, deadline))
    if length > most_bytes:
        raise Ended("more than was asked for")
    return kind, exactly(sock, length, deadline)


def exactly(sock: socket.socket, length: int, deadline: float | None = None) -> bytearray:
    """Give so many bytes; see `receive`."""
    data = bytearray(length)
    view, got = memoryview(data), 0
    while got < length:
        if deadline is not None:
            sock.settimeout(_left(deadline))
        try:
            count = sock.recv_into(view[got : got + RECEIVE_BYTES])
        except (ConnectionError, InterruptedError) as error:
            raise Ended("it broke off") from error
        if count == 0:
            raise Ended("it has ended")
        got += count
    return data


def pass_handles(sock: socket.socket, handles: Sequence[int]) -> None:
    """Send open files along with one byte, which keeps them apart from those of the next call."""
    socket.send_fds(sock, [b"+"], handles)


def taken_handles(sock: socket.socket, most: int) -> list[int]:
    """Receive what one `pass_handles` sent; nothing where the other side has gone."""
    data, handles, _, _ = socket.recv_fds(sock, 1, most)
    return list(handles) if data else []


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
