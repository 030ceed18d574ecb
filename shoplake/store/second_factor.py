"""Codes by time (TOTP, RFC 6238) as a second factor; the secret is sealed under a key of the home."""

from __future__ import annotations

import hmac
import secrets
import time
from typing import TYPE_CHECKING

from shoplake.errors import KeyAccessError
from shoplake.store.users import USERS_KEY

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.store.users import User, Users

STEP_SECONDS = 30
NONCE_BYTES = 12
ISSUER = "shoplake"


class SecondFactor:
    """Makes and checks users' second factors."""

    def __init__(self, users: Users, keyring: Keyring) -> None:
        """Seal under the users' key."""
        self._users, self._keyring = users, keyring

    def enroll(self, name: str) -> tuple[str, str]:
        """Give a user a new second factor.

        Returns:
            The secret and the ``otpauth://`` address for an authenticator; neither can be had again.

        Raises:
            NotFoundError: there is no such user.

        """
        import pyotp

        secret = pyotp.random_base32()
        self._users.set_totp(name, self._seal(name, secret))
        return secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)

    def fits(self, user: User, code: str) -> bool:
        """Check a code, of this half minute or of its neighbours, and use it up; without a factor any code fits."""
        import pyotp

        if user.sealed_totp is None:
            return True
        totp = pyotp.TOTP(self._unseal(user.name, user.sealed_totp))
        given = code.replace(" ", "").encode("utf-8", "surrogateescape")
        now = int(time.time()) // STEP_SECONDS
        fitting = [n for n in (now - 1, now, now + 1) if hmac.compare_digest(totp.at(n * STEP_SECONDS).encode(), given)]
        return bool(fitting) and self._users.use_code(user.name, fitting[0])

    def reseal(self) -> int:
        """Seal every second factor under the newest key; give the number that were under an older one."""
        newest = self._keyring.current(USERS_KEY).version.to_bytes(4, "big")
        old = [u for u in self._users.list() if u.sealed_totp is not None and u.sealed_totp[:4] != newest]
        for user in old:
            assert user.sealed_totp is not None  # noqa: S101 - chosen by it
            self._users.reseal_totp(user.name, self._seal(user.name, self._unseal(user.name, user.sealed_totp)))
        return len(old)

    def _seal(self, name: str, secret: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, nonce = self._keyring.current(USERS_KEY), secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key.secret).encrypt(nonce, secret.encode(), name.encode())
        return key.version.to_bytes(4, "big") + nonce + sealed

    def _unseal(self, name: str, sealed: bytes) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._keyring.get(USERS_KEY, int.from_bytes(sealed[:4], "big"))
        nonce, rest = sealed[4 : 4 + NONCE_BYTES], sealed[4 + NONCE_BYTES :]
        try:
            return AESGCM(key.secret).decrypt(nonce, rest, name.encode()).decode()
        except InvalidTag as error:
            raise KeyAccessError(
                f"The second factor of {name} is damaged.", hint="`shoplake users totp` makes another."
            ) from error
