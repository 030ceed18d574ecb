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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from shoplake.errors import KeyAccessError
from shoplake.store.tables import person

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shoplake.keys.keyring import DataKey, Keyring
    from shoplake.store.engine import Store

LOOKUP_KEY, SEALING_KEY = "vault_lookup", "vault"
NONCE_BYTES, KEY_BYTES, PSEUDONYM_BYTES = 12, 32, 8
CHUNK = 10_000
"""Persons looked up by one statement."""


_Found = dict[bytes, tuple[str, bytes]]
"""Pseudonym and sealed text key by the keyed hash of the identifier."""


@dataclass(frozen=True)
class People:
    """Persons as the vault had them a moment ago; meant to be dropped with the batch at hand."""

    pseudonyms: dict[str, str]
    """By identifier."""
    sealed_text_keys: dict[str, tuple[bytes, bytes]]
    """By pseudonym: the keyed hash of the identifier and the text key, still sealed."""


class Vault:
    """Looks persons up and makes them known; safe under concurrent writers."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        """Keep persons in ``store``, sealed under keys of ``keyring``."""
        self._store, self._keyring = store, keyring
        self._lookup_key = keyring.get(LOOKUP_KEY, 1) if keyring.versions(LOOKUP_KEY) else keyring.current(LOOKUP_KEY)

    def pseudonyms(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Give the pseudonym of each identifier; an unknown one becomes known.

        Two processes that meet the same new identifier at once get the same pseudonym. Nothing is remembered between
        calls: one look-up of many is cheap, and a person who was erased meanwhile must not come back under the old
        pseudonym.
        """
        return self.people(identifiers).pseudonyms

    def people(self, identifiers: Iterable[str]) -> People:
        """Give the persons behind identifiers, as `pseudonyms` does, with what `encrypt_texts` needs of them."""
        hashes = {self._lookup(identifier): identifier for identifier in set(identifiers)}
        found = self._find(list(hashes))
        missing = sorted(hashes.keys() - found.keys())
        if missing:
            added = self._add({lookup: hashes[lookup] for lookup in missing})
            found |= added if added is not None else self._find(missing)
        return People(
            {hashes[lookup]: pseudonym for lookup, (pseudonym, _) in found.items()},
            {pseudonym: (lookup, sealed) for lookup, (pseudonym, sealed) in found.items()},
        )

    def encrypt_texts(self, texts: Sequence[tuple[str, str]], people: People | None = None) -> list[str]:
        """Encrypt (pseudonym, text) pairs, each under its person's key; give base64 of nonce and ciphertext.

        Args:
            texts: the pairs.
            people: the persons where they were just looked up; else they are looked up now.

        Raises:
            KeyAccessError: a pseudonym is not in the vault.

        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        keys = self._text_keys({pseudonym for pseudonym, _ in texts}, people)
        encrypts = {pseudonym: AESGCM(key).encrypt for pseudonym, key in keys.items()}
        nonces = _nonces(len(texts))
        sealed = []
        for nonce, (pseudonym, text) in zip(nonces, texts, strict=True):
            if pseudonym not in encrypts:
                raise KeyAccessError(f"The vault knows no person {pseudonym}.", hint="The person may have been erased.")
            data = nonce + encrypts[pseudonym](nonce, text.encode(), pseudonym.encode())
            sealed.append(binascii.b2a_base64(data, newline=False).decode("ascii"))
        return sealed

    def decrypt_texts(self, texts: Sequence[tuple[str, str]]) -> list[str | None]:
        """Decrypt (pseudonym, ciphertext) pairs; None for a person who was erased.

        Raises:
            KeyAccessError: a ciphertext was changed, or belongs to another person.

        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        keys = self._text_keys({pseudonym for pseudonym, _ in texts})
        ciphers = {pseudonym: AESGCM(key) for pseudonym, key in keys.items()}
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

    def _find(self, lookups: Sequence[bytes]) -> _Found:
        with self._store.reading() as con:
            rows = _select(con, "lookup, pseudonym, sealed_text_key", "lookup", lookups)
            return {bytes(lookup): (pseudonym, bytes(sealed)) for lookup, pseudonym, sealed in rows}

    def _add(self, people: dict[bytes, str]) -> _Found | None:
        """Insert new persons; one who came in between through another process stays as that process made them.

        Returns:
            The new persons; None where it is not certain that all of them are as they were given here.

        """
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        seal = _Sealer(self._keyring.current(SEALING_KEY), 2 * len(people))
        text_keys = _cut(secrets.token_bytes(KEY_BYTES * len(people)), KEY_BYTES)
        names = _cut(secrets.token_bytes(PSEUDONYM_BYTES * len(people)), PSEUDONYM_BYTES)
        rows: list[dict[str, Any]] = [
            {
                "lookup": lookup,
                "pseudonym": f"c_{name.hex()}",
                "sealed_identifier": seal(lookup, identifier.encode()),
                "sealed_text_key": seal(lookup, text_key),
                "created_at": now,
            }
            for (lookup, identifier), text_key, name in zip(people.items(), text_keys, names, strict=True)
        ]
        with self._store.writing() as con:
            inserted = con.execute(_insert_if_absent(con.dialect.name), rows).rowcount
        if inserted != len(rows):
            return None
        return {row["lookup"]: (row["pseudonym"], row["sealed_text_key"]) for row in rows}

    def _text_keys(self, pseudonyms: set[str], people: People | None = None) -> dict[str, bytes]:
        """Give the text key of each person by pseudonym; who is not in the vault is left out."""
        unseal = _Unsealer(self._keyring)
        if people is not None:
            return {name: unseal(*people.sealed_text_keys[name]) for name in pseudonyms}
        with self._store.reading() as con:
            rows = _select(con, "lookup, pseudonym, sealed_text_key", "pseudonym", sorted(pseudonyms))
            return {pseudonym: unseal(bytes(lookup), bytes(sealed)) for lookup, pseudonym, sealed in rows}


