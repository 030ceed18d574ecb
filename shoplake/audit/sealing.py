"""The log's keys: one seals records, one the marks, one signs.

All versions of the first stay, for the log is never written anew; there is one version of the second.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.audit.marks import PLACES, SIZE, Mark, opened
from shoplake.errors import KeyAccessError
from shoplake.keys.keyring import NONCE_BYTES, Keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from shoplake.settings import Settings

RECORDS_KEY, MARKS_KEY, SIGNING_KEY = "audit", "audit_marks", "audit_signing"
LABEL = b"shoplake audit record"


class Sealing:
    """Seals and opens records."""

    def __init__(self, settings: Settings) -> None:
        """Use the keys of the home.

        Raises:
            KeyAccessError: the keys do not open.

        """
        self._settings, self._keyring = settings, Keyring.open(settings)
        self._ciphers: dict[int, AESGCM] = {}
        self.version = self._keyring.current(RECORDS_KEY).version
        self.marks_key = self._keyring.current(MARKS_KEY).secret

    @property
    def log_id(self) -> str:
        """Name the log, the same for as long as the home has its keys: one begun anew in its place is known as such."""
        return hashlib.blake2b(b"log", digest_size=16, key=self.marks_key).hexdigest()

    def chain_id(self, number: int) -> bytes:
        """Name a chain of it."""
        return hashlib.blake2b(b"chain %d" % number, digest_size=16, key=self.marks_key).digest()

    def seal(self, body: bytes, version: int, chain_id: bytes) -> bytes:
        """Encrypt a record under a version of the key."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(version).encrypt(nonce, body, LABEL + chain_id)

    def open(self, sealed: bytes, version: int, chain_id: bytes) -> bytes | None:
        """Decrypt a record; None if nobody with the key has sealed it."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher(version).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], LABEL + chain_id)
        except (InvalidTag, KeyAccessError, ValueError):
            return None

    def mark(self, path: Path, kind: bytes) -> Mark | None:
        """Read a mark of a chain."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(PLACES[kind])
            return opened(file.read(SIZE), kind, self.marks_key)
        return None

    def refresh(self) -> None:
        """Look for a newer version of the key, as a rotation has made it."""
        self._keyring = Keyring.open(self._settings)
        self.version = self._keyring.current(RECORDS_KEY).version

    def _cipher(self, version: int) -> AESGCM:
        if version not in self._ciphers:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            if version > self.version:
                self.refresh()
            self._ciphers[version] = AESGCM(self._keyring.get(RECORDS_KEY, version).secret)
        return self._ciphers[version]


def signing_keys(keyring: Keyring) -> list[Ed25519PrivateKey]:
    """Give every version of the signing key that is kept, oldest first; the first use makes it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    keyring.current(SIGNING_KEY)
    return [
        Ed25519PrivateKey.from_private_bytes(keyring.get(SIGNING_KEY, version).secret)
        for version in keyring.versions(SIGNING_KEY)
    ]
