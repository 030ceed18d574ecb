"""A person has one random pseudonym and a text key of their own; the vault shows neither in clear."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import delete, select, update

from shoplake.errors import KeyAccessError
from shoplake.keys.keyring import Keyring
from shoplake.privacy.vault import LOOKUP_KEY, SEALING_KEY, Vault, reseal
from shoplake.settings import Settings
from shoplake.store.engine import Store, open_store
from shoplake.store.tables import person

MEET = """
import json, sys
from pathlib import Path
from shoplake.keys.keyring import Keyring
from shoplake.privacy.vault import Vault
from shoplake.settings import load_settings
from shoplake.store.engine import open_store
settings = load_settings(Path(sys.argv[1]))
ring = Keyring.open(settings)
vault = Vault(open_store(settings, ring), ring)
sys.stdin.readline()
known = {}
for start in range(0, 300, 20):
    known |= vault.pseudonyms(str(number) for number in range(start, start + 40))
print(json.dumps(known))
"""


@dataclass(frozen=True)
class Room:
    """A home's store, keyring and vault."""

    store: Store
    keyring: Keyring

    @property
    def vault(self) -> Vault:
        """Give a vault that remembers nothing yet."""
        return Vault(self.store, self.keyring)


@pytest.fixture
def room(settings: Settings) -> Iterator[Room]:
    """Give the vault of a fresh home."""
    ring = Keyring.open(settings)
    store = open_store(settings, ring)
    yield Room(store, ring)
    store.close()


def sealed_text(room: Room, identifier: str, text: str) -> tuple[str, str]:
    """Give a person's pseudonym and a text of theirs, encrypted."""
    pseudonym = room.vault.pseudonyms([identifier])[identifier]
    return pseudonym, room.vault.encrypt_texts([(pseudonym, text)])[0]


def test_an_identifier_keeps_its_pseudonym_and_shares_it_with_none(room: Room) -> None:
    first = room.vault.pseudonyms(["1001", "1002", "1001"])
    again = room.vault.pseudonyms(["1002", "1001", "1003"])
    assert {name: again[name] for name in first} == first
    assert len(set(again.values())) == 3
    assert all(pseudonym.startswith("c_") and name not in pseudonym for name, pseudonym in again.items())


def test_nobody_is_asked_for_and_nobody_comes_back(room: Room) -> None:
    assert room.vault.pseudonyms([]) == {}
    assert room.vault.encrypt_texts([]) == []
    assert room.vault.decrypt_texts([]) == []


def test_pseudonyms_cannot_be_computed_from_identifiers(room: Room) -> None:
    first = room.vault.pseudonyms(["1001"])["1001"]
    with room.store.writing() as con:
        con.execute(delete(person))
    assert room.vault.pseudonyms(["1001"])["1001"] != first


def test_more_persons_than_one_statement_takes_are_kept_apart(room: Room) -> None:
    names = [str(number) for number in range(1700)]
    known = room.vault.pseudonyms(names)
    assert len(set(known.values())) == 1700
    assert room.vault.pseudonyms(names) == known


def test_the_vault_holds_neither_identifier_nor_its_plain_hash(room: Room) -> None:
    import hashlib

    identifier = "jane.doe@example.org"
    room.vault.pseudonyms([identifier])
    with room.store.reading() as con:
        row = con.execute(select(person)).one()
    held = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    assert identifier.encode() not in held
    assert hashlib.sha256(identifier.encode()).digest() not in held


def test_processes_that_meet_a_person_at_once_give_the_same_pseudonym(settings: Settings, room: Room) -> None:
    command = [sys.executable, "-c", MEET, str(settings.home)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    one, two = (json.loads(process.communicate(timeout=60)[0]) for process in running)
    assert len(one) == 320
    assert one == two == room.vault.pseudonyms(one)


@pytest.mark.parametrize("text", ["Late again.", "", "Größe 38 – zu klein 😀", "a\nb\tc", "x" * 100_000])
def test_a_text_comes_back_as_it_was(room: Room, text: str) -> None:
    pseudonym, sealed = sealed_text(room, "1001", text)
    assert room.vault.decrypt_texts([(pseudonym, sealed)]) == [text]
    assert not text or text not in sealed


def test_the_same_text_never_looks_the_same_twice(room: Room) -> None:
    assert sealed_text(room, "1001", "Late again.") != sealed_text(room, "1001", "Late again.")


def test_texts_come_back_in_the_order_given(room: Room) -> None:
    known = room.vault.pseudonyms(["1", "2"])
    texts = [(known["2"], "two"), (known["1"], "one"), (known["2"], "two again")]
    sealed = room.vault.encrypt_texts(texts)
    pairs = [(pseudonym, data) for (pseudonym, _), data in zip(texts, sealed, strict=True)]
    assert room.vault.decrypt_texts(pairs) == ["two", "one", "two again"]


def test_a_text_does_not_open_under_another_person(room: Room) -> None:
    _, sealed = sealed_text(room, "1001", "Late again.")
    other = room.vault.pseudonyms(["1002"])["1002"]
    with pytest.raises(KeyAccessError, match=other):
        room.vault.decrypt_texts([(other, sealed)])


@pytest.mark.parametrize("place", [0, 12, -1])
def test_a_changed_text_is_noticed_and_not_shown(room: Room, place: int) -> None:
    pseudonym, sealed = sealed_text(room, "1001", "Late again.")
    data = bytearray(base64.b64decode(sealed))
    data[place] ^= 1
    with pytest.raises(KeyAccessError) as caught:
        room.vault.decrypt_texts([(pseudonym, base64.b64encode(bytes(data)).decode())])
    assert "Late" not in str(caught.value)


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "Late again."])
def test_what_was_never_encrypted_is_noticed(room: Room, sealed: str) -> None:
    pseudonym = room.vault.pseudonyms(["1001"])["1001"]
    with pytest.raises(KeyAccessError):
        room.vault.decrypt_texts([(pseudonym, sealed)])


