"""Random pseudonyms in place of real identifiers, and personal text under a key of each person's own.

An identifier is looked up by a keyed hash, so that the vault can be searched without holding it in clear. Erasing a
person's row makes every text of theirs unreadable, in every copy, at once.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from shoplake.errors import KeyAccessError
from shoplake.store.tables import person

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shoplake.keys.keyring import DataKey, Keyring
    from shoplake.store.engine import Store

LOOKUP_KEY, SEALING_KEY = "vault_lookup", "vault"
NONCE_BYTES, KEY_BYTES, PSEUDONYM_BYTES, LOOKUP_BYTES = 12, 32, 8, 32
HASH_BLOCK_BYTES = 64
CHUNK = 10_000
"""Persons looked up by one statement."""


@dataclass(frozen=True)
class People:
    """Persons as the vault had them a moment ago, in columns; meant to be dropped with the batch at hand."""

    identifiers: Sequence[str]
    lookups: Sequence[bytes]
    """Keyed hashes of the identifiers."""
    names: Sequence[str]
    """Pseudonyms."""
    sealed_text_keys: Sequence[bytes]

    @property
    def pseudonyms(self) -> dict[str, str]:
        """Give the pseudonym of each identifier."""
        return dict(zip(self.identifiers, self.names, strict=True))


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
        """Give the persons behind identifiers, each once, as `pseudonyms` does, with what `seal_texts` needs."""
        by_lookup = self._lookups(set(identifiers))
        lookups = sorted(by_lookup)
        names, keys = self._find(lookups)
        if None in names:
            missing = [place for place, name in enumerate(names) if name is None]
            new = [lookups[place] for place in missing]
            self._add({lookup: by_lookup[lookup] for lookup in new})
            for place, name, key in zip(missing, *self._find(new), strict=True):
                names[place], keys[place] = name, key
        return People([by_lookup[lookup] for lookup in lookups], lookups, names, keys)

    def seal_texts(self, people: People, whose: Sequence[int], texts: Sequence[bytes]) -> list[bytes]:
        """Encrypt texts, each under its person's key; give nonce and ciphertext.

        Args:
            people: the persons, just looked up.
            whose: the place in ``people`` of each text's person; best in order, for a person's cipher is made anew
                when another's text stands between (many ciphers at hand cost more than making them).
            texts: the texts, in UTF-8.

        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        unseal, sealed = _Unsealer(self._keyring), list[bytes]()
        last, encrypt, name = -1, None, b""
        for nonce, place, text in zip(_nonces(len(texts)), whose, texts, strict=True):
            if encrypt is None or place != last:
                last, name = place, people.names[place].encode()
                encrypt = AESGCM(unseal(people.lookups[place], people.sealed_text_keys[place])).encrypt
            sealed.append(nonce + encrypt(nonce, text, name))
        return sealed

    def encrypt_texts(self, texts: Sequence[tuple[str, str]]) -> list[str]:
        """Encrypt (pseudonym, text) pairs, each under its person's key; give base64 of nonce and ciphertext.

        Raises:
            KeyAccessError: a pseudonym is not in the vault.

        """
        names = sorted({name for name, _ in texts})
        with self._store.reading() as con:
            found = {name: (bytes(lookup), bytes(key)) for lookup, name, key in _select(con, "pseudonym", names)}
        if unknown := [name for name in names if name not in found]:
            raise KeyAccessError(f"The vault knows no person {unknown[0]}.", hint="The person may have been erased.")
        people = People(names, [found[name][0] for name in names], names, [found[name][1] for name in names])
        places = {name: place for place, name in enumerate(names)}
        sealed = self.seal_texts(people, [places[name] for name, _ in texts], [text.encode() for _, text in texts])
        return [base64.b64encode(data).decode("ascii") for data in sealed]

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

    def known(self, pseudonyms: Iterable[str]) -> set[str]:
        """Give those pseudonyms whose persons are in the vault: not erased."""
        with self._store.reading() as con:
            return {name for _, name, _ in _select(con, "pseudonym", sorted(set(pseudonyms)))}

    def _lookups(self, identifiers: Iterable[str]) -> dict[bytes, str]:
        """Give identifiers by their keyed hashes.

        It is HMAC with SHA-256 (RFC 2104), as `hmac.digest` gives it; but the key is worked in once for all of them,
        which is most of the time that one takes.
        """
        block = self._lookup_key.secret.ljust(HASH_BLOCK_BYTES, b"\0")
        inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
        found = dict[bytes, str]()
        for identifier in identifiers:
            first, second = inner.copy(), outer.copy()
            first.update(identifier.encode())
            second.update(first.digest())
            found[second.digest()] = identifier
        return found

    def _find(self, lookups: Sequence[bytes]) -> tuple[list[str], list[bytes]]:
        """Give pseudonyms and sealed text keys by keyed hashes; None in both for who is not in the vault."""
        names: list[Any] = [None] * len(lookups)
        keys: list[Any] = [None] * len(lookups)
        with self._store.reading() as con:
            if con.dialect.name == "sqlite":
                for place, name, sealed in _at_places(con, lookups):
                    names[place], keys[place] = name, sealed
                return names, keys
            places = {lookup: place for place, lookup in enumerate(lookups)}
            for lookup, name, sealed in _select(con, "lookup", lookups):
                place = places[bytes(lookup)]
                names[place], keys[place] = name, bytes(sealed)
        return names, keys

    def _add(self, people: dict[bytes, str]) -> None:
        """Insert new persons; one who came in between through another process stays as that process made them."""
        seal = _Sealer(self._keyring.current(SEALING_KEY), 2 * len(people))
        text_keys = _cut(secrets.token_bytes(KEY_BYTES * len(people)), KEY_BYTES)
        names = _cut(secrets.token_bytes(PSEUDONYM_BYTES * len(people)), PSEUDONYM_BYTES)
        with self._store.writing() as con:
            dialect = con.dialect
            written = person.c.created_at.type.dialect_impl(dialect).bind_processor(dialect)
            now: Any = dt.datetime.now(dt.UTC).replace(tzinfo=None)
            now = written(now) if written else now
            rows = [
                (lookup, f"c_{name.hex()}", seal(lookup, identifier.encode()), seal(lookup, text_key), now)
                for (lookup, identifier), text_key, name in zip(people.items(), text_keys, names, strict=True)
            ]
            # As where persons are looked up, the driver is asked itself.
            cursor = con.connection.cursor()
            cursor.executemany(_insert_if_absent(dialect.name), rows)
            cursor.close()

    def _text_keys(self, pseudonyms: set[str]) -> dict[str, bytes]:
        """Give the text key of each person by pseudonym; who is not in the vault is left out."""
        unseal = _Unsealer(self._keyring)
        with self._store.reading() as con:
            rows = _select(con, "pseudonym", sorted(pseudonyms))
            return {pseudonym: unseal(bytes(lookup), bytes(sealed)) for lookup, pseudonym, sealed in rows}


