"""The spool: events that have been acknowledged and wait to land, in an encrypted file of their own.

A row holds the events of the requests that were stored together, one JSON object a line. It is written before they
are answered, in a transaction that ends with an fsync, and deleted once its range has landed. The same file remembers
requests and events for a while, so that a retry stores nothing twice: what is remembered becomes true with what is
stored, or not at all.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.errors import HomeError, KeyAccessError
from shoplake.home import HomePaths, require_home
from shoplake.store.deposits import Deposit, Group, Stored
from shoplake.store.encrypted_file import connect_encrypted, rekey_encrypted, settle, versions_of

if TYPE_CHECKING:
    from pathlib import Path

    from shoplake.keys.keyring import DataKey, Keyring
    from shoplake.settings import Settings

KEY_NAME = "spool"
PRAGMAS = {"secure_delete": "on", "wal_autocheckpoint": 4000, "busy_timeout": 10_000}
LOG_BYTES = 8_000_000
"""What fills the write-ahead log when it is deleted again: see `Spool.lay_out`."""
PACK_FROM_BYTES = 2_000
"""Larger bodies are compressed: less to encrypt and to sync."""
FORGET_ROWS = 5_000
DELETE_BODIES = 500
LARGEST_ID = (1 << 63) - 1
BACKLOG = "select source, sum(events), min(received_at) from body group by source"
SCHEMA = """
create table if not exists spool (spool_id text not null);
create table if not exists body (
    id integer primary key autoincrement,
    source text not null,
    received_at real not null,
    events integer not null,
    is_packed integer not null,
    data blob not null
);
drop index if exists body_by_source;
create table if not exists request (
    key blob primary key, digest blob not null, answer blob not null, at real not null
) without rowid;
create table if not exists event (key blob primary key, at real not null) without rowid;
create index if not exists request_by_time on request (at);
create index if not exists event_by_time on event (at);
"""
LAYING_OUT = [
    ("create table if not exists space (data blob)", ()),
    ("insert into space values (zeroblob(?))", (LOG_BYTES,)),
    ("drop table space", ()),
]


@dataclass(frozen=True)
class Waiting:
    """Consecutive bodies of a source that wait to land."""

    first_id: int
    last_id: int
    received_at: float
    lines: list[bytes]


class Spool:
    """An open spool. Any thread may use it; writes take turns."""

    def __init__(self, path: Path, keys: Sequence[DataKey]) -> None:
        """Open or make the file under the newest of ``keys`` that fits; call `open_spool` instead."""
        self._path, self._keys, self._pack = path, keys, _packer()
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._writer, self._reader = self._connect(), self._connect()
        settle(path, self._writer.execute)
        with self._transaction():
            for statement in SCHEMA.split(";"):
                self._writer.execute(statement)
            if self._writer.execute("select 1 from spool").fetchone() is None:
                self._writer.execute("insert into spool values (?)", [secrets.token_hex(4)])
        self.spool_id: str = self._writer.execute("select spool_id from spool").fetchone()[0]

    def stream(self, source: str) -> str:
        """Name the stream of a source's bodies; another spool file, whose ids begin anew, is another stream."""
        return f"spool/{self.spool_id}/{source}"

    def lay_out(self) -> None:
        """Have the write-ahead log grow to its full size before it is needed.

        To write over blocks that a file has takes a disk a fraction of what it takes to add blocks to it: with each
        block that is added the file system has to sync its own records, too.
        """
        with suppress(HomeError):  # where there is no room, whoever wants something stored is told so
            for statement, values in LAYING_OUT:
                with self._transaction():
                    self._writer.execute(statement, values)

    def put(self, deposits: Sequence[Deposit]) -> list[Stored]:
        """Store deposits in one durable transaction: all of them, or none.

        The events of all deposits of a source become one body. The statements are as few as can be, for each of them
        lets another thread run and then waits for it: a body that comes with nothing to remember is one statement,
        which is a transaction of its own.

        Raises:
            HomeError: the disk is full, or fails; nothing was acknowledged, and the file was opened anew.

        """
        if not any(deposit.request or deposit.event_keys for deposit in deposits):
            group = Group({}, set())
            found = [group.add(deposit) for deposit in deposits]
            if len(group.bodies) == 1:
                with self._writer_alone():
                    self._insert(group)
                return found
        with self._transaction():
            group = Group(self._known_requests(deposits), self._known_events(deposits))
            found = [group.add(deposit) for deposit in deposits]
            self._insert(group)
            self._remember(group.new_requests, group.new_events)
        return found

    def _insert(self, group: Group) -> None:
        for source, body in group.bodies.items():
            lines = b"\n".join(body.parts)
            is_packed = len(lines) >= PACK_FROM_BYTES
            self._writer.execute(
                "insert into body (source, received_at, events, is_packed, data) values (?, ?, ?, ?, ?)",
                (source, body.received_at, body.events, is_packed, self._pack(lines) if is_packed else lines),
            )

    def known(self, deposits: Sequence[Deposit]) -> Group:
        """Give a group that knows what is remembered of deposits, for a log that is not the spool itself."""
        with self._transaction():
            return Group(self._known_requests(deposits), self._known_events(deposits))

    def remember(self, requests: dict[bytes, tuple[bytes, bytes]], events: Sequence[bytes]) -> None:
        """Remember (digest, answer) of requests by their key, and keys of events, that another log has.

        Raises:
            HomeError: the disk is full, or fails; nothing is remembered.

        """
        if requests or events:
            with self._transaction():
                self._remember(requests, events)

    def waiting(
        self, source: str, after: int, *, most_bytes: int, longest_seconds: float = 60, through: int = LARGEST_ID
    ) -> Waiting | None:
        """Read a source's oldest bodies with an id above ``after``, some ``most_bytes`` of them; None if none wait.

        Bodies with an id above ``through``, and those that arrived more than ``longest_seconds`` after the first, are
        left for the next time.
        """
        lines, size, first, last, received = list[bytes](), 0, 0, 0, 0.0
        query = "select id, received_at, is_packed, data from body where source = ? and id > ? and id <= ? order by id"
        with self._reading:
            cursor = self._reader.execute(query, [source, after, through])
            for body_id, at, is_packed, data in cursor:
                if lines and (size >= most_bytes or abs(at - received) > longest_seconds):
                    break
                clear = _unpacked(data) if is_packed else bytes(data)
                first, received = first or body_id, received or at
                last, size = body_id, size + len(clear)
                lines += clear.split(b"\n")
            cursor.close()
        return Waiting(first, last, received, lines) if lines else None

    def forget_landed(self, source: str, through: int) -> int:
        """Delete the bodies of a source up to an id, some at a time, so that writers hardly wait; give their number."""
        total = 0
        while True:
            total += (gone := self.forget_some(source, through))
            if gone < DELETE_BODIES:
                return total

    def forget_some(self, source: str, through: int) -> int:
        """Delete the oldest bodies of a source up to an id, at most `DELETE_BODIES`; give their number."""
        query = "delete from body where id in (select id from body where source = ? and id <= ? order by id limit ?)"
        with self._transaction():
            gone: int = self._writer.execute(query, [source, through, DELETE_BODIES]).rowcount
        return gone

    def forget_older(self, before: float) -> None:
        """Forget requests and events that were remembered before a time (seconds since 1970)."""
        for table in ("request", "event"):
            query = f"delete from {table} where key in (select key from {table} where at < ? limit {FORGET_ROWS})"
            with self._transaction():
                self._writer.execute(query, [before])

    def backlog(self) -> dict[str, tuple[int, float]]:
        """Give (events that wait, when the oldest arrived) by source."""
        with self._reading:
            return {source: (events, oldest) for source, events, oldest in self._reader.execute(BACKLOG).fetchall()}

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._reading:
            self._writer.close()
            self._reader.close()

    def _known_requests(self, deposits: Sequence[Deposit]) -> dict[bytes, tuple[bytes, bytes]]:
        keys = [deposit.request[0].hex() for deposit in deposits if deposit.request is not None]
        if not keys:
            return {}
        query = "select key, digest, answer from request where key in (select unhex(value) from json_each(?))"
        rows = self._writer.execute(query, [json.dumps(keys)]).fetchall()
        return {key: (digest, answer) for key, digest, answer in rows}

    def _known_events(self, deposits: Sequence[Deposit]) -> set[bytes]:
        keys = [key.hex() for deposit in deposits for _, key in deposit.event_keys]
        if not keys:
            return set()
        query = "select json_group_array(value) from json_each(?) where unhex(value) in (select key from event)"
        row = self._writer.execute(query, [json.dumps(keys)]).fetchone()
        return {bytes.fromhex(key) for key in json.loads(row[0])}

    def _remember(self, requests: dict[bytes, tuple[bytes, bytes]], events: Sequence[bytes]) -> None:
        now = time.time()
        if requests:
            rows = [(key, digest, answer, now) for key, (digest, answer) in requests.items()]
            self._writer.executemany("insert into request values (?, ?, ?, ?)", rows)
        if events:
            keys = json.dumps([key.hex() for key in events])
            self._writer.execute("insert into event select unhex(value), ? from json_each(?)", [now, keys])

    @contextmanager
    def _writer_alone(self) -> Iterator[None]:
        import sqlcipher3

        with self._writing:
            try:
                yield
            except sqlcipher3.DatabaseError as error:
                self._open_again()
                raise HomeError(
                    f"The spool cannot be written: {error}", hint="Free disk space, or see to the disk."
                ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        import sqlcipher3

        with self._writer_alone():
            self._writer.execute("begin immediate")
            try:
                yield
            except sqlcipher3.DatabaseError:
                raise  # the file is opened anew
            except BaseException:
                self._writer.execute("rollback")
                raise
            self._writer.execute("commit")

    def _connect(self) -> Any:  # noqa: ANN401 - the driver is not typed
        return connect_encrypted(self._path, self._keys, PRAGMAS)

    def _open_again(self) -> None:
        """Begin with what the disk holds: after a failed write, the connection's own view is not to be trusted."""
        import sqlcipher3

        try:
            self._writer.close()
            self._writer = self._connect()
        except sqlcipher3.DatabaseError:
            return  # the next write fails in the same way, and tries again


def open_spool(settings: Settings, keyring: Keyring) -> Spool:
    """Open the spool of a home; the first use makes it.

    Raises:
        HomeError: there is no such home, or the file cannot be made.
        KeyAccessError: the file does not open under its key.

    """
    import sqlcipher3

    require_home(settings)
    path = spool_path(settings)
    try:
        return Spool(path, versions_of(keyring, KEY_NAME))
    except (sqlcipher3.OperationalError, OSError) as error:
        raise HomeError(
            f"The spool {path} cannot be opened: {error}", hint="Is there space on a disk that works?"
        ) from error
    except sqlcipher3.DatabaseError as error:
        raise KeyAccessError(
            f"The spool {path} does not open under its key.", hint="Restore the keys folder from its backup."
        ) from error


def backlog_of(settings: Settings, keyring: Keyring) -> dict[str, tuple[int, float]] | None:
    """Give what `Spool.backlog` does, by reading alone, beside whoever has the spool open; None where it cannot be."""
    import sqlcipher3

    try:
        reader = connect_encrypted(spool_path(settings), versions_of(keyring, KEY_NAME), PRAGMAS)
        try:
            return {source: (events, oldest) for source, events, oldest in reader.execute(BACKLOG).fetchall()}
        finally:
            reader.close()
    except (sqlcipher3.DatabaseError, OSError, KeyAccessError):
        return None


def spool_path(settings: Settings) -> Path:
    """Give the place of the spool's file."""
    return HomePaths(settings.home).store / "spool.db"


def rekey_spool(settings: Settings, keyring: Keyring) -> None:
    """Encrypt the spool under the newest version of its key; no collector may be running."""
    path = spool_path(settings)
    if path.exists():
        rekey_encrypted(path, keyring, KEY_NAME)


def _packer() -> Callable[[bytes], bytes]:
    """Give what compresses; one thread uses it at a time."""
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress


def _unpacked(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(bytes(data))