def test_the_texts_of_an_erased_person_are_gone_and_those_of_others_stay(room: Room) -> None:
    erased, stays = sealed_text(room, "1001", "forget me"), sealed_text(room, "1002", "keep me")
    with room.store.writing() as con:
        con.execute(delete(person).where(person.c.pseudonym == erased[0]))
    assert room.vault.decrypt_texts([erased, stays]) == [None, "keep me"]
    with pytest.raises(KeyAccessError, match="knows no person"):
        room.vault.encrypt_texts([(erased[0], "more")])
    back = room.vault.pseudonyms(["1001"])["1001"]
    assert back != erased[0]
    assert room.vault.decrypt_texts([erased]) == [None]


def test_a_vault_that_knew_a_person_notices_that_they_were_erased(room: Room) -> None:
    vault = room.vault
    before = vault.pseudonyms(["1001", "1002"])
    with room.store.writing() as con:
        con.execute(delete(person).where(person.c.pseudonym == before["1001"]))
    after = vault.pseudonyms(["1001", "1002"])
    assert after["1001"] != before["1001"]
    assert after["1002"] == before["1002"]


def test_texts_sealed_with_persons_just_looked_up_open_as_others_do(room: Room) -> None:
    room.vault.pseudonyms(["1001"])
    people = room.vault.people(["1001", "new"])
    whose = [people.identifiers.index(name) for name in ("1001", "new", "1001")]
    sealed = room.vault.seal_texts(people, whose, [b"one", "zwölf".encode(), b"one more"])
    pairs = [(people.names[n], base64.b64encode(data).decode()) for n, data in zip(whose, sealed, strict=True)]
    assert room.vault.decrypt_texts(pairs) == ["one", "zwölf", "one more"]


def test_persons_are_found_by_a_standard_keyed_hash_of_their_identifier(room: Room) -> None:
    room.vault.pseudonyms(["1001", "jane.doe@example.org"])
    secret = room.keyring.get(LOOKUP_KEY, 1).secret
    with room.store.reading() as con:
        held = {bytes(row.lookup) for row in con.execute(select(person))}
    assert held == {hmac.digest(secret, name, "sha256") for name in (b"1001", b"jane.doe@example.org")}


def test_known_and_new_persons_met_together_each_get_their_own_row(room: Room) -> None:
    before = room.vault.pseudonyms(str(number) for number in range(0, 300, 3))
    people = room.vault.people(str(number) for number in range(300))
    assert sorted(people.identifiers, key=int) == [str(number) for number in range(300)]
    assert {name: people.pseudonyms[name] for name in before} == before
    assert people == room.vault.people(str(number) for number in range(300))


@pytest.mark.parametrize("column", ["sealed_identifier", "sealed_text_key"])
def test_rows_cannot_be_swapped_between_persons(room: Room, column: str) -> None:
    one, two = sealed_text(room, "1001", "one"), sealed_text(room, "1002", "two")
    with room.store.writing() as con:
        rows = {row.pseudonym: row._mapping[column] for row in con.execute(select(person))}
        con.execute(update(person).where(person.c.pseudonym == one[0]).values({column: rows[two[0]]}))
    with pytest.raises(KeyAccessError, match="damaged"):
        room.vault.decrypt_texts([one]) if column == "sealed_text_key" else _reseal_anew(room)


def _reseal_anew(room: Room) -> None:
    room.keyring.new_versions([SEALING_KEY])
    reseal(room.store, room.keyring)


def test_resealed_rows_need_only_the_newest_key(room: Room) -> None:
    pairs = [sealed_text(room, str(number), f"text {number}") for number in range(3)]
    before = room.vault.pseudonyms(["0", "1", "2"])
    room.keyring.new_versions([SEALING_KEY])
    late = sealed_text(room, "late", "under the new key")
    assert reseal(room.store, room.keyring) == 3
    assert reseal(room.store, room.keyring) == 0
    room.keyring.retire(SEALING_KEY, 1)
    assert room.vault.pseudonyms(["0", "1", "2"]) == before
    assert room.vault.decrypt_texts([*pairs, late]) == ["text 0", "text 1", "text 2", "under the new key"]


def test_rows_not_yet_resealed_cannot_be_opened_once_their_key_is_retired(room: Room) -> None:
    pair = sealed_text(room, "1001", "left behind")
    room.keyring.new_versions([SEALING_KEY])
    room.keyring.retire(SEALING_KEY, 1)
    with pytest.raises(KeyAccessError, match="version 1"):
        room.vault.decrypt_texts([pair])


def test_a_reseal_that_meets_a_damaged_row_changes_nothing(room: Room) -> None:
    for number in range(3):
        sealed_text(room, str(number), "text")
    with room.store.writing() as con:
        row = con.execute(select(person).limit(1)).one()
        damaged = row.sealed_text_key[:-1] + bytes([row.sealed_text_key[-1] ^ 1])
        con.execute(update(person).where(person.c.lookup == row.lookup).values(sealed_text_key=damaged))
    with room.store.reading() as con:
        before = con.execute(select(person)).all()
    with pytest.raises(KeyAccessError, match="damaged"):
        _reseal_anew(room)
    with room.store.reading() as con:
        assert con.execute(select(person)).all() == before
