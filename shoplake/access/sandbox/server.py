"""The service's end of the fork server: a process that starts clean and makes all sandboxed ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from threading import Lock

import msgspec

from shoplake.access.sandbox.frames import FAILED, MOST_WORDS_BYTES, Ended, Failed, Ready, pass_handles, receive
from shoplake.errors import WorkerLost

MODULE = "shoplake.access.sandbox.inside.fork_server"
START_SECONDS = 60.0
KEPT_VARIABLES = ("LD_LIBRARY_PATH",)
"""Without it some Pythons do not start; the process clears it too."""


class ForkServer:
    """Starts the process, and starts it again when it has gone."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = Lock()
        self.walls: tuple[str, ...] = ()

    @property
    def pid(self) -> int | None:
        """Give the process, where it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def fork(self, control: socket.socket, folder: int) -> None:
        """Have a session forked.

        Args:
            control: the session's end of a socket.
            folder: handle of the folder that it is shut in.

        Raises:
            WorkerLost: the process does not start.

        """
        with self._lock:
            for is_last in (False, True):
                if self._control is None or self.pid is None:
                    self._start()
                try:
                    assert self._control is not None  # noqa: S101 - `_start` has made it
                    pass_handles(self._control, [control.fileno(), folder])
                except OSError:
                    self._stop()
                    if is_last:
                        raise WorkerLost(*LOST) from None
                else:
                    return

    def start(self) -> None:
        """Start the process, if it does not run.

        Raises:
            WorkerLost: it does not start.

        """
        with self._lock:
            if self.pid is None:
                self._start()

    def close(self) -> None:
        """End the process, and with it all that were forked from it."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        self._stop()
        ours, theirs = socket.socketpair()
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of this package
                [sys.executable, "-P", "-B", "-m", MODULE, str(theirs.fileno())],
                env={
                    **kept,
                    "PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path),
                    "OPENBLAS_NUM_THREADS": "1",
                },
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._control = ours
        try:
            kind, data = receive(ours, MOST_WORDS_BYTES, time.monotonic() + START_SECONDS)
        except (Ended, TimeoutError) as error:
            self._stop()
            raise WorkerLost(*LOST) from error
        if kind == FAILED:
            self._stop()
            raise WorkerLost(f"{LOST[0]} {msgspec.msgpack.decode(data, type=Failed).message}")
        ours.settimeout(None)
        self.walls = msgspec.msgpack.decode(data, type=Ready).walls

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._process = None


LOST = ("The processes that answer queries cannot be started.",)
