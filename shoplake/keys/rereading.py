"""Reads again when files or keys went away while they were read: a rotation or a sweep removes what it has replaced."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from shoplake.errors import KeyAccessError

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3
"""A rotation takes away two things, one after the other: the wrapping of the keys, then old files with their keys."""


def rereads(read: Callable[P, T]) -> Callable[P, T]:
    """Call ``read`` again from its start when what it had found is gone; what is truly missing fails the last time.

    Only for reading, and only around all of it: the look at the manifest or the ledger, the keys, and the files.
    """

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return read(*args, **kwargs)
            except Exception as error:
                if not _may_be_gone(error):
                    raise
        return read(*args, **kwargs)

    return reading


def _may_be_gone(error: Exception) -> bool:
    """Tell errors of missing files and of keys that no longer fit from all others."""
    import duckdb
    from sqlalchemy.exc import DatabaseError, OperationalError

    is_rekeyed = isinstance(error, DatabaseError) and not isinstance(error, OperationalError)
    # A locked session refuses a file that is gone as it refuses any that it may not open.
    return is_rekeyed or isinstance(error, KeyAccessError | duckdb.IOException | duckdb.PermissionException)
