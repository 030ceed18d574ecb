"""Failures of the disk, said so that a person can act."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from shoplake.errors import HomeError

FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


@contextmanager
def disk_failures_said() -> Iterator[None]:
    """Turn what Python and DuckDB say of a disk that is full or fails into an error for people.

    Raises:
        HomeError: something could not be written; nothing of it counts.

    """
    import duckdb

    try:
        yield
    except OSError as error:
        if error.errno not in FAILURES:
            raise
        raise _failed(str(error.strerror)) from error
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise _failed(str(error).partition("\n")[0]) from error


def _failed(why: str) -> HomeError:
    return HomeError(f"The lake cannot be written: {why}", hint="Is there space on a disk that works?")
