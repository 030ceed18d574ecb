"""Whatever comes over a worker's socket, the service reads no more than it asked for, and waits no longer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pyarrow as pa
import pytest

from shoplake.access.sandbox.answering import Refused, answered
from shoplake.access.sandbox.frames import (
    ASKED,
    DONE,
    FAILED,
    HEAD,
    ROWS,
    Asked,
    Done,
    Failed,
    receive,
    send,
    send_words,
)
from shoplake.access.sandbox.sessions import Worker
from shoplake.errors import QueryTimeout, WorkerLost

WORDS = Asked("select 1", b"", None, 10, 1000, 1, 1)
MANY = 50_000_000
Says = Callable[[socket.socket], None]


def stream(rows: int) -> bytes:
    sink, table = pa.BufferOutputStream(), pa.table({"a": list(range(rows))})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@pytest.fixture
def ask() -> Iterator[Callable[..., tuple[pa.Table, bool]]]:
    """Give a way to ask a worker that says what a test wants."""
    ours, theirs = socket.socketpair()

    def asking(says: Says, seconds: float = 20) -> tuple[pa.Table, bool]:
        def work() -> None:
            assert receive(theirs, 10_000)[0] == ASKED
            with suppress(OSError):  # The service may hang up.
                says(theirs)
            theirs.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            return answered(Worker(ours), WORDS, seconds)
        finally:
            ours.close()
            thread.join()

    with ours, theirs:
        yield asking


def flood(sock: socket.socket) -> None:
    for _ in range(1000):
        send(sock, ROWS, bytes(100_000))


def trickle(sock: socket.socket) -> None:
    sock.sendall(HEAD.pack(ROWS, 1000))
    for _ in range(100):
        sock.sendall(b"x")
        time.sleep(0.05)


def too_many_rows(sock: socket.socket) -> None:
    send(sock, ROWS, stream(11))
    send_words(sock, DONE, Done(False))


def nonsense(sock: socket.socket) -> None:
    send(sock, ROWS, b"nonsense" * 100)
    send_words(sock, DONE, Done(False))


def torn(sock: socket.socket) -> None:
    send(sock, ROWS, stream(5)[:-40])
    send_words(sock, DONE, Done(False))


def test_rows_come_as_they_are_sent(ask: Callable[..., tuple[pa.Table, bool]]) -> None:
    def says(sock: socket.socket) -> None:
        data = stream(10)
        send(sock, ROWS, data[:100])
        send(sock, ROWS, data[100:])
        send_words(sock, DONE, Done(True))

    table, is_cut = ask(says)
    assert table.column("a").to_pylist() == list(range(10))
    assert is_cut


@pytest.mark.parametrize(
    "says",
    [
        flood,
        too_many_rows,
        nonsense,
        torn,
        lambda sock: sock.sendall(HEAD.pack(ROWS, MANY)),
        lambda sock: sock.sendall(HEAD.pack(DONE, 4_000_000_000)),
        lambda sock: send(sock, b"?", b"what"),
        lambda sock: send(sock, DONE, b"\xc1"),
        lambda sock: send(sock, FAILED, b"\x00" * 100),
        lambda sock: sock.sendall(b"R"),
        lambda _: None,
    ],
)
def test_what_a_worker_may_not_say_is_not_believed(ask: Callable[..., tuple[pa.Table, bool]], says: Says) -> None:
    with pytest.raises(WorkerLost):
        ask(says)


@pytest.mark.parametrize("says", [trickle, lambda _: time.sleep(2)])
def test_a_worker_that_hangs_or_trickles_is_not_waited_for(
    ask: Callable[..., tuple[pa.Table, bool]], says: Says
) -> None:
    with pytest.raises(QueryTimeout):
        ask(says, seconds=0.5)


def test_a_refusal_is_passed_on(ask: Callable[..., tuple[pa.Table, bool]]) -> None:
    with pytest.raises(Refused, match="no such thing"):
        ask(lambda sock: send_words(sock, FAILED, Failed("query", "no such thing")))
