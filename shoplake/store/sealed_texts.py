"""Seals texts of people, each for its own row, under the key of users; `shoplake keys rotate` renews them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shoplake.errors import KeyAccessError
from shoplake.store.users import USERS_KEY

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring

VERSION_BYTES, NONCE_BYTES = 4, 12


class SealedTexts:
    """Seals and opens; a text sealed for one row opens for no other."""

    def __init__(self, keyring: Keyring) -> None:
        """Use the keys of a home."""
        self._keyring = keyring

    def seal(self, row: str, text: str) -> bytes:
        """Seal a text for a row."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, nonce = self._keyring.current(USERS_KEY), secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key.secret).encrypt(nonce, text.encode(), row.encode())
        return key.version.to_bytes(VERSION_BYTES, "big") + nonce + sealed

    def open(self, row: str, sealed: bytes) -> str:
        """Open a text.

        Raises:
            KeyAccessError: it is damaged, or another row's.

        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._keyring.get(USERS_KEY, int.from_bytes(sealed[:VERSION_BYTES], "big"))
        nonce, rest = sealed[VERSION_BYTES:][:NONCE_BYTES], sealed[VERSION_BYTES + NONCE_BYTES :]
        try:
            return AESGCM(key.secret).decrypt(nonce, rest, row.encode()).decode()
        except InvalidTag as error:
            raise KeyAccessError(f"The text {row} is damaged.", hint="Restore the store from a backup.") from error

    def is_newest(self, sealed: bytes) -> bool:
        """Say whether a text is under the newest key."""
        return int.from_bytes(sealed[:VERSION_BYTES], "big") == self._keyring.current(USERS_KEY).version
