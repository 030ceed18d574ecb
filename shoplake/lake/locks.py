"""Locks that let streams land beside everything else, and keep apart only what must be.

A stream's batch shares its source's landing lock from its first written byte until the ledger knows it. Who would do
harm to a batch in between takes that lock alone: the sweep of a source, which removes what the ledger does not know,
and the change of keys. A ``run`` takes it for the moment of the sweep, so that a stream never waits for a build.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from shoplake.errors import LockedError
from shoplake.home import HomePaths, require_home

if TYPE_CHECKING:
    from shoplake.settings import Settings

LONGEST_NAME = 200


@contextmanager
def landing_lock(
    settings: Settings, source: str, *, is_shared: bool = False, wait_seconds: float = 30
) -> Iterator[None]:
    """Hold a source's landing lock, shared by the batches of streams or alone.

    Everyone passes through a turnstile, which whoever waits for the lock alone keeps shut: streams that overlap
    without end cannot keep it waiting.

    Raises:
        LockedError: it was not free within ``wait_seconds``.

    """
    deadline = time.monotonic() + wait_seconds
    with ExitStack() as turnstile, ExitStack() as room:
        turnstile.enter_context(_locked(settings, f"{source}.turnstile", fcntl.LOCK_EX, deadline))
        room.enter_context(
            _locked(settings, f"{source}.landing", fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX, deadline)
        )
        if is_shared:
            turnstile.close()
        yield


@contextmanager
def stream_lock(settings: Settings, stream: str, partition: int, *, wait_seconds: float = 30) -> Iterator[None]:
    """Hold one partition of a stream, so that two readers never land the same range side by side.

    Raises:
        LockedError: another reader did not let go within ``wait_seconds``.

    """
    deadline = time.monotonic() + wait_seconds
    with _locked(settings, f"{stream}.{partition}.stream", fcntl.LOCK_EX, deadline):
        yield


@contextmanager
def spool_lock(settings: Settings, *, is_shared: bool, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the spool: shared by whoever has it open, alone by whoever gives it a new key.

    Raises:
        LockedError: it was not free within ``wait_seconds``.

    """
    how = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    with _locked(settings, "spool", how, time.monotonic() + wait_seconds):
        yield


@contextmanager
def _locked(settings: Settings, name: str, how: int, deadline: float) -> Iterator[None]:
    require_home(settings)
    folder = HomePaths(settings.home).locks
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / _file_name(name), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, how | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    what = name.rpartition(".")[0] or name
                    raise LockedError(
                        f"Another shoplake process is landing or sweeping {what} in {settings.home}.",
                        hint="Wait until it has ended, then call again.",
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _file_name(name: str) -> str:
    """Give a file's name for a lock; a long one (a topic may have 249 characters) ends in a hash of the whole."""
    plain = re.sub(r"[^\w.-]", "+", name, flags=re.ASCII)
    if len(plain) <= LONGEST_NAME:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{plain[: LONGEST_NAME - len(digest) - 1]}+{digest}"
