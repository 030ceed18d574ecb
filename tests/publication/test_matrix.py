"""Every login sees in the database exactly the tables, columns and rows of its user's rights, and no others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from shoplake.access.catalogue import load_catalogue
from shoplake.access.rights import Rights
from shoplake.access.session import open_release_session
from shoplake.keys.duckdb_session import quoted
from tests.access.released import COST, SOUTH, identities
from tests.publication.conftest import LOGINS, Bi

PEOPLE: dict[str, Rights] = {}


def rights_of(bi: Bi, user: str) -> Rights:
    if not PEOPLE:
        PEOPLE.update({found.name: Rights.of(bi.settings, found) for found in identities(bi.settings)})
    return PEOPLE[user]


def listed(names: Any) -> str:
    return ", ".join(quoted(name) for name in names)


def as_text(rows: list[tuple[Any, ...]]) -> Counter[str]:
    return Counter(repr(tuple(str(value).removesuffix("+00:00") for value in row)) for row in rows)


@pytest.mark.parametrize("user", LOGINS)
def test_a_login_sees_the_rows_and_columns_of_its_rights_and_is_denied_all_others(bi: Bi, user: str) -> None:
    rights, denied = rights_of(bi, user), 0
    session, _ = open_release_session(bi.settings, rights.identity)
    with bi.connect(user) as con:
        for name, entry in load_catalogue().items():
            columns = rights.columns(name)
            if columns:
                sql = f"select {listed(columns)} from {entry.full_name}"
                assert as_text(con.execute(sql).fetchall()) == as_text(session.execute(sql).fetchall()), entry.full_name
            for column in entry.columns.keys() - set(columns):
                denied += 1
                with pytest.raises((InsufficientPrivilege, psycopg.errors.UndefinedColumn)):
                    con.execute(f"select {quoted(column)} from {entry.full_name}")
            if len(columns) < len(entry.columns):
                with pytest.raises(InsufficientPrivilege):
                    con.execute(f"select * from {entry.full_name}")
    session.close()
    assert denied > 0


@pytest.mark.parametrize("user", LOGINS)
def test_what_a_login_may_select_is_what_tools_are_told(bi: Bi, user: str) -> None:
    rights = rights_of(bi, user)
    with bi.connect(user) as con:
        told = con.execute(
            "select table_schema || '.' || table_name, column_name from information_schema.columns "
            "where table_schema not in ('pg_catalog', 'information_schema', 'shoplake')"
        ).fetchall()
    expected = {(load_catalogue()[name].full_name, c) for name in load_catalogue() for c in rights.columns(name)}
    tables, schema = partial(bi, user), f"for_{rights.role.name}"
    views = {(f"{schema}.{table.partition('.')[2]}", column) for table, column in expected if table in tables}
    assert set(told) == expected | views


def partial(bi: Bi, user: str) -> set[str]:
    """Give the tables of which a user sees some columns only."""
    rights = rights_of(bi, user)
    return {
        entry.full_name
        for name, entry in load_catalogue().items()
        if rights.columns(name) and set(rights.columns(name)) < set(published(bi)[entry.full_name])
    }


def published(bi: Bi) -> dict[str, list[str]]:
    """Give the columns of each table in the database."""
    if bi.database not in FOUND:
        found = FOUND.setdefault(bi.database, {})
        with bi.as_owner() as con:
            rows = con.execute(
                "select attrelid::regclass::text, attname from pg_attribute join shoplake.published_object "
                "on kind = 'table' and attrelid = format('%I.%I', schema_name, object_name)::regclass where attnum > 0"
            ).fetchall()
        for table, column in rows:
            found.setdefault(table, []).append(column)
    return FOUND[bi.database]


FOUND: dict[str, dict[str, list[str]]] = {}


def test_a_column_that_no_role_sees_is_not_in_the_database(bi: Bi) -> None:
    seen = {
        (entry.full_name, column)
        for user in LOGINS
        for name, entry in load_catalogue().items()
        for column in rights_of(bi, user).columns(name)
    }
    assert {(table, column) for table, columns in published(bi).items() for column in columns} == seen


def test_views_show_all_columns_that_a_role_has_of_a_table(bi: Bi) -> None:
    for user, view in (("sales", "for_sales.dim_product"), ("north_sales", "for_sales.dim_product")):
        with bi.connect(user) as con:
            shown = con.execute(f"select * from {view}")
            assert [c.name for c in shown.description or []] == list(rights_of(bi, user).columns("dim_product"))
            assert str(COST) not in repr(shown.fetchall())
    with bi.connect("finance") as con:
        with pytest.raises(InsufficientPrivilege):
            con.execute("select * from for_sales.dim_product")
        assert str(COST) in repr(con.execute("select * from warehouse.dim_product").fetchall())


def test_a_user_of_one_region_sees_no_other_whatever_they_ask(bi: Bi) -> None:
    with bi.connect("north_sales") as con:
        assert con.execute("select distinct region from sales.mart_sales__store_day").fetchall() == [("North",)]
        for sql in (
            f"select * from sales.mart_sales__store_day where region = '{SOUTH}'",
            f"select * from warehouse.dim_store where store_name like '%{SOUTH}%'",
        ):
            assert con.execute(sql).fetchall() == []
        assert con.execute("select * from shoplake.user_limit").fetchall() == [("north_sales", "region", "North")]
        for sql in (
            "insert into shoplake.user_limit values ('north_sales', 'region', 'x')",
            "update shoplake.user_limit set value = 'x'",
            "delete from sales.mart_sales__store_day",
            "alter table sales.mart_sales__store_day disable row level security",
            "set role shoplake_finance",
            "create table sales.mine (a int)",
            "select * from shoplake.published_partition",
        ):
            with pytest.raises(InsufficientPrivilege):
                con.execute(sql)
        con.execute("set role shoplake_sales_by_region")
        assert con.execute("select count(*) from sales.mart_sales__store_day").fetchone() == (0,)


def test_the_statistics_of_the_planner_tell_nobody_more(bi: Bi) -> None:
    with bi.connect("north_sales") as con:
        shown = con.execute("select * from pg_stats where schemaname not in ('pg_catalog', 'information_schema')")
        assert SOUTH not in repr(shown.fetchall())
    with bi.connect("sales") as con:
        shown = con.execute("select attname from pg_stats where schemaname = 'warehouse'")
        assert "unit_cost_amount" not in repr(shown.fetchall())


def test_a_login_without_a_user_and_one_of_a_role_without_tables_see_nothing(bi: Bi) -> None:
    with bi.as_owner() as con:
        con.execute("create role stranger login password 'only for the test'")
        con.execute("create role auditor login password 'only for the test'")
    report = bi.publish()
    assert "auditor" not in report.members
    bi.passwords.update({"stranger": "only for the test", "auditor": "only for the test"})
    for user in ("stranger", "auditor"):
        with bi.connect(user) as con:
            for entry in load_catalogue().values():
                with pytest.raises(InsufficientPrivilege):
                    con.execute(f"select 1 from {entry.full_name}")
            for table in ("publication", "user_limit", "published_object"):
                with pytest.raises(InsufficientPrivilege):
                    con.execute(f"select 1 from shoplake.{table}")
