"""Makes the record of an act a part of it: what is shown waits for its record, what is changed follows it.

Three ways, each a block around the act that fills in its `Entry`:
`showing` writes one record when the block ends, before anything of it goes out; `changing` writes one before the
block and one after it; `committing` writes one before a change that is done whole or not at all, and another only if it
fails.
"""

from __future__ import annotations

import atexit
import datetime as dt
import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING

import msgspec

from shoplake.audit.entry import Entry, new_entry
from shoplake.errors import AuditLogError, KeyAccessError, ShoplakeError
from shoplake.home import require_home
from shoplake.keys.keyring import noting_keys

if TYPE_CHECKING:
    from pathlib import Path

    from shoplake.audit.log import AuditLog
    from shoplake.settings import Settings

MOST_OPEN = 4
_lock = RLock()
_open: OrderedDict[Path, AuditLog] = OrderedDict()


@contextmanager
def showing(settings: Settings, action: str, **known: object) -> Iterator[Entry]:
    """Record that something is shown: when the block ends, before its caller has it.

    Args:
        settings: the home.
        action: the command's name.
        known: fields of `Entry`, and whatever else describes what was asked for.

    Raises:
        HomeError: there is no such home.
        AuditLogError: the record cannot be written; nothing is shown.

    """
    require_home(settings)
    entry, started = new_entry(action, **known), time.perf_counter()
    with _failing(settings, entry, started), noting_keys() as keys:
        yield entry
    write(settings, _ended(entry, started, keys))


@contextmanager
def changing(settings: Settings, action: str, **known: object) -> Iterator[Entry]:
    """Record that a change begins, and what came of it.

    Raises:
        HomeError: there is no such home.
        AuditLogError: the record cannot be written; nothing is changed.

    """
    require_home(settings)
    entry, started = new_entry(action, **known), time.perf_counter()
    write(settings, msgspec.structs.replace(entry, outcome="begun"))
    with _failing(settings, entry, started), noting_keys() as keys:
        yield entry
    write(settings, _ended(entry, started, keys))


@contextmanager
def committing(settings: Settings, action: str, **known: object) -> Iterator[None]:
    """Record a change right before it is made whole; if it is not, another record says so.

    Raises:
        HomeError: there is no such home.
        AuditLogError: the record cannot be written; nothing is changed.

    """
    require_home(settings)
    entry, started = new_entry(action, **known), time.perf_counter()
    write(settings, entry)
    with _failing(settings, entry, started):
        yield


def write(settings: Settings, entry: Entry) -> None:
    """Write one record; it is on disk when this returns.

    Raises:
        AuditLogError: it cannot be written.

    """
    log_of(settings).write(entry)


def log_of(settings: Settings) -> AuditLog:
    """Give the open log of a home; this process keeps the last few open."""
    from shoplake.audit.log import AuditLog

    with _lock:
        found = _open.get(settings.home)
        if found is not None and os.path.isdir(found.folder):  # noqa: PTH112 - a third of `Path.is_dir`, for each record
            _open.move_to_end(settings.home)
            return found
        if found is not None:
            _open.pop(settings.home).close()
        found = _open[settings.home] = AuditLog(settings)
        while len(_open) > MOST_OPEN:
            _open.popitem(last=False)[1].close()
        return found


def close_logs() -> None:
    """Close every open log, signed if it is time."""
    with _lock:
        while _open:
            _open.popitem()[1].close()


def _forget() -> None:
    """In a forked process the logs are the parent's: leave them alone."""
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = RLock()
    while _open:
        _open.popitem()[1].abandon()


def _ended(entry: Entry, started: float, keys: set[str]) -> Entry:
    entry.at = dt.datetime.now(dt.UTC)
    entry.ms = round((time.perf_counter() - started) * 1000, 3)
    entry.keys = sorted(key for key in keys if not key.startswith("audit"))
    return entry


@contextmanager
def _failing(settings: Settings, entry: Entry, started: float) -> Iterator[None]:
    """Record a failure of the block; the failure itself goes on."""
    try:
        yield
    except BaseException as error:
        entry.outcome, entry.rows, entry.result_bytes = "failed", None, None
        code = error.code if isinstance(error, ShoplakeError) else type(error).__name__
        entry.error = f"{code}: {error}"[:2000]
        # Without the keys, or with a log that cannot be written, nothing was shown either: the first failure is told.
        with suppress(AuditLogError, KeyAccessError):
            write(settings, _ended(entry, started, set()))
        raise


atexit.register(close_logs)
os.register_at_fork(after_in_child=_forget)
