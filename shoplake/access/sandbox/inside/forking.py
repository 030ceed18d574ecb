"""What the process does that all sandboxed ones are forked from: see `fork_server`, which starts it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from shoplake.access.sandbox.frames import FAILED, READY, Failed, Ready, send_words, taken_handles
from shoplake.access.sandbox.inside import session, walls
from shoplake.access.sandbox.inside.memory import use_large_pages

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOOK_SECONDS = 5.0
"""How often it looks whether the service is still there, where something else keeps the socket open."""


def main() -> None:
    """Start, say what stands, then fork on demand until the service goes."""
    control, service = socket.socket(fileno=int(sys.argv[1])), os.getppid()
    os.environ.clear()
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The kernel then buries them.
    stand = walls.leave_network()  # Before anything has made a thread.
    walls.limit_from_the_start()
    try:
        con = _ready()
    except Exception as error:  # noqa: BLE001 - whatever it is, the service has to hear it
        send_words(control, FAILED, Failed("opening", f"{type(error).__name__}: {error}"))
        return
    send_words(control, READY, Ready(tuple(stand)))
    control.settimeout(LOOK_SECONDS)
    while os.getppid() == service:
        try:
            handles = taken_handles(control, 2)
        except TimeoutError:
            continue
        if not handles:
            return
        _fork(con, control, handles, stand)


def _ready() -> DuckDBPyConnection:
    """Load all that sessions and queries need, for they can load nothing."""
    gc.disable()  # Processes that end soon leave nothing behind; looking for it would copy every page.
    import decimal  # noqa: F401 - for values of parameters, as the next one
    import zoneinfo  # noqa: F401

    from shoplake.access.sandbox.inside import worker
    from shoplake.access.sandbox.inside.engine import new_engine

    con = new_engine()
    worker.rehearse(con)
    use_large_pages()
    gc.collect()
    gc.freeze()
    return con


def _fork(con: DuckDBPyConnection, control: socket.socket, handles: list[int], stand: list[str]) -> None:
    server = os.getpid()
    with suppress(OSError):  # Without room for another process the service sees its socket close.
        if os.fork() == 0:
            try:
                walls.die_with_parent(server)
                control.close()
                session.run(con, socket.socket(fileno=handles[0]), handles[1], stand)
            finally:
                os._exit(0)
    for handle in handles:
        os.close(handle)
