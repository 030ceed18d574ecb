"""What a further publication does: it loads what changed, and follows the policy, the users and the models."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import psycopg
import pytest
from click.testing import CliRunner
from psycopg.errors import InsufficientPrivilege

from shoplake.access.login import open_logins
from shoplake.access.policy import PACKAGED
from shoplake.audit.reading import Wanted, find
from shoplake.cli.main import shoplake
from shoplake.errors import PublicationError
from shoplake.keys.duckdb_session import connect
from shoplake.pipeline import releases
from shoplake.pipeline.manifest import Table
from shoplake.publication import changes
from shoplake.publication.server import Server
from shoplake.publication.target import parse_target
from shoplake.publication.wanted import wanted
from shoplake.settings import Settings, load_settings
from shoplake.store.users import User
from tests.publication.conftest import PUBLISHER, Bi

STORE_DAY = "sales.mart_sales__store_day"


@pytest.fixture(scope="module")
def shared(bi: Bi) -> Bi:
    """Give a database that the copies of the home take turns to be published into."""
    return bi.another(bi.settings)


@pytest.fixture
def own(shared: Bi, tmp_path: Path) -> Bi:
    """Give a copy of the home that a test may change, published; the database then shows it and nothing else."""
    shutil.copytree(shared.settings.home, tmp_path / "copy")
    prefix = shared.settings.publish_postgres_prefix
    settings = load_settings(tmp_path / "copy").model_copy(update={"publish_postgres_prefix": prefix})
    found = replace(shared, settings=settings)
    found.first = found.publish()
    return found


def release(settings: Settings, **tables: Table | None) -> str:
    """Make another release, with some tables in another state, or without them (None)."""
    before = releases.required(settings, None)
    now = before.created_at + dt.timedelta(seconds=1)
    changed = {name: table for name, table in {**before.tables, **tables}.items() if table is not None}
    release_id = releases.next_release_id(settings, now)
    releases.save(settings, msgspec.structs.replace(before, release_id=release_id, created_at=now, tables=changed))
    return release_id


def table(settings: Settings, name: str) -> Table:
    return releases.required(settings, None).tables[name]


def count(own: Bi, name: str) -> int:
    with own.as_owner() as con:
        return int(con.execute(f"select count(*) from {name}").fetchone()[0])


def test_the_same_release_again_loads_and_changes_nothing(own: Bi) -> None:
    again = own.publish()
    assert (again.rows, again.loaded, again.granted, again.revoked, again.dropped) == (0, [], [], [], [])
    assert own.first is not None
    assert again.members == own.first.members


def test_only_changed_days_are_loaded_and_gone_ones_go(own: Bi) -> None:
    days = table(own.settings, "mart_sales__store_day")
    first, second = days.partitions
    release(own.settings, mart_sales__store_day=msgspec.structs.replace(days, partitions=(first,)))
    report = own.publish()
    assert (report.loaded, report.rows, report.partitions) == ([STORE_DAY], 0, 0)
    assert count(own, STORE_DAY) == first.rows
    release(own.settings, mart_sales__store_day=days)
    report = own.publish()
    assert (report.loaded, report.rows, report.partitions) == ([STORE_DAY], second.rows, 1)
    with own.as_owner() as con:
        found = con.execute(f"select sale_date, count(*) from {STORE_DAY} group by 1 order by 1").fetchall()
    assert [rows for _, rows in found] == [first.rows, second.rows]
    everything = own.publish(everything=True)
    assert everything.rows == sum(t.rows for t in releases.required(own.settings, None).tables.values())
    assert count(own, STORE_DAY) == days.rows


def test_a_run_whose_publication_fails_says_so_and_ends_well_and_a_later_one_catches_up(
    own: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPLAKE_PUBLISH_POSTGRES_URL", own.url_with_passfile)
    monkeypatch.setenv("SHOPLAKE_PUBLISH_POSTGRES_PREFIX", own.settings.publish_postgres_prefix)
    call, old = ["--home", str(own.settings.home)], own.publish().release
    days = table(own.settings, "mart_sales__store_day")
    new = release(own.settings, mart_sales__store_day=msgspec.structs.replace(days, partitions=days.partitions[:1]))
    own.execute(f"alter role {PUBLISHER} nologin")
    try:
        done = CliRunner().invoke(shoplake, [*call, "run", "--format", "json"])
    finally:
        own.execute(f"alter role {PUBLISHER} login")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["publication"]["error"]["code"] == "publication"
    assert "not permitted to log in" in done.stderr
    shown = json.loads(CliRunner().invoke(shoplake, [*call, "status", "--format", "json"]).stdout)["publication"]
    assert (shown["status"], shown["release"]) == ("failed", old)
    assert "not permitted to log in" in shown["error"]
    assert find(own.settings, Wanted(action="publish postgres"))[-1].outcome == "failed"

    done = CliRunner().invoke(shoplake, [*call, "stream", "--once"])
    assert done.exit_code == 0, done.output
    assert "Published to 127.0.0.1" in done.stdout
    assert count(own, STORE_DAY) == days.partitions[0].rows
    entry = find(own.settings, Wanted(action="publish postgres"))[-1]
    assert (entry.outcome, entry.release, entry.tables, entry.rows) == ("ok", new, [STORE_DAY], 0)
    assert f"In {shown['target']}: {new}" in CliRunner().invoke(shoplake, [*call, "status"]).output
    shown = json.loads(CliRunner().invoke(shoplake, [*call, "status", "--format", "json"]).stdout)["publication"]
    assert (shown["status"], shown["release"], shown["error"]) == ("ok", new, "")


def test_a_changed_policy_grants_and_takes_back(own: Bi) -> None:
    prefix, text = own.settings.publish_postgres_prefix, PACKAGED.read_text(encoding="utf-8")
    text = text.replace(
        "      - warehouse.dim_customer\n    sensitive: [pseudonym]\n    consoles: [kpi",
        "    sensitive: [pseudonym]\n    consoles: [kpi",
        1,
    )
    text = text.replace(
        "    about: Sells; sees",
        "    hide: [sales.mart_sales__store_day.transactions]\n    sensitive: [cost]\n    about: Sells; sees",
    )
    text = text[: text.index("  analyst:")] + text[text.index("  data_engineer:") :]
    (own.settings.home / "policy.yaml").write_text(text, encoding="utf-8")
    report = own.publish()
    assert report.rows == 0
    assert f"select on warehouse.dim_customer: {prefix}marketing" in report.revoked
    assert f"select on {STORE_DAY}: {prefix}sales" in report.revoked
    assert f"select on {STORE_DAY}.net_amount: {prefix}sales" in report.granted
    assert f"{prefix}analyst" in report.dropped
    with own.connect("sales") as con:
        assert con.execute("select unit_cost_amount from warehouse.dim_product").fetchall()
        assert con.execute("select * from for_sales.mart_sales__store_day").fetchall()
        for gone in (f"select transactions from {STORE_DAY}", f"select * from {STORE_DAY}"):
            with pytest.raises(InsufficientPrivilege):
                con.execute(gone)
        with pytest.raises(psycopg.errors.UndefinedTable):
            con.execute("select * from for_sales.dim_product")
    with own.connect("marketing") as con, pytest.raises(InsufficientPrivilege):
        con.execute("select 1 from warehouse.dim_customer")
    with own.connect("analyst") as con, pytest.raises(InsufficientPrivilege):
        con.execute(f"select 1 from {STORE_DAY}")
    with own.as_owner() as con:
        assert con.execute("select 1 from pg_roles where rolname = %s", [f"{prefix}analyst"]).fetchall() == []
    (own.settings.home / "policy.yaml").unlink()
    own.publish()
    with own.connect("sales") as con:
        assert con.execute(f"select transactions from {STORE_DAY}").fetchall()
        assert con.execute("select * from for_sales.dim_product").fetchall()


def test_a_role_that_may_not_ask_in_sql_has_no_group(settings: Settings, released: Settings) -> None:
    text, manifest = PACKAGED.read_text(encoding="utf-8"), releases.required(released, None)
    assert "shoplake_support" in wanted(settings, manifest, []).groups
    before, _, after = text.partition("    sensitive: [pseudonym, text]\n    consoles: [kpi, kpis, sql")
    changed = f"{before}    sensitive: [pseudonym, text]\n    consoles: [kpi, kpis{after}"
    (settings.home / "policy.yaml").write_text(changed, encoding="utf-8")
    found = wanted(settings, manifest, [])
    assert "shoplake_support" not in found.groups
    assert "message_ciphertext" not in found.tables["warehouse", "fct_interactions"].columns


def test_a_user_of_a_groups_name_lends_its_values_to_no_member(settings: Settings, released: Settings) -> None:
    manifest, at = releases.required(released, None), dt.datetime(2026, 1, 1)
    names = ("shoplake_sales_by_region", "maria")
    users = [User(name, "sales", {"region": ("North",)}, at) for name in names]
    found = wanted(settings, manifest, users)
    assert found.members == {"maria": "shoplake_sales_by_region"}
    assert found.limits == {("maria", "region", "North")}


def test_users_move_between_groups_and_regions(own: Bi) -> None:
    prefix = own.settings.publish_postgres_prefix
    with open_logins(own.settings) as logins:
        logins.users.set_role("north_sales", "sales", {"region": ["SouthCanary"]})
        logins.users.set_role("marketing", "finance", {})
        logins.users.set_disabled("support", is_disabled=True)
    report = own.publish()
    assert report.rows == 0
    assert set(report.revoked) == {f"{prefix}marketing from marketing", f"{prefix}support from support"}
    assert report.granted == [f"{prefix}finance to marketing"]
    with own.connect("north_sales") as con:
        assert con.execute(f"select distinct region from {STORE_DAY}").fetchall() == [("SouthCanary",)]
    with own.connect("support") as con, pytest.raises(InsufficientPrivilege):
        con.execute("select 1 from support.mart_support__cases")


def test_a_user_who_is_disabled_is_shut_out_of_the_database_by_the_same_command(
    own: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPLAKE_PUBLISH_POSTGRES_URL", own.url_with_passfile)
    monkeypatch.setenv("SHOPLAKE_PUBLISH_POSTGRES_PREFIX", own.settings.publish_postgres_prefix)
    call = ["--home", str(own.settings.home), "users"]
    for change, is_in in (("disable", False), ("enable", True)):
        done = CliRunner().invoke(shoplake, [*call, change, "finance", "--format", "json"])
        assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, f"{change}d"), done.output
        with own.connect("finance") as con:
            if is_in:
                assert con.execute(f"select 1 from {STORE_DAY}").fetchall()
            else:
                with pytest.raises(InsufficientPrivilege):
                    con.execute(f"select 1 from {STORE_DAY}")


def test_what_others_grant_or_break_is_set_right(own: Bi) -> None:
    prefix = own.settings.publish_postgres_prefix
    with own.as_owner() as con:
        con.execute(f"grant select on {STORE_DAY} to public")
        con.execute("grant usage on schema sales to marketing")
        con.execute(f"grant {prefix}finance to marketing")
        con.execute("grant select (unit_cost_amount) on warehouse.dim_product to sales")
        con.execute("drop table warehouse.dim_store cascade")
        con.execute(f"alter table {STORE_DAY} disable row level security")
    with own.connect("marketing") as con:
        assert con.execute(f"select 1 from {STORE_DAY}").fetchall()
    report = own.publish()
    assert report.loaded == ["warehouse.dim_store"]
    assert set(report.revoked) == {
        f"select on {STORE_DAY}: public",
        "usage on sales: marketing",
        "select on warehouse.dim_product.unit_cost_amount: sales",
        f"{prefix}finance from marketing",
    }
    with own.connect("marketing") as con, pytest.raises(InsufficientPrivilege):
        con.execute(f"select 1 from {STORE_DAY}")
    with own.connect("north_sales") as con:
        assert con.execute(f"select distinct region from {STORE_DAY}").fetchall() == [("North",)]
        assert con.execute("select count(*) from warehouse.dim_store").fetchone() == (1,)


def test_a_table_that_is_gone_or_of_another_shape(own: Bi, monkeypatch: pytest.MonkeyPatch) -> None:
    products = table(own.settings, "dim_product")
    shorter = {name: kind for name, kind in products.columns.items() if name != "brand"}
    release(
        own.settings, mart_finance__revenue_day=None, dim_product=msgspec.structs.replace(products, columns=shorter)
    )
    monkeypatch.setattr(changes, "PATIENCE", 1)
    with own.connect("finance") as reader:
        reader.execute("begin; select 1 from warehouse.dim_product")
        with pytest.raises(PublicationError, match="lock timeout"):
            own.publish()
        assert reader.execute("select brand from warehouse.dim_product").fetchall()
        assert reader.execute("select 1 from finance.mart_finance__revenue_day").fetchall()
        reader.execute("rollback")
    report = own.publish()
    assert report.loaded == ["warehouse.dim_product"]
    assert report.dropped == ["finance.mart_finance__revenue_day"]
    with own.as_owner() as con:
        assert con.execute("select 1 from pg_namespace where nspname = 'finance'").fetchall() == []
    with own.connect("sales") as con:
        shown = con.execute("select * from for_sales.dim_product")
        assert [c.name for c in shown.description or []] == [
            "product_id",
            "product_name",
            "category",
            "list_price_amount",
        ]
    with own.as_owner() as con:
        con.execute("create schema extra; create view extra.cheap as select product_id from warehouse.dim_product")
    release(own.settings, dim_product=products)
    with pytest.raises(PublicationError, match="depend") as caught:
        own.publish()
    assert "view" in caught.value.hint
    own.execute("drop schema extra cascade")
    assert own.publish().loaded == ["warehouse.dim_product"]


def test_a_schema_of_somebody_else_is_left_alone(bi: Bi, tmp_path: Path) -> None:
    shutil.copytree(bi.settings.home, tmp_path / "copy")
    other = bi.another(load_settings(tmp_path / "copy"))
    with other.as_owner() as con:
        con.execute("create schema sales; create table sales.mart_sales__store_day (mine int)")
    with pytest.raises(PublicationError, match="schema sales that is not shoplake's"):
        other.publish()
    assert count(other, STORE_DAY) == 0


def test_a_text_with_the_character_nul_is_written_with_its_sign(own: Bi) -> None:
    con = connect(own.settings)
    server = Server(con, parse_target(own.url, own.passwords[PUBLISHER]))
    with server.transaction(""):
        server.execute("create schema odd; create table odd.words (word text)")
        server.insert("odd", "words", ["word"], "select 'a' || chr(0) || 'b'")
    assert server.rows("select word from odd.words") == [("a␀b",)]
    con.close()
