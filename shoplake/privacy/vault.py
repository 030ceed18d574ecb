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
VERSION_BYTES, TAG_BYTES = 4, 16
SEALED_KEY_BYTES = VERSION_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES
CHUNK = 10_000
"""Persons looked up by one statement."""
COLUMNS = "(lookup, pseudonym, sealed_identifier, sealed_text_key, created_at)"
PLACES = "with recursive places(place) as (select 0 union all select place + 1 from places where place < ?)"
"""Begins a statement of SQLite that takes many values out of one parameter, each from its place."""


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

        places = sorted(set(whose))
        opened = _Unsealer(self._keyring).open_all(
            [people.lookups[place] for place in places], [people.sealed_text_keys[place] for place in places]
        )
        keys, sealed = dict(zip(places, opened, strict=True)), list[bytes]()
        last, encrypt, name = -1, AESGCM(bytes(KEY_BYTES)).encrypt, b""
        for nonce, place, text in zip(_nonces(len(texts)), whose, texts, strict=True):
            if place != last:
                last, name, encrypt = place, people.names[place].encode(), AESGCM(keys[place]).encrypt
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
                known, known_names, known_keys = _known(con, lookups)
                if known == lookups:
                    return known_names, known_keys
                rows: Iterable[Any] = zip(known, known_names, known_keys, strict=True)
            else:
                rows = _select(con, "lookup", lookups)
            places = {lookup: place for place, lookup in enumerate(lookups)}
            for lookup, name, sealed in rows:
                place = places[bytes(lookup)]
                names[place], keys[place] = name, bytes(sealed)
        return names, keys

    def _add(self, people: dict[bytes, str]) -> None:
        """Insert new persons; one who came in between through another process stays as that process made them."""
        seal = _Sealer(self._keyring.current(SEALING_KEY), 2 * len(people))
        text_keys = _cut(secrets.token_bytes(KEY_BYTES * len(people)), KEY_BYTES)
        identifiers = [seal(lookup, identifier.encode()) for lookup, identifier in people.items()]
        sealed_keys = [seal(lookup, key) for lookup, key in zip(people, text_keys, strict=True)]
        names = _cut(secrets.token_bytes(PSEUDONYM_BYTES * len(people)), PSEUDONYM_BYTES)
        new = list(zip(people, names, identifiers, sealed_keys, strict=True))
        with self._store.writing() as con:
            dialect = con.dialect
            written = person.c.created_at.type.dialect_impl(dialect).bind_processor(dialect)
            now: Any = dt.datetime.now(dt.UTC).replace(tzinfo=None)
            now = written(now) if written else now
            # As where persons are looked up, the driver is asked itself.
            cursor = con.connection.cursor()
            if dialect.name == "sqlite":
                _insert_at_once(cursor, new, now)
            else:
                rows = [(lookup, f"c_{name.hex()}", sealed, key, now) for lookup, name, sealed, key in new]
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


def _known(con: Connection, lookups: Sequence[bytes]) -> tuple[list[bytes], list[str], list[bytes]]:
    """Give lookups, pseudonyms and sealed text keys of who is in the vault, from SQLite, by a statement with one row.

    The driver gives up the interpreter for each row and waits for it again, which takes longer than the look-up.
    """
    cursor = con.connection.cursor()
    cursor.execute(
        f"{PLACES} select cast(group_concat(lookup, '') as blob), group_concat(pseudonym, ' '), "
        "cast(group_concat(sealed_text_key, '') as blob) from places cross join person on lookup = "
        f"substr(?, place * {LOOKUP_BYTES} + 1, {LOOKUP_BYTES})",
        (len(lookups) - 1, b"".join(lookups)),
    )
    ((found, names, keys),) = cursor.fetchall()
    cursor.close()
    return _cut(found or b"", LOOKUP_BYTES), (names or "").split(), _cut(keys or b"", SEALED_KEY_BYTES)


