"""Saved and asked queries: sealed at rest, each seen by whom it is for."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, text

import shoplake.store.queries
from shoplake.errors import InputError, KeyAccessError, NotFoundError
from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.engine import Store
from shoplake.store.queries import AskedQuery, Queries, new_query
from shoplake.store.sealed_texts import SealedTexts
from shoplake.store.tables import asked_query, saved_query
from shoplake.store.users import USERS_KEY, Users

PERSONAL = "select * from customers where name = 'MARKER'"


@pytest.fixture
def queries(settings: Settings, store: Store) -> Queries:
    users = Users(store)
    for name, role in (("anna", "sales"), ("ben", "sales"), ("cleo", "finance")):
        users.add(name, role, {}, "unset")
    return Queries(store, Keyring.open(settings))


def asked(number: int, user: str = "anna") -> AskedQuery:
    at = dt.datetime(2026, 3, 1) + dt.timedelta(seconds=number)
    return AskedQuery(f"{user}{number}", user, f"select {number}", "ok", number, 12, at)


def test_a_query_is_for_its_author_and_a_shared_one_for_the_role_that_it_was_saved_under(queries: Queries) -> None:
    queries.save(new_query("1", "anna", "sales", "Mine", PERSONAL, is_shared=False))
    queries.save(new_query("2", "anna", "sales", "ours", PERSONAL, is_shared=True))
    seen = {
        (user, role): [query.query_id for query in queries.visible(user, role)]
        for user, role in (("anna", "sales"), ("ben", "sales"), ("cleo", "finance"), ("anna", "finance"))
    }
    assert seen == {
        ("anna", "sales"): ["1", "2"],
        ("ben", "sales"): ["2"],
        ("cleo", "finance"): [],
        ("anna", "finance"): ["1", "2"],
    }
    assert queries.visible("ben", "sales", "1") == []


def test_only_the_author_changes_and_deletes(queries: Queries) -> None:
    queries.save(new_query("1", "anna", "sales", "Ours", PERSONAL, is_shared=True))
    with pytest.raises(NotFoundError):
        queries.change(new_query("1", "ben", "sales", "Bens", "select 2", is_shared=True))
    with pytest.raises(NotFoundError):
        queries.delete("1", "ben")
    queries.change(new_query("1", "anna", "sales", "Renamed", "select 3", is_shared=False))
    (found,) = queries.visible("anna", "sales")
    assert (found.name, found.sql, found.is_shared) == ("Renamed", "select 3", False)
    queries.delete("1", "anna")
    assert queries.visible("anna", "sales") == []


def test_the_number_of_saved_queries_is_bounded(queries: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoplake.store.queries, "MOST_SAVED", 2)
    for name in ("1", "2"):
        queries.save(new_query(name, "anna", "sales", name, "select 1", is_shared=False))
    with pytest.raises(InputError):
        queries.save(new_query("3", "anna", "sales", "3", "select 1", is_shared=False))


def test_the_last_questions_are_kept_and_can_be_forgotten(queries: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoplake.store.queries, "MOST_ASKED", 3)
    for number in range(5):
        queries.remember(asked(number))
    queries.remember(asked(9, "ben"))
    assert [one.sql for one in queries.asked("anna")] == ["select 4", "select 3", "select 2"]
    assert queries.forget("anna") == 3
    assert queries.asked("anna") == []
    assert [one.rows for one in queries.asked("ben")] == [9]


def test_texts_are_sealed_each_for_its_own_row_and_renewed_with_the_key(
    settings: Settings, store: Store, queries: Queries
) -> None:
    queries.save(new_query("1", "anna", "sales", "MARKER of a name", PERSONAL, is_shared=True))
    queries.remember(AskedQuery("2", "anna", PERSONAL, "ok", 1, 1, dt.datetime(2026, 3, 1)))
    with store.reading() as con:
        rows = [*con.execute(select(saved_query)), *con.execute(select(asked_query))]
    assert b"MARKER" not in b"".join(row.sealed_text for row in rows)
    assert "MARKER" not in repr(queries.visible("anna", "sales")) + repr(queries.asked("anna"))
    ring = Keyring.open(settings)
    with pytest.raises(KeyAccessError):
        SealedTexts(ring).open("2", rows[0].sealed_text)
    ring.new_versions([USERS_KEY])
    assert Queries(store, ring).reseal() == 2
    assert Queries(store, ring).reseal() == 0
    with store.reading() as con:
        versions = {bytes(sealed[:4]) for (sealed,) in con.execute(text("select sealed_text from saved_query"))}
    assert versions == {ring.current(USERS_KEY).version.to_bytes(4, "big")}
    assert Queries(store, ring).visible("anna", "sales")[0].sql == PERSONAL
    assert Queries(store, ring).asked("anna")[0].sql == PERSONAL
