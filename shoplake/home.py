"""The home folder: where everything lies, how it is made, and the lock that keeps writers apart."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.errors import HomeError, LockedError

if TYPE_CHECKING:
    from shoplake.settings import Settings


@dataclass(frozen=True)
class HomePaths:
    """The places in a home."""

    home: Path

    @property
    def keys(self) -> Path:
        """Folder of the key-encryption key and the keyring."""
        return self.home / "keys"

    @property
    def keyring(self) -> Path:
        """File of the wrapped data keys; a home without it has not been made yet."""
        return self.keys / "keyring.json"

    @property
    def store(self) -> Path:
        """Folder of the operational store."""
        return self.home / "store"

    @property
    def landing(self) -> Path:
        """Folder with one inbox a source."""
        return self.home / "landing"

    @property
    def contracts(self) -> Path:
        """Folder of contracts that add to or override the packaged ones."""
        return self.home / "contracts"

    @property
    def lake(self) -> Path:
        """Folder of the raw, typed rows and the quarantine."""
        return self.home / "lake"

    @property
    def partitions(self) -> Path:
        """Folder of the immutable partitions that releases share."""
        return self.home / "releases" / "partitions"

    @property
    def manifests(self) -> Path:
        """Folder of the release manifests."""
        return self.home / "releases" / "manifests"

    @property
    def pointer(self) -> Path:
        """File that names the release being served."""
        return self.home / "releases" / "current"

    @property
    def sandbox(self) -> Path:
        """Folder of the files that sandboxed sessions see, as links to partitions, while a service runs."""
        return self.home / "releases" / "sandbox"

    @property
    def build(self) -> Path:
        """Scratch folder: what a build writes before it is published, and spill files."""
        return self.home / "build"

    @property
    def lock(self) -> Path:
        """File whose lock a writer holds."""
        return self.home / "lock"

    @property
    def locks(self) -> Path:
        """Folder of the locks that streams and the keeping of the lake share."""
        return self.home / "locks"

    @property
    def audit(self) -> Path:
        """Folder of the audit log."""
        return self.home / "audit"

    @property
    def tls(self) -> Path:
        """Folder of the certificate authority and of the certificate that servers show."""
        return self.home / "tls"

    def folders(self) -> tuple[Path, ...]:
        """List every folder of a complete home, each after the one it lies in."""
        return (
            self.keys,
            self.store,
            self.landing,
            self.contracts,
            self.lake,
            self.partitions.parent,
            self.partitions,
            self.manifests,
            self.build,
            self.locks,
            self.audit,
            self.tls,
        )


def require_home(settings: Settings) -> None:
    """Check that the home has been made.

    Raises:
        HomeError: it has not.

    """
    if not HomePaths(settings.home).keyring.is_file():
        raise _not_made(settings)


@contextmanager
def home_lock(settings: Settings, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the home's writer lock; the kernel releases it when the process ends, however it ends.

    Raises:
        HomeError: there is no such home.
        LockedError: another process holds it and did not let go within ``wait_seconds``.

    """
    path = HomePaths(settings.home).lock
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        raise _not_made(settings) from None
    try:
        _acquire(handle, path, wait_seconds)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _not_made(settings: Settings) -> HomeError:
    return HomeError(
        f"{settings.home} is not a shoplake home yet.",
        hint="Call `shoplake init` first, or name another home by SHOPLAKE_HOME or --home.",
    )


def _acquire(handle: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(handle, 20, 0).decode() or "unknown"
                raise LockedError(
                    f"Another shoplake process (pid {holder}) is changing {path.parent}.",
                    hint="Wait until it has ended, then call again.",
                ) from None
            time.sleep(0.1)
        else:
            return