def _insert_at_once(cursor: Any, new: Sequence[tuple[bytes, bytes, bytes, bytes]], now: str) -> None:  # noqa: ANN401 - the driver is not typed
    """Insert (lookup, name, sealed identifier, sealed text key) into SQLite, all of one length by one statement."""
    by_length: dict[int, list[tuple[bytes, bytes, bytes, bytes]]] = {}
    for row in new:
        by_length.setdefault(len(row[2]), []).append(row)
    for length, rows in by_length.items():
        widths = (LOOKUP_BYTES, PSEUDONYM_BYTES, length, SEALED_KEY_BYTES)
        lookup, name, identifier, key = (f"substr(?, place * {width} + 1, {width})" for width in widths)
        cursor.execute(
            f"{PLACES} insert or ignore into person {COLUMNS} "
            f"select {lookup}, 'c_' || lower(hex({name})), {identifier}, {key}, ? from places",
            (len(rows) - 1, *(b"".join(column) for column in zip(*rows, strict=True)), now),
        )


def _insert_if_absent(dialect: str) -> str:
    if dialect == "postgresql":
        return f"insert into person {COLUMNS} values (%s, %s, %s, %s, %s) on conflict (lookup) do nothing"
    return f"insert or ignore into person {COLUMNS} values (?, ?, ?, ?, ?)"


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def _nonces(count: int) -> list[bytes]:
    """Draw many nonces at once: a call of the system for each costs as much as the encryption."""
    return _cut(secrets.token_bytes(NONCE_BYTES * count), NONCE_BYTES)


class _Sealer:
    """Seals values of persons under the vault's key, each bound to its person."""

    def __init__(self, key: DataKey, count: int) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._prefix, self._encrypt = key.version.to_bytes(VERSION_BYTES, "big"), AESGCM(key.secret).encrypt
        self._nonces = iter(_nonces(count))

    def __call__(self, lookup: bytes, data: bytes) -> bytes:
        nonce = next(self._nonces)
        return self._prefix + nonce + self._encrypt(nonce, data, lookup)


class _Unsealer:
    """Opens what `_Sealer` sealed, under whichever version of the key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring, self._opens = keyring, dict[bytes, Any]()

    def __call__(self, lookup: bytes, sealed: bytes) -> bytes:
        return self.open_all([lookup], [sealed])[0]

    def open_all(self, lookups: Sequence[bytes], sealed: Sequence[bytes]) -> list[bytes]:
        """Open one value of each person.

        Raises:
            KeyAccessError: one is damaged, or another person's.

        """
        from cryptography.exceptions import InvalidTag

        versions = {one[:VERSION_BYTES] for one in sealed}
        opens = {version: self._opens.get(version) or self._opener(version) for version in versions}
        end = VERSION_BYTES + NONCE_BYTES
        try:
            return [
                opens[one[:VERSION_BYTES]](one[VERSION_BYTES:end], one[end:], lookup)
                for lookup, one in zip(lookups, sealed, strict=True)
            ]
        except InvalidTag as error:
            raise KeyAccessError("A person's row in the vault is damaged.", hint="Restore the store.") from error

    def _opener(self, version: bytes) -> Any:  # noqa: ANN401 - the library's own function
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._keyring.get(SEALING_KEY, int.from_bytes(version, "big"))
        self._opens[version] = AESGCM(key.secret).decrypt
        return self._opens[version]


def reseal(store: Store, keyring: Keyring) -> int:
    """Seal every person's row under the newest key; give the number of rows that were under an older one."""
    newest = keyring.current(SEALING_KEY)
    prefix = newest.version.to_bytes(VERSION_BYTES, "big")
    with store.writing() as con:
        rows = con.execute(select(person.c.lookup, person.c.sealed_identifier, person.c.sealed_text_key)).all()
        old = [
            [bytes(value) for value in row] for row in rows if bytes(row.sealed_identifier)[:VERSION_BYTES] != prefix
        ]
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
