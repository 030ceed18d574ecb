"""Open sessions, one for each release and set of rights in use, with workers ready in each."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from shoplake.access.sandbox.frames import (
    FAILED,
    MOST_WORDS_BYTES,
    PLAN,
    Ended,
    Failed,
    Ready,
    pass_handles,
    receive,
    send_words,
    taken_handles,
)
from shoplake.errors import WorkerLost

if TYPE_CHECKING:
    from shoplake.access.sandbox.releases import SeenRelease
    from shoplake.access.sandbox.server import ForkServer
    from shoplake.access.sandbox.staging import Staged

OPEN_SECONDS = 120.0
WORKER_SECONDS = 30.0


class Worker:
    """The service's end of one process that answers one query."""

    def __init__(self, sock: socket.socket) -> None:
        """Use the service's end of a worker's socket."""
        self.sock = sock
        self._handle: int | None = None
        self._lock = Lock()

    def meet(self) -> None:
        """Wait until the process is there.

        Raises:
            Ended: it has gone already.

        """
        self.sock.settimeout(WORKER_SECONDS)
        try:
            handles = taken_handles(self.sock, 1)
        except OSError as error:
            raise Ended("it did not come") from error
        if not handles:
            raise Ended("it has ended")
        self._handle = handles[0]
        if select.select([self._handle], [], [], 0)[0]:
            raise Ended("it has ended since")

    def kill(self) -> None:
        """End the process at once, wherever it is."""
        with self._lock, suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def close(self) -> None:
        """End the process, and forget it."""
        self.kill()
        self.sock.close()
        with self._lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None


class Session:
    """The service's end of one open release, as one set of rights sees it."""

    def __init__(self, server: ForkServer, staged: Staged, seen: SeenRelease | None, ready: int, slot: int) -> None:
        """Open it.

        Raises:
            WorkerLost: it does not open.

        """
        self.seen, self.slot, self.users = seen, slot, 0
        self.used_at = time.monotonic()
        self.is_retired = False
        self._staged, self._ready = staged, ready
        self._spares: deque[Worker] = deque()
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                folder = os.open(staged.folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    server.fork(theirs, folder)
                finally:
                    os.close(folder)
            self.walls = _opened(self._control, staged)
        except BaseException:
            self.close()
            raise

    def worker(self) -> Worker:
        """Give a worker that waits for a query.

        Raises:
            WorkerLost: the session has gone.

        """
        while True:
            try:
                worker, is_new = self._spares.popleft(), False
            except IndexError:
                worker, is_new = self._new_worker(), True
            try:
                worker.meet()
            except Ended as error:
                worker.close()
                if is_new:
                    raise WorkerLost("The session that answers queries has ended.", hint="Ask again.") from error
            else:
                return worker

    def refill(self) -> None:
        """Have workers made while nobody waits for them."""
        with suppress(WorkerLost):
            while len(self._spares) < self._ready:
                self._spares.append(self._new_worker())

    def close(self) -> None:
        """End its processes, and remove its files."""
        self._control.close()
        while self._spares:
            self._spares.popleft().close()
        self._staged.remove()

    def _new_worker(self) -> Worker:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                pass_handles(self._control, [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise WorkerLost("The session that answers queries has ended.", hint="Ask again.") from error
        return Worker(ours)


def _opened(control: socket.socket, staged: Staged) -> tuple[str, ...]:
    try:
        send_words(control, PLAN, staged.plan)
        kind, data = receive(control, MOST_WORDS_BYTES, time.monotonic() + OPEN_SECONDS)
    except (Ended, OSError) as error:
        raise WorkerLost("The session that answers queries did not open.", hint="Ask again.") from error
    if kind == FAILED:
        why = msgspec.msgpack.decode(data, type=Failed).message
        raise WorkerLost(f"The session that answers queries did not open: {why}", hint="See `shoplake releases show`.")
    control.settimeout(None)
    return msgspec.msgpack.decode(data, type=Ready).walls
