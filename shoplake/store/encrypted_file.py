"""Opens SQLCipher files: each is encrypted under one of the versions of its data key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.files import fsync_file

if TYPE_CHECKING:
    from shoplake.keys.keyring import DataKey, Keyring


def versions_of(keyring: Keyring, name: str) -> list[DataKey]:
    """Give the versions of a data key, newest first; the first use makes one."""
    versions = sorted(keyring.versions(name), reverse=True) or [keyring.current(name).version]
    return [keyring.get(name, version) for version in versions]


def connect_encrypted(
    path: Path,
    keys: Sequence[DataKey],
    pragmas: Mapping[str, object],
) -> Any:  # noqa: ANN401 - the driver is not typed
    """Open the file under the newest key that fits: a rekey that was cut off leaves it under the older one.

    A commit ends with an fsync. The connection belongs to no thread and begins no transaction by itself.

    Args:
        path: the file; it is made if need be.
        keys: versions of its key, newest first.
        pragmas: further settings of the connection.

    Raises:
        sqlcipher3.DatabaseError: no key fits, or (OperationalError) the file cannot be opened.

    """
    import sqlcipher3

    for number, key in enumerate(keys, start=1):
        connection = sqlcipher3.connect(str(path), isolation_level=None, check_same_thread=False)
        try:
            connection.execute("pragma cipher_log_level = none")
            connection.execute(f"pragma key = \"x'{key.secret.hex()}'\"")
            connection.execute("pragma journal_mode = wal").fetchone()
            connection.execute("pragma synchronous = full")
            for name, value in pragmas.items():
                connection.execute(f"pragma {name} = {value}").fetchall()
        except sqlcipher3.DatabaseError as error:
            connection.close()
            if isinstance(error, sqlcipher3.OperationalError) or number == len(keys):
                raise
        else:
            return connection
    raise AssertionError("a file has at least one key")


def rekey_encrypted(path: Path, keyring: Keyring, name: str) -> None:
    """Encrypt the file under the newest version of its key, in one transaction.

    Cut off before that transaction ended, the file is still under an older key, which `connect_encrypted` tries too.
    """
    connection = connect_encrypted(path, versions_of(keyring, name), {"busy_timeout": 30_000})
    try:
        connection.execute(f"pragma rekey = \"x'{keyring.current(name).secret.hex()}'\"")
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    finally:
        connection.close()


def settle(path: Path, execute: Callable[[str], Any]) -> None:
    """Move what the write-ahead log holds into the file, durably, unless others are at work on it.

    A commit whose fsync failed may stand in the log as the kernel remembers it, and not on the disk. When its process
    has ended, the next one to open the file takes that commit for a good one, and no later fsync writes it. Moved into
    the file it is written anew, and the log begins anew.

    Args:
        path: the file.
        execute: executes a statement on an open connection, outside a transaction.

    Raises:
        sqlcipher3.OperationalError: the disk is full or fails.
        OSError: the log cannot be synced.

    """
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return
    execute("select count(*) from sqlite_master").fetchone()  # whoever is reading the log anew is waited for
    patience = execute("pragma busy_timeout").fetchone()[0]
    execute("pragma busy_timeout = 0").fetchall()
    try:
        is_busy = execute("pragma wal_checkpoint(truncate)").fetchone()[0]
    except Exception as error:
        if "database is locked" not in str(error):
            raise
        is_busy = True
    finally:
        execute(f"pragma busy_timeout = {patience}").fetchall()
    if not is_busy:
        # Its new length, too: a log that came back without its last commits would undo a part of the file.
        fsync_file(log)
