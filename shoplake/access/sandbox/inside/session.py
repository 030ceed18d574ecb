"""One release open for one set of rights, from which a worker is forked for each query; it runs none itself."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from shoplake.access.sandbox.frames import (
    FAILED,
    PLAN,
    READY,
    Ended,
    Failed,
    Plan,
    Ready,
    receive,
    send_words,
    taken_handles,
)
from shoplake.access.sandbox.inside import walls
from shoplake.access.sandbox.inside.memory import fill_gaps
from shoplake.access.sandbox.inside.system import fork

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

MOST_PLAN_BYTES = 64 << 20


def run(con: DuckDBPyConnection, control: socket.socket, folder: int, stand: list[str]) -> None:
    """Take a plan, build the walls, open the release, then fork a worker for each socket that comes.

    Args:
        con: the engine, which no one has used.
        control: to the service.
        folder: handle of the folder with the release's files.
        stand: walls that are built already.

    """
    from shoplake.access.sandbox.inside.engine import open_plan
    from shoplake.access.sandbox.inside.worker import REHEARSALS
    from shoplake.access.sandbox.inside.worker import run as answer_one

    try:
        kind, data = receive(control, MOST_PLAN_BYTES)
    except Ended:
        return
    if kind != PLAN:
        return
    plan, server = msgspec.msgpack.decode(data, type=Plan), os.getppid()
    try:
        built = walls.enclose(folder, plan.uid, plan.gid, plan.memory_bytes)
        os.close(folder)
        walls.die_with_parent(server)  # Becoming another user has undone it.
        open_plan(con, plan)
    except Exception as error:  # noqa: BLE001 - whatever it is, the service has to hear it
        send_words(control, FAILED, Failed("opening", f"{type(error).__name__}: {error}"))
        return
    walls.new_processes_shut()
    for _ in range(REHEARSALS):
        walls.die_with_parent(server)
    gc.collect()
    gc.freeze()
    fill_gaps()
    send_words(control, READY, Ready((*stand, *built)))
    control.settimeout(None)
    while handles := taken_handles(control, 1):
        _fork(con, control, handles[0], answer_one)


def _fork(
    con: DuckDBPyConnection, control: socket.socket, handle: int, answer_one: Callable[[DuckDBPyConnection, int], None]
) -> None:
    session = os.getpid()
    with suppress(OSError):  # Without room for another process the service sees its socket close.
        if fork() == 0:
            try:
                walls.die_with_parent(session)
                control.close()
                answer_one(con, handle)
            finally:
                os._exit(0)
    os.close(handle)
