"""Where the key-encryption key comes from."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shoplake.errors import KeyAccessError

if TYPE_CHECKING:
    from shoplake.settings import Settings

KEY_BYTES = 32
ENVIRONMENT_NAME = "SHOPLAKE_KEK"


class KeyProvider(Protocol):
    """Gives the key-encryption key; rotation offers the next one before it replaces the old one."""

    def create(self) -> None:
        """Make the key if this provider makes keys itself."""

    def load(self) -> bytes:
        """Give the key (32 bytes)."""

    def candidates(self) -> list[bytes]:
        """Give the key, then a next one that an interrupted rotation may already use."""

    def prepare_next(self) -> bytes:
        """Make the key that is to replace the present one, and keep both."""

    def adopt_next(self) -> None:
        """Forget the old key: everything is wrapped under the next one."""


class FileProvider:
    """A key in a file that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        """Keep the key in ``folder/kek.key``."""
        self.path = folder / "kek.key"
        self.next_path = folder / "kek.next"

    def create(self) -> None:
        """Write a new random key; an existing one is never overwritten."""
        if not self.path.exists():
            _write(self.path, secrets.token_bytes(KEY_BYTES))

    def load(self) -> bytes:
        """Read the key.

        Raises:
            KeyAccessError: the file is missing, open to others, or not a key.

        """
        return _read(self.path)

    def candidates(self) -> list[bytes]:
        """Read the key and the next one, if a rotation was interrupted."""
        keys = [self.load()] if self.path.exists() or not self.next_path.exists() else []
        return keys + ([_read(self.next_path)] if self.next_path.exists() else [])

    def prepare_next(self) -> bytes:
        """Write the next key beside the present one; a second call gives the same."""
        if not self.next_path.exists():
            _write(self.next_path, secrets.token_bytes(KEY_BYTES))
        return _read(self.next_path)

    def adopt_next(self) -> None:
        """Put the next key in the present one's place."""
        os.replace(self.next_path, self.path)


class EnvironmentProvider:
    """A key in an environment variable, base64; whoever sets the variable keeps the key."""

    def create(self) -> None:
        """Check that the variable is set: this provider makes no key."""
        self.load()

    def load(self) -> bytes:
        """Read the key from the environment.

        Raises:
            KeyAccessError: it is not set, or not 32 bytes in base64.

        """
        return self._read(ENVIRONMENT_NAME)

    def candidates(self) -> list[bytes]:
        """Read the key and, where set, the next one."""
        next_name = f"{ENVIRONMENT_NAME}_NEXT"
        return [self.load()] + ([self._read(next_name)] if os.environ.get(next_name) else [])

    def prepare_next(self) -> bytes:
        """Read the key that is to replace the present one.

        Raises:
            KeyAccessError: ``SHOPLAKE_KEK_NEXT`` is not set.

        """
        return self._read(f"{ENVIRONMENT_NAME}_NEXT")

    def adopt_next(self) -> None:
        """Do nothing: whoever set the variables now moves the next key into the first."""

    @staticmethod
    def _read(name: str) -> bytes:
        try:
            key = base64.b64decode(os.environ.get(name, ""), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyAccessError(
                f"{name} is not set to a key of 32 bytes in base64.",
                hint=f"Set it, for instance by: export {name}=$(openssl rand -base64 32)",
            )
        return key


def provider(settings: Settings) -> KeyProvider:
    """Give the provider that the settings name."""
    if settings.kek_provider == "environment":
        return EnvironmentProvider()
    return FileProvider(settings.home / "keys")


def _write(path: Path, key: bytes) -> None:
    from shoplake.files import durable_write

    durable_write(path, base64.b64encode(key) + b"\n", mode=0o600)


def _read(path: Path) -> bytes:
    hint = "Restore it from the backup of the keys folder; without it nothing can be read."
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_bytes().strip()
    except OSError as error:
        raise KeyAccessError(f"The key {path} cannot be read: {error.strerror}.", hint=hint) from error
    if mode & 0o077:
        raise KeyAccessError(
            f"The key {path} can be read by others (mode {mode:04o}).", hint=f"Call `chmod 600 {path}`."
        )
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyAccessError(f"{path} does not hold a key.", hint=hint)
    return key