def _select(con: Connection, by: str, wanted: Sequence[Any]) -> Iterator[Any]:
    """Give (lookup, pseudonym, sealed text key) of the persons whose column ``by`` holds a wanted value.

    The driver is asked itself: what SQLAlchemy does to bind a value and to wrap a row costs more than the look-up.
    """
    cursor = con.connection.cursor()
    mark = "?" if con.dialect.paramstyle == "qmark" else "%s"
    for start in range(0, len(wanted), CHUNK):
        chunk = tuple(wanted[start : start + CHUNK])
        marks = ", ".join([mark] * len(chunk))
        cursor.execute(f"select lookup, pseudonym, sealed_text_key from person where {by} in ({marks})", chunk)
        yield from cursor.fetchall()
    cursor.close()


def _at_places(con: Connection, lookups: Sequence[bytes]) -> list[Any]:
    """Give (place in ``lookups``, pseudonym, sealed text key) from SQLite, whose time goes into parameters else."""
    cursor = con.connection.cursor()
    wanted = f"substr(?, place * {LOOKUP_BYTES} + 1, {LOOKUP_BYTES})"
    cursor.execute(
        "with recursive places(place) as (select 0 union all select place + 1 from places where place < ?) "
        f"select place, pseudonym, sealed_text_key from places cross join person on lookup = {wanted}",
        (len(lookups) - 1, b"".join(lookups)),
    )
    found = list(cursor.fetchall())
    cursor.close()
    return found


def _insert_if_absent(dialect: str) -> str:
    columns = "person (lookup, pseudonym, sealed_identifier, sealed_text_key, created_at)"
    if dialect == "postgresql":
        return f"insert into {columns} values (%s, %s, %s, %s, %s) on conflict (lookup) do nothing"
    return f"insert or ignore into {columns} values (?, ?, ?, ?, ?)"


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
        from cryptography.exceptions import InvalidTag

        self._keyring, self._opens, self._damaged = keyring, dict[bytes, Any](), InvalidTag

    def __call__(self, lookup: bytes, sealed: bytes) -> bytes:
        version = sealed[:4]
        open_sealed = self._opens.get(version) or self._opener(version)
        try:
            opened: bytes = open_sealed(sealed[4 : 4 + NONCE_BYTES], sealed[4 + NONCE_BYTES :], lookup)
        except self._damaged as error:
            raise KeyAccessError("A person's row in the vault is damaged.", hint="Restore the store.") from error
        return opened

    def _opener(self, version: bytes) -> Any:  # noqa: ANN401 - the library's own function
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._keyring.get(SEALING_KEY, int.from_bytes(version, "big"))
        self._opens[version] = AESGCM(key.secret).decrypt
        return self._opens[version]


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