def _select(con: Connection, columns: str, by: str, wanted: Sequence[Any]) -> Iterator[Any]:
    """Give the persons whose column ``by`` holds a wanted value.

    The driver is asked itself: what SQLAlchemy does to bind a value and to wrap a row costs more than the look-up.
    """
    cursor = con.connection.cursor()
    mark = "?" if con.dialect.paramstyle == "qmark" else "%s"
    for start in range(0, len(wanted), CHUNK):
        chunk = tuple(wanted[start : start + CHUNK])
        marks = ", ".join([mark] * len(chunk))
        cursor.execute(f"select {columns} from person where {by} in ({marks})", chunk)
        yield from cursor.fetchall()
    cursor.close()


def _insert_if_absent(dialect: str) -> Any:  # noqa: ANN401 - each dialect has an Insert class of its own
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(person).on_conflict_do_nothing(index_elements=["lookup"])
    return insert(person).prefix_with("or ignore")


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def _nonces(count: int) -> list[bytes]:
    """Draw many nonces at once: a call of the system for each costs as much as the encryption."""
    return _cut(secrets.token_bytes(NONCE_BYTES * count), NONCE_BYTES)


class _Sealer:
    """Seals values of persons under the vault's key, each bound to its person."""

    def __init__(self, key: DataKey, count: int) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._prefix, self._encrypt = key.version.to_bytes(4, "big"), AESGCM(key.secret).encrypt
        self._nonces = iter(_nonces(count))

    def __call__(self, lookup: bytes, data: bytes) -> bytes:
        nonce = next(self._nonces)
        return self._prefix + nonce + self._encrypt(nonce, data, lookup)


class _Unsealer:
    """Opens what `_Sealer` sealed, under whichever version of the key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring, self._ciphers = keyring, dict[bytes, Any]()

    def __call__(self, lookup: bytes, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        version = sealed[:4]
        if version not in self._ciphers:
            key = self._keyring.get(SEALING_KEY, int.from_bytes(version, "big"))
            self._ciphers[version] = AESGCM(key.secret)
        try:
            opened: bytes = self._ciphers[version].decrypt(
                sealed[4 : 4 + NONCE_BYTES], sealed[4 + NONCE_BYTES :], lookup
            )
        except InvalidTag as error:
            raise KeyAccessError("A person's row in the vault is damaged.", hint="Restore the store.") from error
        return opened


def reseal(store: Store, keyring: Keyring) -> int:
    """Seal every person's row under the newest key; give the number of rows that were under an older one."""
    newest = keyring.current(SEALING_KEY)
    prefix = newest.version.to_bytes(4, "big")
    with store.writing() as con:
        rows = con.execute(select(person.c.lookup, person.c.sealed_identifier, person.c.sealed_text_key)).all()
        old = [[bytes(value) for value in row] for row in rows if bytes(row.sealed_identifier)[:4] != prefix]
        seal, unseal = _Sealer(newest, 2 * len(old)), _Unsealer(keyring)
        values = [
            {
                "of": lookup,
                "identifier": seal(lookup, unseal(lookup, identifier)),
                "text_key": seal(lookup, unseal(lookup, text_key)),
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
