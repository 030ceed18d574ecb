"""A process that answers one query, and ends."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import duckdb
import msgspec
import pyarrow as pa

from shoplake.access.sandbox.frames import (
    ASKED,
    DONE,
    FAILED,
    HEAD,
    JOINED_BYTES,
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
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""Of Arrow's streams: a message that has no length."""
MOST_ASKED_BYTES = 64 << 20
MOST_MESSAGE = 4_000
INTERNAL = (duckdb.InternalException, duckdb.FatalException)


ASKED_WORDS = msgspec.msgpack.Decoder(Asked)
DONE_WORDS = {is_cut: msgspec.msgpack.encode(Done(is_cut)) for is_cut in (False, True)}
REHEARSALS = 20
Shut = Callable[["DuckDBPyConnection", Asked], None]


def shut_for_one_query(con: DuckDBPyConnection, asked: Asked) -> None:
    """Set what the query may use, and lock the engine."""
    limit_query(asked.cpu_seconds)
    lock(con, asked.threads, asked.database)


def _shut_nothing(con: DuckDBPyConnection, _asked: Asked) -> None:
    """Set what may be set again, in the place of what may not."""
    con.execute("set enable_progress_bar = false")


class TooWide(Exception):  # noqa: N818 - what the row is
    """A single row is larger than the limit."""


def run(con: DuckDBPyConnection, handle: int, *, shut: Shut = shut_for_one_query) -> None:
    """Hand over a handle of this process, wait for a query, answer it.

    Args:
        con: the engine.
        handle: of the socket to the service.
        shut: puts up the last walls, once it is known what the query is.

    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=handle)
    here = os.pidfd_open(os.getpid())
    pass_handles(sock, [here])
    os.close(here)
    try:
        kind, data = receive(sock, MOST_ASKED_BYTES)
        if kind != ASKED:
            return
        answer(con, sock, ASKED_WORDS.decode(data), shut)
    except (Ended, OSError):
        return  # Nobody listens any more.


def answer(con: DuckDBPyConnection, sock: socket.socket, asked: Asked, shut: Shut) -> None:
    """Answer a query on a socket: frames of an Arrow stream and an end, or why not."""
    try:
        shut(con, asked)
        check_is_select(con, asked.sql)
        parameters = pickle.loads(asked.parameters)  # noqa: S301 - of the service, which alone holds the other end
        outgoing = Outgoing(sock)
        is_cut = _send_rows(outgoing, con.execute(asked.sql, parameters).to_arrow_reader(BATCH_ROWS), asked)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The system's, about the socket; Arrow's own have no number.
        send_words(sock, FAILED, told(error))
    else:
        outgoing.end(is_cut)


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
    """Answer until nothing changes any more by answering, so that forked processes find that done.

    An interpreter writes into code that it runs for the first times, to run it faster from then on.
    """
    asked = Asked("select 1 as a, 'x' as b", pickle.dumps([]), None, 10, 1 << 20, 1, 1)
    for _ in range(REHEARSALS):
        here, there = socket.socketpair()
        with here, there:
            send_words(here, ASKED, asked)
            run(con, os.dup(there.fileno()), shut=_shut_nothing)


class Outgoing:
    """Frames of rows on their way; what is short goes out in one piece with the end of the answer."""

    closed = False
    """As Arrow asks of a file, for which it takes this."""

    def __init__(self, sock: socket.socket) -> None:
        """Send on a socket."""
        self._sock = sock
        self._chunks: list[bytes | pa.Buffer] = []
        self._size = 0

    def write(self, data: bytes | pa.Buffer) -> int:
        """Keep bytes until they are many."""
        self._chunks.append(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """Send what is kept if it is much."""
        if self._size > JOINED_BYTES:
            send(self._sock, ROWS, *self._chunks)
            self._chunks.clear()
            self._size = 0

    def close(self) -> None:
        """Do nothing: the end is another frame's to say."""

    def end(self, is_cut: bool) -> None:  # noqa: FBT001 - the one thing that an end says
        """Send the rest, and the end of the answer."""
        done = DONE_WORDS[is_cut]
        self._sock.sendall(b"".join((HEAD.pack(ROWS, self._size), *self._chunks, HEAD.pack(DONE, len(done)), done)))


def _send_rows(outgoing: Outgoing, reader: pa.RecordBatchReader, asked: Asked) -> bool:
    """Send rows within the limits; say whether there were more."""
    schema, is_cut = reader.schema, False
    if "dictionary<" in str(schema.types):  # Such batches refer to others, which a writer keeps account of.
        with pa.ipc.new_stream(pa.PythonFile(outgoing, mode="w"), schema) as stream:
            for batch, is_cut in _within(reader, asked):  # noqa: B007 - the last one counts
                stream.write_batch(batch)
                outgoing.flush()
        return is_cut
    outgoing.write(schema.serialize())
    for batch, is_cut in _within(reader, asked):  # noqa: B007 - the last one counts
        outgoing.write(batch.serialize())
        outgoing.flush()
    outgoing.write(END_OF_STREAM)
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
