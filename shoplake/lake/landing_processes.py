"""Lands large batches in processes of their own: one interpreter lands no more than one core can."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from shoplake.audit.recording import close_logs
from shoplake.garbage import collect_rarely
from shoplake.lake.streaming import StreamBatch, StreamLander

if TYPE_CHECKING:
    from shoplake.lake.landing import LandedFile
    from shoplake.settings import Settings

IMPORTED = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "duckdb",
    "msgspec",
    "numpy",
    "pyarrow.compute",
    "sqlalchemy.dialects.sqlite",
    "sqlcipher3.dbapi2",
    "shoplake.lake.landing_processes",
    "shoplake.privacy.vault",
    "shoplake.store.migrations",
)
"""What the processes are forked with, so that each starts in an instant."""
_landers: dict[str, StreamLander] = {}


class LandingProcesses:
    """Processes that land batches; they start when they are first asked for. Any thread may use it."""

    def __init__(self, settings: Settings, sources: Collection[str], count: int, say: Callable[[str], None]) -> None:
        """Land in the home of ``settings`` in ``count`` processes; ``say`` is told when one of them died."""
        self._settings, self._sources, self._count, self._say = settings, sorted(sources), count, say
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._starting: list[Future[None]] = []

    def are_ready(self) -> bool:
        """Say whether a batch would land at once; starts the processes if they have not been started."""
        with self._lock:
            if self._pool is None:
                self._begin()
            return any(start.done() for start in self._starting)

    def land(self, source: str, batch: StreamBatch) -> LandedFile | None:
        """Land a batch as `StreamLander.land` does; None if a process died, and only the ledger knows what landed.

        Raises:
            PositionMoved: a part of the range has landed already; nothing was recorded.
            LockedError: others sweep or write, or the keys change, for longer than 30 s.
            HomeError: the disk is full or fails; nothing was recorded.

        """
        with self._lock:
            pool = self._pool or self._begin()
        try:
            return pool.submit(_land, source, batch).result()
        except BrokenProcessPool:
            self._drop(pool)
            return None

    def close(self) -> None:
        """End the processes when they have landed what they are landing."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _begin(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(IMPORTED))
        self._pool = ProcessPoolExecutor(self._count, context, _be_a_lander, (self._settings, self._sources))
        self._starting = [self._pool.submit(_open) for _ in range(self._count)]
        return self._pool

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        """Let go of processes of which one died; the next large batch starts others."""
        with self._lock:
            if self._pool is not pool:
                return
            self._pool = None
        self._say("A process that was landing messages died; they land all the same.")
        pool.shutdown()


def _be_a_lander(settings: Settings, sources: Collection[str]) -> None:
    """Begin a process: it never outlives its parent, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _landers.update({source: StreamLander(settings, source) for source in sources})
    Finalize(None, _close, exitpriority=1)
    collect_rarely()


def _open() -> None:
    for lander in _landers.values():
        lander.position("")


def _land(source: str, batch: StreamBatch) -> LandedFile:
    return _landers[source].land(batch)


def _close() -> None:
    for lander in _landers.values():
        lander.close()
    close_logs()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
