"""The audit log of a home, open in this process: writes records, and signs where the chain stands."""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING

from shoplake.audit.chain import MICROSECONDS, take_chain
from shoplake.audit.frames import HEAD
from shoplake.audit.marks import DURABLE, Mark
from shoplake.audit.segments import chain_folder, chain_folders, numbers, read_header, segment_path
from shoplake.errors import AuditLogError, InputError, ShoplakeError
from shoplake.files import durable_write
from shoplake.home import HomePaths, require_home

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from shoplake.audit.entry import Entry
    from shoplake.audit.heads import Head, Position
    from shoplake.settings import Settings

log = logging.getLogger("shoplake.audit")
LAST_HEAD = "head.json"
MINUTE = 60.0
"""Seconds after which a record is under a signed head at the latest, while its process runs."""


class AuditLog:
    """Writes and signs. Threads may share it; a forked process opens its own."""

    def __init__(self, settings: Settings) -> None:
        """Open the log of a home, or begin one.

        Raises:
            HomeError: there is no such home.
            KeyAccessError: its keys do not open.
            AuditLogError: the log's folder cannot be written.

        """
        from shoplake.audit.sealing import Sealing

        require_home(settings)
        self._settings, self.folder = settings, HomePaths(settings.home).audit
        self._sealing = Sealing(settings)
        with _told("opened"):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._chain = take_chain(self.folder, self._sealing, segment_bytes=settings.audit_segment_bytes)
            self._signing = os.open(self.folder / "sign.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._signing_thread = Lock()
        self._timer: Timer | None = None
        self._opened_at = time.monotonic()

    def write(self, entry: Entry) -> Mark:
        """Write a record; it is on disk when this returns.

        Raises:
            AuditLogError: it cannot be written.

        """
        try:  # not by `_told`: this is on the way of every request
            mark = self._chain.append(entry.encoded())
        except OSError as error:
            raise _failed("written", error) from error
        if self._timer is None:
            self._sign_later(MINUTE)
        return mark

    def close(self) -> None:
        """Sign if it is time, and close the files; a process that has lived for a minute leaves nothing unsigned."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self.folder.is_dir():
                self.sign(is_forced=time.monotonic() - self._opened_at > MINUTE)
        except (ShoplakeError, OSError) as error:
            log.warning("the audit log was not signed: %s", error)
        self.abandon()

    def abandon(self) -> None:
        """Close the files; a forked process does, whose parent goes on writing."""
        self._chain.close()
        os.close(self._signing)

    def sign(self, *, is_forced: bool = False) -> float:
        """Sign where the chain stands, unless nothing is new or it was signed within the last minute.

        Returns:
            Seconds after which there is something to sign again; 0 when all is signed.

        """
        from shoplake.audit.sealing import signing_keys
        from shoplake.keys.keyring import Keyring

        with self.alone_signing():
            last, places = self._last_head(), self._durable()
            if not _is_news(last, places):
                return 0
            age = abs(time.time() - dt.datetime.fromisoformat(last.at).timestamp()) if last else MINUTE
            if age < MINUTE and not is_forced:
                return MINUTE - age
            self._sealing.refresh()
            self._write_head(signing_keys(Keyring.open(self._settings))[0])
        return 0

    def renew_signing_key(self) -> None:
        """Make a new signing key; the old one's last word is to name it, and then it is destroyed.

        Cut off anywhere, heads go on under the old key, or under the new one that was named.
        """
        from shoplake.audit.heads import public_hex
        from shoplake.audit.sealing import SIGNING_KEY, signing_keys
        from shoplake.keys.keyring import Keyring

        with self.alone_signing():
            keyring = Keyring.open(self._settings)
            if len(signing_keys(keyring)) == 1:
                keyring.new_versions([SIGNING_KEY])
            old, *_, new = signing_keys(keyring)
            self._write_head(old, next_key=public_hex(new))
            for version in keyring.versions(SIGNING_KEY)[:-1]:
                keyring.retire(SIGNING_KEY, version)
            self._write_head(new)

    def _write_head(self, key: Ed25519PrivateKey, *, next_key: str = "") -> None:
        from shoplake.audit.heads import Head, public_hex

        last = self._last_head()
        head = Head(
            number=last.number + 1 if last else 1,
            at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            log=self._sealing.log_id,
            by=self._chain.number,
            key=public_hex(key),
            next_key=next_key,
            positions=tuple(self._position(number, mark) for number, mark in self._durable().items()),
        ).signed(key)
        self._chain.append(head.encoded(), HEAD)
        durable_write(self.folder / LAST_HEAD, head.encoded())
        self._keep_apart(head)
        for position in head.positions:
            folder = chain_folder(self.folder, position.chain)
            for number in numbers(folder):
                if number < position.first_segment:
                    segment_path(folder, number).unlink()

    def _durable(self) -> dict[int, Mark]:
        """Give, for each chain, what of it is surely on disk."""
        found = {n: self._sealing.mark(folder / "marks", DURABLE) for n, folder in chain_folders(self.folder).items()}
        return {number: mark for number, mark in found.items() if mark is not None}

    def _last_head(self) -> Head | None:
        from shoplake.audit.heads import read_head

        try:
            return read_head((self.folder / LAST_HEAD).read_bytes())
        except FileNotFoundError:
            return None

    def _position(self, number: int, mark: Mark) -> Position:
        from shoplake.audit.heads import Position

        folder = chain_folder(self.folder, number)
        first = self._first_kept(folder)
        before = read_header(segment_path(folder, first)).before
        return Position(number, mark.log_id.hex(), mark.segment, mark.sequence, mark.hash.hex(), first, before.hex())

    def _keep_apart(self, head: Head) -> None:
        from shoplake.audit.places import keep_apart

        if not self._settings.audit_heads:
            return
        try:
            keep_apart(self._settings.audit_heads, head)
        except (OSError, InputError) as error:
            log.warning("a signed head was not kept apart in %s: %s", self._settings.audit_heads, error)

    def _first_kept(self, folder: Path) -> int:
        """Give the first segment that is young enough: one is too old when the next was begun too long ago."""
        found, days = numbers(folder), self._settings.audit_retention_days
        limit = (time.time() - days * 86_400) * MICROSECONDS
        while days and len(found) > 1 and read_header(segment_path(folder, found[1])).made_at < limit:
            found = found[1:]
        return found[0]

    @contextmanager
    def alone_signing(self) -> Iterator[None]:
        """Keep every other process from signing, and from removing what is too old."""
        with self._signing_thread, _told("signed"):
            fcntl.flock(self._signing, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._signing, fcntl.LOCK_UN)

    def _sign_later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = Timer(seconds, self._sign_now)
            self._timer.daemon = True
            self._timer.start()

    def _sign_now(self) -> None:
        self._timer = None
        try:
            seconds = self.sign()
        except (ShoplakeError, OSError) as error:
            log.warning("the audit log was not signed: %s", error)
            seconds = MINUTE
        if seconds:
            with suppress(RuntimeError):  # the interpreter is ending
                self._sign_later(seconds)


def _is_news(last: Head | None, places: Mapping[int, Mark]) -> bool:
    """Say whether a chain has more than the last head stands for; that head itself does not count."""
    if last is None:
        return bool(places)
    known = {p.chain: p.sequence + (p.chain == last.by) for p in last.positions}
    return any(mark.sequence > known.get(number, 0) for number, mark in places.items())


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say of a failure of the system what it means here."""
    try:
        yield
    except OSError as error:
        raise _failed(what, error) from error


def _failed(what: str, error: OSError) -> AuditLogError:
    return AuditLogError(
        f"The audit log cannot be {what}: {error.strerror or error}.",
        hint="Nothing is shown or changed without its record: make room, or make the folder `audit` writable.",
    )
