"""Failures of the disk, said so that a person can act."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from shoplake.errors import HomeError

FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextmanager
def disk_failures_said(what: str = "The lake") -> Iterator[None]:
    """Turn what Python and DuckDB say of a disk that is full or fails into an error for people.

    Args:
        what: what is being written.

    Raises:
        HomeError: something could not be written; nothing of it counts.

    """
    import duckdb

    try:
        yield
    except OSError as error:
        if error.errno not in FAILURES:
            raise
        raise failed(what, str(error.strerror)) from error
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise failed(what, str(error).partition("\n")[0]) from error


def disk_failure_in(message: str) -> str | None:
    """Give what a message of a library says of a disk that is full or fails, if it does."""
    return next((text for text in map(os.strerror, sorted(FAILURES)) if text in message), None)


def failed(what: str, why: str) -> HomeError:
    """Say that something cannot be written."""
    return HomeError(f"{what} cannot be written: {why}", hint="Is there space on a disk that works?")
