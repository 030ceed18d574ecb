"""The data keys, wrapped under the key-encryption key, in one file that is replaced atomically."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.errors import KeyAccessError
from shoplake.files import durable_write
from shoplake.home import HomePaths
from shoplake.keys.providers import KEY_BYTES, KeyProvider, provider

if TYPE_CHECKING:
    from shoplake.settings import Settings

NONCE_BYTES = 12
CHECK = "keyring"
"""Name of an entry that only the right key-encryption key opens."""


_OPENED: ContextVar[set[str] | None] = ContextVar("opened", default=None)


@contextmanager
def noting_keys() -> Iterator[set[str]]:
    """Give the set of the data keys that this block opens, ``<name>/<version>``, as it fills."""
    outer, opened = _OPENED.get(), set[str]()
    token = _OPENED.set(opened)
    try:
        yield opened
    finally:
        _OPENED.reset(token)
        if outer is not None:
            outer |= opened


def note_keys(names: Iterable[str]) -> None:
    """Note keys that a block uses which were opened before it: `noting_keys` then gives them too."""
    opened = _OPENED.get()
    if opened is not None:
        opened.update(names)


@dataclass(frozen=True)
class DataKey:
    """One version of a data key; its secret is in no representation."""

    name: str
    version: int
    secret: bytes = field(repr=False)


class Keyring:
    """Opens, makes and rotates data keys. Two processes never make two keys of one name and version."""

    def __init__(self, path: Path, kek: bytes, keys: KeyProvider) -> None:
        """Use the keyring at ``path`` under ``kek``; call `open` or `create` instead."""
        self._path, self._kek, self._provider = path, kek, keys
        self._cache: dict[tuple[str, int], DataKey] = {}

    @classmethod
    def create(cls, settings: Settings) -> Keyring:
        """Make the key-encryption key and an empty keyring.

        Raises:
            KeyAccessError: the provider gives no key.

        """
        keys = provider(settings)
        keys.create()
        ring = cls(HomePaths(settings.home).keyring, keys.load(), keys)
        with ring._locked():
            if not ring._path.exists():
                ring._save({"keys": {CHECK: {"1": ring._wrap(CHECK, 1, secrets.token_bytes(KEY_BYTES))}}})
        return cls.open(settings)

    @classmethod
    def open(cls, settings: Settings) -> Keyring:
        """Open the keyring, and check that the key-encryption key is the right one.

        Raises:
            KeyAccessError: the key-encryption key or the keyring is missing, damaged or does not fit.

        """
        keys, path = provider(settings), HomePaths(settings.home).keyring
        if not path.is_file():
            raise KeyAccessError(f"There is no keyring at {path}.", hint="Call `shoplake init`.")
        error: KeyAccessError | None = None
        for kek in keys.candidates():
            ring = cls(path, kek, keys)
            try:
                ring.get(CHECK, 1)
            except KeyAccessError as failure:
                error = failure
            else:
                return ring
        raise error or KeyAccessError("There is no key-encryption key.", hint="Restore the keys folder.")

    def current(self, name: str) -> DataKey:
        """Give the newest version of a data key; the first use makes it."""
        versions = self._versions(name)
        if not versions:
            return self._make(name, at_least=1)
        return self.get(name, max(versions))

    def get(self, name: str, version: int) -> DataKey:
        """Give one version of a data key.

        Raises:
            KeyAccessError: there is none, or it does not open under the key-encryption key.

        """
        note_keys([f"{name}/{version}"])
        cached = self._cache.get((name, version))
        if cached is not None:
            return cached
        wrapped = self._load()["keys"].get(name, {}).get(str(version))
        if wrapped is None:
            raise KeyAccessError(
                f"There is no key {name!r} in version {version}.",
                hint="It may have been retired; see `shoplake keys status`.",
            )
        key = DataKey(name, version, self._unwrap(name, version, wrapped))
        self._cache[name, version] = key
        return key

    def versions(self, name: str) -> list[int]:
        """List the versions of a data key, oldest first."""
        return sorted(self._versions(name))

    def names(self) -> list[str]:
        """List the data keys."""
        return sorted(name for name in self._load()["keys"] if name != CHECK)

    def ensure(self, names: Sequence[str]) -> None:
        """Make those of the named data keys that do not exist yet, all in one write."""
        if not set(names) - self._load()["keys"].keys():
            return
        with self._locked():
            document = self._load()
            for name in names:
                if not document["keys"].get(name):
                    document["keys"][name] = {"1": self._wrap(name, 1, secrets.token_bytes(KEY_BYTES))}
            self._save(document)

    def new_versions(self, names: Sequence[str]) -> None:
        """Make a new version of each named data key; what is written from now on uses it."""
        for name in names:
            self._make(name, at_least=max(self._versions(name), default=0) + 1)

    def retire(self, name: str, version: int) -> None:
        """Destroy one version of a data key: what is still encrypted under it cannot be read again."""
        with self._locked():
            document = self._load()
            document["keys"].get(name, {}).pop(str(version), None)
            self._save(document)
        self._cache.pop((name, version), None)

    def rotate_wrapping(self) -> None:
        """Wrap every data key anew under a new key-encryption key; files stay as they are."""
        with self._locked():
            document = self._load()
            opened = [
                (name, int(version), self._unwrap(name, int(version), wrapped))
                for name, versions in document["keys"].items()
                for version, wrapped in versions.items()
            ]
            self._kek = self._provider.prepare_next()
            for name, version, secret in opened:
                document["keys"][name][str(version)] = self._wrap(name, version, secret)
            self._save(document)
            self._provider.adopt_next()

    def _make(self, name: str, *, at_least: int) -> DataKey:
        with self._locked():
            document = self._load()
            versions = document["keys"].setdefault(name, {})
            if str(at_least) not in versions:
                secret = secrets.token_bytes(KEY_BYTES)
                versions[str(at_least)] = self._wrap(name, at_least, secret)
                self._save(document)
        return self.get(name, at_least)

    def _versions(self, name: str) -> list[int]:
        return [int(version) for version in self._load()["keys"].get(name, {})]

    def _wrap(self, name: str, version: int, secret: bytes) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self._kek).encrypt(nonce, secret, f"{name}/{version}".encode())
        return base64.b64encode(nonce + sealed).decode("ascii")

    def _unwrap(self, name: str, version: int, wrapped: str) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            data = base64.b64decode(wrapped, validate=True)
            nonce, sealed = data[:NONCE_BYTES], data[NONCE_BYTES:]
            return AESGCM(self._kek).decrypt(nonce, sealed, f"{name}/{version}".encode())
        except (InvalidTag, ValueError) as error:
            raise KeyAccessError(
                "The key-encryption key does not open the keyring: it is the wrong key, or the keyring is damaged.",
                hint="Restore the keys folder from its backup; nothing was read or written.",
            ) from error

    def _load(self) -> dict[str, Any]:
        import json

        try:
            document = json.loads(self._path.read_bytes())
            if not isinstance(document["keys"], dict):
                raise TypeError
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyAccessError(
                f"The keyring {self._path} is missing or damaged.",
                hint="Restore the keys folder from its backup; nothing was read or written.",
            ) from error
        found: dict[str, Any] = document
        return found

    def _save(self, document: dict[str, Any]) -> None:
        import json

        durable_write(self._path, json.dumps(document, indent=1, sort_keys=True).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
