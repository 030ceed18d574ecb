"""A process that answers one query, and ends."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
import msgspec
import pyarrow as pa

from shoplake.access.sandbox.frames import (
    ASKED,
    DONE,
    FAILED,
    ROWS,
    Asked,
    Done,
    Ended,
    Failed,
    pass_handles,
    receive,
    send,
    send_words,
)
from shoplake.access.sandbox.inside.engine import lock
from shoplake.access.sandbox.inside.walls import limit_query
from shoplake.access.statement import check_is_select
from shoplake.errors import QueryError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH_ROWS = 122_880
"""A row group's."""
MOST_ASKED_BYTES = 64 << 20
MOST_MESSAGE = 4_000
INTERNAL = (duckdb.InternalException, duckdb.FatalException)


class TooWide(Exception):  # noqa: N818 - what the row is
    """A single row is larger than the limit."""


def run(con: DuckDBPyConnection, handle: int) -> None:
    """Hand over a handle of this process, wait for a query, answer it."""
    sock = socket.socket(fileno=handle)
    pass_handles(sock, [os.pidfd_open(os.getpid())])
    try:
        kind, data = receive(sock, MOST_ASKED_BYTES)
        if kind != ASKED:
            return
        asked = msgspec.msgpack.decode(data, type=Asked)
        limit_query(asked.cpu_seconds)
        answer(con, sock, asked)
    except (Ended, OSError):
        return  # Nobody listens any more.


def answer(con: DuckDBPyConnection, sock: socket.socket, asked: Asked) -> None:
    """Answer a query on a socket: frames of an Arrow stream and an end, or why not."""
    try:
        lock(con, asked.threads, asked.database)
        check_is_select(con, asked.sql)
        parameters = pickle.loads(asked.parameters)  # noqa: S301 - of the service, which alone holds the other end
        is_cut = _send_rows(sock, con.execute(asked.sql, parameters).to_arrow_reader(BATCH_ROWS), asked)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The system's, about the socket; Arrow's own have no number.
        send_words(sock, FAILED, told(error))
    else:
        send_words(sock, DONE, Done(is_cut))


def told(error: BaseException) -> Failed:
    """Say what went wrong, and nothing of the machine that it went wrong on."""
    if isinstance(error, TooWide):
        return Failed("limit", "A single row is larger than an answer may be.")
    # While rows are on their way an error of the engine is one of Arrow's, with its words.
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or "Out of Memory Error" in str(error):
        return Failed("memory", "The query needs more memory than it may use.")
    if isinstance(error, INTERNAL):
        return Failed("query", f"{str(error).partition(chr(10))[0][:MOST_MESSAGE]}")
    if isinstance(error, QueryError | duckdb.Error | pa.ArrowException | ValueError | OSError):
        return Failed("query", str(error).partition("\n\nStack Trace")[0][:MOST_MESSAGE])
    return Failed("query", f"The query fails ({type(error).__name__}).")


def rehearse(con: DuckDBPyConnection) -> None:
    """Answer once what costs more the first time, so that forked processes find it done."""
    here, there = socket.socketpair()
    with here, there:
        reader = con.execute("select 1 as a, 'x' as b").to_arrow_reader(BATCH_ROWS)
        asked = Asked("", b"", None, 10, 1 << 20, 1, 1)
        send_words(there, DONE, Done(_send_rows(there, reader, asked)))
        check_is_select(con, "select 1")


class _Frames:
    """A file whose writes become frames."""

    closed = False

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._chunks: list[bytes] = []

    def write(self, data: bytes | pa.Buffer) -> int:
        chunk = bytes(data)
        self._chunks.append(chunk)
        return len(chunk)

    def flush(self) -> None:
        if self._chunks:
            send(self._sock, ROWS, b"".join(self._chunks))
            self._chunks.clear()

    def close(self) -> None:
        self.flush()


def _send_rows(sock: socket.socket, reader: pa.RecordBatchReader, asked: Asked) -> bool:
    """Send rows within the limits; say whether there were more."""
    frames, is_cut = _Frames(sock), False
    with pa.ipc.new_stream(pa.PythonFile(frames, mode="w"), reader.schema) as stream:
        for batch, is_cut in _within(reader, asked):  # noqa: B007 - the last one counts
            stream.write_batch(batch)
            frames.flush()
    frames.flush()
    return is_cut


def _within(reader: pa.RecordBatchReader, asked: Asked) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Give batches while they fit, each with whether rows are missing after it."""
    rows, size, is_first = asked.row_limit, asked.byte_limit, True
    for batch in reader:
        if batch.num_rows == 0:
            continue
        fits = min(batch.num_rows, rows)
        if fits and (bytes_ := batch.slice(0, fits).nbytes) > size:
            fits = int(fits * size / bytes_)
            if is_first and fits == 0:
                raise TooWide
        is_cut = fits < batch.num_rows
        shown = batch.slice(0, fits)
        yield shown, is_cut
        if is_cut:
            return
        rows, size, is_first = rows - fits, size - shown.nbytes, False
