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
from contextlib import contextmanager
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
    sealed_text_keys: bytes
    """One after the other; empty if no text is to be sealed."""

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
        return self.people(identifiers, have_texts=False).pseudonyms

    def people(self, identifiers: Iterable[str], *, have_texts: bool = True) -> People:
        """Give the persons behind identifiers, each once, as `pseudonyms` does.

        Args:
            identifiers: real ones, any number of times.
            have_texts: whether texts of theirs will be sealed.

        """
        by_lookup = self._lookups(set(identifiers))
        lookups = sorted(by_lookup)
        found = self._find(lookups, with_keys=have_texts)
        while len(found.names) < len(lookups):  # again, if one was erased as soon as they were known
            known = set(_cut(found.lookups, LOOKUP_BYTES))
            new = [lookup for lookup in lookups if lookup not in known]
            self._add({lookup: by_lookup[lookup] for lookup in new})
            found = found.merged(self._find(new, with_keys=have_texts))
        return People([by_lookup[lookup] for lookup in lookups], lookups, found.names, found.keys)

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
        opened = _Unsealer(self._keyring).open_keys(people.lookups, people.sealed_text_keys, places)
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
        text_keys = b"".join(found[name][1] for name in names)
        people = People(names, [found[name][0] for name in names], names, text_keys)
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

    def _find(self, lookups: Sequence[bytes], *, with_keys: bool) -> _Found:
        """Give those who are in the vault, by keyed hashes in ascending order."""
        with self._store.reading() as con:
            if con.dialect.name == "sqlite":
                return _known(con, lookups, with_keys=with_keys)
            rows = sorted((bytes(lookup), name, bytes(key)) for lookup, name, key in _select(con, "lookup", lookups))
        return _Found.of(rows, with_keys=with_keys)

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


@dataclass(frozen=True)
class _Found:
    """Persons of the vault in the order of their keyed hashes: values of one length stand one after the other."""

    lookups: bytes
    names: list[str]
    keys: bytes
    """Sealed text keys; empty if they were not asked for."""

    @classmethod
    def of(cls, rows: Sequence[tuple[bytes, str, bytes]], *, with_keys: bool) -> _Found:
        keys = b"".join(key for _, _, key in rows) if with_keys else b""
        return cls(b"".join(lookup for lookup, _, _ in rows), [name for _, name, _ in rows], keys)

    def merged(self, other: _Found) -> _Found:
        return self.of(sorted([*self._rows(), *other._rows()]), with_keys=bool(self.keys or other.keys))

    def _rows(self) -> Iterator[tuple[bytes, str, bytes]]:
        keys = _cut(self.keys, SEALED_KEY_BYTES) or [b""] * len(self.names)
        return zip(_cut(self.lookups, LOOKUP_BYTES), self.names, keys, strict=True)


def _known(con: Connection, lookups: Sequence[bytes], *, with_keys: bool) -> _Found:
    """Give who is in the vault, from SQLite, by a statement with one row.

    The driver gives up the interpreter for each row and waits for it again, which takes longer than the look-up.
    """
    cursor = con.connection.cursor()
    keys = "cast(group_concat(sealed_text_key, '') as blob)" if with_keys else "null"
    cursor.execute(
        f"{PLACES} select cast(group_concat(lookup, '') as blob), group_concat(pseudonym, ' '), {keys} "
        f"from places cross join person on lookup = substr(?, place * {LOOKUP_BYTES} + 1, {LOOKUP_BYTES})",
        (len(lookups) - 1, b"".join(lookups)),
    )
    ((found, names, found_keys),) = cursor.fetchall()
    cursor.close()
    return _Found(found or b"", (names or "").split(), found_keys or b"")


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
        end = VERSION_BYTES + NONCE_BYTES
        with _damage_said():
            return self._opener(sealed[:VERSION_BYTES])(sealed[VERSION_BYTES:end], sealed[end:], lookup)  # type: ignore[no-any-return]

    def open_keys(self, lookups: Sequence[bytes], sealed: bytes, places: Sequence[int]) -> list[bytes]:
        """Open the text keys of the persons at some places among those whose sealed keys stand one after the other.

        Raises:
            KeyAccessError: one is damaged, or another person's.

        """
        starts = [place * SEALED_KEY_BYTES for place in places]
        versions = {sealed[start : start + VERSION_BYTES] for start in starts}
        opens = {version: self._opener(version) for version in versions}
        only = next(iter(opens.values())) if len(opens) == 1 else None
        nonce, end = VERSION_BYTES + NONCE_BYTES, SEALED_KEY_BYTES
        with _damage_said():
            return [
                (only or opens[sealed[start : start + VERSION_BYTES]])(
                    sealed[start + VERSION_BYTES : start + nonce], sealed[start + nonce : start + end], lookups[place]
                )
                for place, start in zip(places, starts, strict=True)
            ]

    def _opener(self, version: bytes) -> Any:  # noqa: ANN401 - the library's own function
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if version not in self._opens:
            key = self._keyring.get(SEALING_KEY, int.from_bytes(version, "big"))
            self._opens[version] = AESGCM(key.secret).decrypt
        return self._opens[version]


@contextmanager
def _damage_said() -> Iterator[None]:
    from cryptography.exceptions import InvalidTag

    try:
        yield
    except InvalidTag as error:
        raise KeyAccessError("A person's row in the vault is damaged.", hint="Restore the store.") from error


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
