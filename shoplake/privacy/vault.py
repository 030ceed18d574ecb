"""Random pseudonyms in place of real identifiers, and personal text under a key of each person's own.

An identifier is looked up by a keyed hash, so that the vault can be searched without holding it in clear. Erasing a
person's row makes every text of theirs unreadable, in every copy, at once.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from shoplake.errors import KeyAccessError
from shoplake.store.tables import person

if TYPE_CHECKING:
    from shoplake.keys.keyring import DataKey, Keyring
    from shoplake.store.engine import Store

LOOKUP_KEY, SEALING_KEY = "vault_lookup", "vault"
NONCE_BYTES, KEY_BYTES, PSEUDONYM_BYTES = 12, 32, 8
CHUNK = 500


@dataclass(frozen=True)
class _Person:
    pseudonym: str
    text_key: bytes


class Vault:
    """Looks persons up and makes them known; safe under concurrent writers."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        """Keep persons in ``store``, sealed under keys of ``keyring``."""
        self._store, self._keyring = store, keyring
        self._lookup_key = keyring.get(LOOKUP_KEY, 1) if keyring.versions(LOOKUP_KEY) else keyring.current(LOOKUP_KEY)
        self._known: dict[str, str] = {}

    def pseudonyms(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Give the pseudonym of each identifier; an unknown one becomes known.

        Two processes that meet the same new identifier at once get the same pseudonym.
        """
        wanted = set(identifiers)
        new = sorted(wanted - self._known.keys())
        if new:
            hashes = {self._lookup(identifier): identifier for identifier in new}
            found = self._find(list(hashes))
            missing = [lookup for lookup in hashes if lookup not in found]
            if missing:
                self._add({lookup: hashes[lookup] for lookup in missing})
                found |= self._find(missing)
            self._known |= {hashes[lookup]: pseudonym for lookup, pseudonym in found.items()}
        return {identifier: self._known[identifier] for identifier in wanted}

    def encrypt_texts(self, texts: Sequence[tuple[str, str]]) -> list[str]:
        """Encrypt (pseudonym, text) pairs, each under its person's key; give base64 of nonce and ciphertext.

        Raises:
            KeyAccessError: a pseudonym is not in the vault.

        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        people = self._people({pseudonym for pseudonym, _ in texts})
        ciphers = {pseudonym: AESGCM(found.text_key) for pseudonym, found in people.items()}
        sealed = []
        for pseudonym, text in texts:
            if pseudonym not in ciphers:
                raise KeyAccessError(f"The vault knows no person {pseudonym}.", hint="The person may have been erased.")
            nonce = secrets.token_bytes(NONCE_BYTES)
            data = nonce + ciphers[pseudonym].encrypt(nonce, text.encode(), pseudonym.encode())
            sealed.append(base64.b64encode(data).decode("ascii"))
        return sealed

    def decrypt_texts(self, texts: Sequence[tuple[str, str]]) -> list[str | None]:
        """Decrypt (pseudonym, ciphertext) pairs; None for a person who was erased.

        Raises:
            KeyAccessError: a ciphertext was changed, or belongs to another person.

        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        people = self._people({pseudonym for pseudonym, _ in texts})
        ciphers = {pseudonym: AESGCM(found.text_key) for pseudonym, found in people.items()}
        opened: list[str | None] = []
        for pseudonym, sealed in texts:
            if pseudonym not in ciphers:
                opened.append(None)
                continue
            try:
                data = base64.b64decode(sealed, validate=True)
                clear = ciphers[pseudonym].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], pseudonym.encode())
            except (InvalidTag, binascii.Error, ValueError) as error:
                raise KeyAccessError(
                    f"A text of person {pseudonym} does not open under their key.", hint="The lake may be damaged."
                ) from error
            opened.append(clear.decode())
        return opened

    def _lookup(self, identifier: str) -> bytes:
        return hmac.digest(self._lookup_key.secret, identifier.encode(), hashlib.sha256)

    def _find(self, lookups: Sequence[bytes]) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        with self._store.reading() as con:
            for start in range(0, len(lookups), CHUNK):
                chunk = lookups[start : start + CHUNK]
                query = select(person.c.lookup, person.c.pseudonym).where(person.c.lookup.in_(chunk))
                rows: list[Any] = list(con.execute(query))
                found |= {bytes(lookup): pseudonym for lookup, pseudonym in rows}
        return found

    def _add(self, people: dict[bytes, str]) -> None:
        """Insert new persons; one who came in between through another process stays as that process made them."""
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        key = self._keyring.current(SEALING_KEY)
        rows = [
            {
                "lookup": lookup,
                "pseudonym": f"c_{secrets.token_hex(PSEUDONYM_BYTES)}",
                "sealed_identifier": _seal(key, lookup, identifier.encode()),
                "sealed_text_key": _seal(key, lookup, secrets.token_bytes(KEY_BYTES)),
                "created_at": now,
            }
            for lookup, identifier in people.items()
        ]
        with self._store.writing() as con:
            con.execute(_insert_if_absent(con.dialect.name), rows)

    def _people(self, pseudonyms: set[str]) -> dict[str, _Person]:
        wanted = sorted(pseudonyms)
        columns = person.c.lookup, person.c.pseudonym, person.c.sealed_text_key
        found: dict[str, _Person] = {}
        with self._store.reading() as con:
            for start in range(0, len(wanted), CHUNK):
                chunk = wanted[start : start + CHUNK]
                rows: list[Any] = list(con.execute(select(*columns).where(person.c.pseudonym.in_(chunk))))
                for lookup, pseudonym, sealed in rows:
                    found[pseudonym] = _Person(pseudonym, _unseal(self._keyring, bytes(lookup), bytes(sealed)))
        return found


def _insert_if_absent(dialect: str) -> Any:  # noqa: ANN401 - each dialect has an Insert class of its own
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(person).on_conflict_do_nothing(index_elements=["lookup"])
    return insert(person).prefix_with("or ignore")


def _seal(key: DataKey, lookup: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return key.version.to_bytes(4, "big") + nonce + AESGCM(key.secret).encrypt(nonce, data, lookup)


def _unseal(keyring: Keyring, lookup: bytes, sealed: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = keyring.get(SEALING_KEY, int.from_bytes(sealed[:4], "big"))
    nonce, data = sealed[4 : 4 + NONCE_BYTES], sealed[4 + NONCE_BYTES :]
    try:
        return AESGCM(key.secret).decrypt(nonce, data, lookup)
    except InvalidTag as error:
        raise KeyAccessError("A person's row in the vault is damaged.", hint="Restore the store.") from error


def reseal(store: Store, keyring: Keyring) -> int:
    """Seal every person's row under the newest key; give the number of rows that were under an older one."""
    newest = keyring.current(SEALING_KEY)
    prefix = newest.version.to_bytes(4, "big")
    with store.writing() as con:
        rows = con.execute(select(person.c.lookup, person.c.sealed_identifier, person.c.sealed_text_key)).all()
        old = [[bytes(value) for value in row] for row in rows if bytes(row.sealed_identifier)[:4] != prefix]
        values = [
            {
                "of": lookup,
                "identifier": _seal(newest, lookup, _unseal(keyring, lookup, identifier)),
                "text_key": _seal(newest, lookup, _unseal(keyring, lookup, text_key)),
            }
            for lookup, identifier, text_key in old
        ]
        if values:
            statement = update(person).where(person.c.lookup == bindparam("of"))
            columns: dict[str, Any] = {
                "sealed_identifier": bindparam("identifier"),
                "sealed_text_key": bindparam("text_key"),
            }
            con.execute(statement.values(columns), values)
    return len(values)
