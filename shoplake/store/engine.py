"""Opens the operational store: SQLCipher in the home, or PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.errors import HomeError, KeyAccessError, LockedError
from shoplake.store.encrypted_file import connect_encrypted, rekey_encrypted, settle, versions_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from shoplake.keys.keyring import Keyring
    from shoplake.settings import Settings

KEY_NAME = "store"
URL_HINT = "For example postgresql://shoplake@db.example/shoplake?passfile=/etc/shoplake/pgpass"
BUSY_MILLISECONDS = 30_000
WRITER_LOCK = 7_340_561
"""Number of PostgreSQL's advisory lock that whoever writes the store holds."""
CACHE_KIB = 32 * 1024
"""Pages a connection keeps: with SQLite's 2 MB, persons looked up by the thousand are decrypted again and again."""
PRAGMAS = {"foreign_keys": "on", "cache_size": -CACHE_KIB, "busy_timeout": BUSY_MILLISECONDS}


class Store:
    """An open operational store."""

    def __init__(self, engine: Engine, path: Path | None = None) -> None:
        """Use an engine, with the file behind it if there is one; call `open_store` instead."""
        self.engine, self._path = engine, path

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one consistent snapshot."""
        from sqlalchemy import text

        with self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                # The driver begins nothing by itself, and without it each statement would see another moment.
                connection.execute(text("begin"))
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it is durable when the block ends, or none of it.

        Raises:
            LockedError: another process did not end its own transaction in time.
            HomeError: the disk is full or fails, or the server is away; nothing was written.

        """
        from sqlalchemy import text

        with self._explained(), self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("begin immediate"))
            else:
                # One writer after another, as in SQLite: each then sees all that the one before it has written.
                connection.execution_options(isolation_level="READ COMMITTED")
                connection.execute(text(f"select pg_advisory_xact_lock({WRITER_LOCK})"))
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def settle(self) -> None:
        """Make sure that what an earlier process seems to have written is on the disk, before anything rests on it.

        Raises:
            HomeError: the disk is full or fails.

        """
        if self._path is not None:
            with self._explained(), self.engine.connect() as connection:
                settle(self._path, connection.exec_driver_sql)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from sqlalchemy.exc import OperationalError

        try:
            yield
        except OperationalError as error:
            if "database is locked" in str(error.orig):
                raise LockedError(
                    "Another shoplake process has been writing the operational store for too long.",
                    hint="Is it stopped, or at a long change? Wait until it has ended, then call again.",
                ) from error
            raise _unwritable(error.orig) from error
        except OSError as error:
            raise _unwritable(error.strerror) from error


def _unwritable(why: object) -> HomeError:
    return HomeError(f"The operational store cannot be written: {why}", hint="Is there space on a disk that works?")


def open_store(settings: Settings, keyring: Keyring, *, migrate: bool = False) -> Store:
    """Open the store; bring its tables up to date when asked to, or when they are behind.

    Raises:
        KeyAccessError: the store does not open under its key.
        HomeError: the store does not exist or cannot be reached.

    """
    from sqlalchemy.exc import DatabaseError, OperationalError

    path = _path(settings)
    if not (settings.store_url or migrate or path.exists()):
        raise HomeError(f"There is no operational store at {path}.", hint="Call `shoplake init`.")
    store = Store(_postgres(settings.store_url)) if settings.store_url else Store(_sqlcipher(path, keyring), path)
    try:
        if migrate or not _is_current(store):
            _migrate(store)
    except OperationalError as error:
        store.close()
        raise HomeError(
            f"The operational store cannot be opened: {error.orig}", hint="Is it reachable, and not locked?"
        ) from error
    except DatabaseError as error:
        store.close()
        raise KeyAccessError(
            "The operational store does not open under its key.", hint="Restore the home from its backup."
        ) from error
    return store


def rekey_store(settings: Settings, keyring: Keyring) -> None:
    """Encrypt the SQLCipher file under the newest version of its key."""
    if not settings.store_url:
        rekey_encrypted(_path(settings), keyring, KEY_NAME)


def _path(settings: Settings) -> Path:
    return settings.home / "store" / "operations.db"


def _postgres(given: str) -> Engine:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(given)
    except ArgumentError:  # its message would show the password
        raise HomeError("store_url is not a URL.", hint=URL_HINT) from None
    if url.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise HomeError(f"store_url names {url.drivername}; the store can be in PostgreSQL only.", hint=URL_HINT)
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"), isolation_level="REPEATABLE READ", pool_pre_ping=True
        )
    except ImportError as error:
        raise HomeError(
            f"PostgreSQL's driver cannot be loaded: {error}", hint="Install it: pip install 'shoplake[postgres]'."
        ) from error


def _sqlcipher(path: Path, keyring: Keyring) -> Engine:
    import sqlcipher3.dbapi2
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool

    keys = versions_of(keyring, KEY_NAME)
    # SQLAlchemy's own SQLCipher dialect wants the key in the URL; the driver is sqlite's in all else.
    return create_engine(
        "sqlite://",
        module=sqlcipher3.dbapi2,
        creator=lambda: connect_encrypted(path, keys, PRAGMAS),
        poolclass=QueuePool,
        pool_size=4,
    )


def _is_current(store: Store) -> bool:
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from shoplake.store.migrations import HEAD

    with store.reading() as connection:
        try:
            return connection.execute(text("select version_num from alembic_version")).scalar() == HEAD
        except (OperationalError, ProgrammingError):
            return False


def _migrate(store: Store) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
