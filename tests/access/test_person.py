"""SQL and KPIs as one person may see them: right within their scope, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shoplake.access.identity import Identity
from shoplake.access.kpi import answer, answer_all, load_kpis
from shoplake.access.releasing import apply
from shoplake.access.rights import Rights
from shoplake.access.session import open_release_session
from shoplake.access.sql import query
from shoplake.cli.main import shoplake
from shoplake.errors import AccessDenied, NotFoundError
from shoplake.pipeline import releases
from shoplake.settings import Settings
from tests.access.released import COST, SOUTH

NORTH = {"region": ("North",)}
SALES, NORTH_SALES = Identity("sales", "sales"), Identity("north_sales", "sales", NORTH)
FINANCE, ANALYST, MARKETING = (Identity(name, name) for name in ("finance", "analyst", "marketing"))
NET = "select region, sum(net_amount) from sales.mart_sales__store_day group by all order by all"


def refusal(settings: Settings, sql: str, identity: Identity) -> str:
    with pytest.raises(AccessDenied) as caught:
        query(settings, sql, identity=identity)
    return caught.value.message


def test_a_regional_manager_sums_their_region(released: Settings) -> None:
    everybody = query(released, NET, identity=SALES).rows
    assert query(released, NET).rows == everybody
    assert query(released, NET, identity=NORTH_SALES).rows == [row for row in everybody if row[0] == "North"]
    assert [row[0] for row in everybody] == ["North", SOUTH]


def test_sales_never_sees_cost(released: Settings) -> None:
    asked = "select max(unit_cost_amount) from warehouse.dim_product"
    assert float(query(released, asked, identity=FINANCE).rows[0][0]) == COST
    for sql in (asked, "select p.unit_cost_amount from warehouse.dim_product p", asked.upper()):
        assert "unit_cost_amount is cost, which is not among what sales may see" in refusal(released, sql, SALES)
    assert "unit_cost_amount" not in query(released, "select * from warehouse.dim_product", identity=SALES).columns
    said = refusal(released, "select * from finance.mart_finance__revenue_day", SALES)
    assert "no line grants finance.mart_finance__revenue_day to sales" in said


def test_customers_words_are_for_support_alone(released: Settings) -> None:
    words = "select count(message_ciphertext) from warehouse.fct_interactions"
    assert query(released, words, identity=Identity("support", "support")).rows[0][0] > 0
    engineer = Identity("data_engineer", "data_engineer")
    assert "message_ciphertext is text" in refusal(released, words, engineer)
    assert query(released, "select count(*) from warehouse.fct_interactions", identity=engineer).rows[0][0] > 0


def test_a_mistake_in_sql_stays_a_mistake(released: Settings) -> None:
    from shoplake.errors import QueryError

    for sql in (
        "select nonsense from sales.mart_sales__store_day",
        "select * from sales.nonsense",
        "selec",
        "select 1; select 2",
    ):
        with pytest.raises(QueryError):
            query(released, sql, identity=SALES)


def test_a_role_without_the_console_asks_nothing(released: Settings) -> None:
    assert "sql is not among the consoles of admin" in refusal(released, "select 1", Identity("admin", "admin"))
    only_kpis = Identity("sales", "sales", scopes=frozenset({"kpi"}))
    assert "good for kpi" in refusal(released, "select 1", only_kpis)
    assert answer(released, "total_sales", identity=only_kpis).total.value > 0


def test_a_session_opens_no_file_of_others(released: Settings) -> None:
    import duckdb

    con, shown = open_release_session(released, NORTH_SALES)
    others = releases.files_in([releases.required(released, None)]) - releases.files_in([shown])
    root = released.home / "releases" / "partitions"
    for file in sorted(others)[:5]:
        with pytest.raises(duckdb.PermissionException):
            con.execute(f"select * from read_parquet('{root / file}')")
    con.close()


def test_kpis_are_right_within_a_region_with_comparison_and_parts(released: Settings) -> None:
    asked: dict[str, Any] = {"from_": "2026-03-02", "to": "2026-03-02"}
    for name, by in (("total_sales", "region"), ("stock_availability", "region"), ("product_turnover_rate", "product")):
        filters = {"where": {"region": "North"}} if "region" in load_kpis()[name].dimensions else {}
        mine = answer(released, name, by=[by], identity=NORTH_SALES, **asked)
        if filters:
            theirs = answer(released, name, by=[by], **filters, **asked)
            assert (mine.total, mine.rows, mine.alternatives) == (theirs.total, theirs.rows, theirs.alternatives)
        assert mine.total.value is not None
        assert mine.total.previous is not None, "the day before is known to a person too, like for like"
    alone = answer(released, "product_turnover_rate", identity=NORTH_SALES, **asked)
    assert alone.total.parts["units_sold"] == 3


def test_a_kpi_as_of_an_earlier_day_reads_no_more_than_the_person_may(released: Settings) -> None:
    first = {"from_": "2026-03-01", "to": "2026-03-01"}
    whole = answer(released, "total_sales", where={"region": "North"}, **first)
    assert answer(released, "total_sales", identity=NORTH_SALES, **first).total == whole.total


def test_a_kpi_that_reads_what_the_person_may_not_is_refused(released: Settings) -> None:
    with pytest.raises(AccessDenied, match="may not have revenue, which reads mart_finance__revenue_day"):
        answer(released, "revenue", identity=SALES)
    with pytest.raises(AccessDenied, match="kpi is not among the consoles"):
        answer(released, "revenue", identity=Identity("admin", "admin"))


def test_a_kpi_that_needs_a_hidden_column_is_refused_and_left_out_of_the_overview(own_released: Settings) -> None:
    (own_released.home / "policy.yaml").write_text(
        "version: 1\nsensitivities: {cost: Cost, pseudonym: Person, text: Words}\n"
        "roles:\n  buyer: {tables: [finance.*, operations.*, sales.*], consoles: [kpi, kpis, sql]}\n",
        encoding="utf-8",
    )
    buyer = Identity("bo", "buyer")
    with pytest.raises(AccessDenied, match="`shoplake access apply`|holds no files"):
        answer(own_released, "revenue", identity=buyer)
    from shoplake.access.login import open_logins

    with open_logins(own_released) as logins:
        logins.users.add("bo", "buyer", {}, "unset")
    assert apply(own_released)[0] > 0
    with pytest.raises(AccessDenied, match="cost_amount is cost, which is not among what buyer may see"):
        answer(own_released, "revenue", identity=buyer)
    shown = {found.kpi for found in answer_all(own_released, identity=buyer)}
    assert "revenue" not in shown
    assert {"total_sales", "restock_frequency"} <= shown


def test_the_overview_has_the_kpis_that_a_role_may_see(released: Settings) -> None:
    def shown(identity: Identity) -> set[str]:
        return {found.team for found in answer_all(released, identity=identity)}

    assert shown(SALES) == {"sales"}
    assert shown(MARKETING) == {"marketing"}
    assert shown(FINANCE) == {"finance", "sales"}
    assert len(answer_all(released, identity=ANALYST)) == len(load_kpis())


def test_groups_of_few_customers_show_no_figure(released: Settings) -> None:
    whole = {row["channel"]: row for row in answer(released, "interaction_volume", by=["channel"]).rows}
    found = answer(released, "interaction_volume", by=["channel"], identity=ANALYST)
    rows = {row["channel"]: row for row in found.rows}
    assert rows.keys() == whole.keys()
    assert rows["Email"]["value"] == whole["Email"]["value"] > 0
    for channel in ("App", "Phone"):
        assert whole[channel]["value"] > 0
        assert rows[channel]["value"] is None
        assert set(rows[channel]["parts"].values()) == {None}
        assert "fewer than 5 customers" in rows[channel]["reason"]
    assert found.total.value == answer(released, "interaction_volume").total.value
    for channel in ("App", "Phone"):
        filtered = answer(released, "interaction_volume", where={"channel": channel}, identity=ANALYST).total
        assert filtered.value is None
        assert set(filtered.parts.values()) == {None}
        assert filtered.numerator is None
        assert "fewer than 5 customers" in (filtered.reason or "")


def test_one_small_group_is_not_given_away_by_the_others(released: Settings) -> None:
    rows = answer(released, "interaction_volume", by=["type"], identity=ANALYST).rows
    assert {row["type"]: row["value"] for row in rows} == {"Complaint": None, "Feedback": None}


def test_persons_are_no_dimension_for_those_who_may_not_tell_them_apart(released: Settings) -> None:
    with pytest.raises(AccessDenied, match="by customer"):
        answer(released, "engagement_score", by=["customer"], identity=ANALYST)
    assert answer(released, "engagement_score", by=["customer"], identity=MARKETING).rows


def test_a_release_without_files_for_a_person_says_so(own_released: Settings) -> None:
    newcomer = Identity("ned", "sales", {"region": (SOUTH,)})
    with pytest.raises(AccessDenied, match="holds no files of mart_sales__store_day for these rights"):
        query(own_released, NET, identity=newcomer)
    with pytest.raises(AccessDenied, match="holds no files"):
        answer(own_released, "total_sales", identity=newcomer)
    cli(own_released, "users", "add", "ned", "--role", "sales", "--where", f"region={SOUTH}", "--password-stdin")
    assert query(own_released, NET, identity=newcomer).rows[0][0] == SOUTH


def cli(settings: Settings, *arguments: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(
        shoplake, ["--home", str(settings.home), *arguments], input="a few words in a row\n", standalone_mode=False
    )
    if exit_code == 0 and done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == exit_code, done.output
    return done.output


def test_the_commands_of_an_administrator(own_released: Settings) -> None:
    settings = own_released
    said = cli(settings, "users", "add", "maria", "--role", "sales", "--where", "region=North", "--password-stdin")
    assert said == "maria may sign in as sales.\n"
    rows = json.loads(cli(settings, "sql", NET, "--as", "maria", "--format", "json"))["rows"]
    assert [row[0] for row in rows] == ["North"]
    assert "North" in cli(settings, "kpi", "total_sales", "--by", "region", "--as", "maria")
    listed = {row["name"]: row for row in json.loads(cli(settings, "users", "list", "--format", "json"))}
    assert listed["maria"]["limits"] == {"region": ["North"]}

    made = json.loads(cli(settings, "tokens", "add", "maria", "--scope", "sql", "--days", "3", "--format", "json"))
    tokens = cli(settings, "tokens", "list", "maria", "--format", "json")
    assert made["secret"] not in tokens
    cli(settings, "tokens", "revoke", made["token"])
    assert json.loads(cli(settings, "tokens", "list", "--format", "json"))[0]["revoked_at"]

    one = json.loads(
        cli(settings, "access", "explain", "maria", "warehouse.dim_product.unit_cost_amount", "--format", "json")
    )
    assert (one["allowed"], one["line"].partition(":")[0]) == ("no", "policy.yaml")
    table = json.loads(cli(settings, "access", "explain", "maria", "mart_sales__store_day", "--format", "json"))
    assert (table["allowed"], table["rows"]) == ("yes", {"region": ["North"]})
    everything = json.loads(cli(settings, "access", "explain", "analyst", "--format", "json"))
    assert {row["allowed"] for row in everything} == {"yes", "no", "figures"}
    assert "forgets no table" in cli(settings, "access", "check")

    cli(settings, "users", "role", "maria", "marketing")
    assert "pages" not in cli(settings, "kpis", "--as", "maria", "--team", "marketing")
    assert "Secret of maria" in cli(settings, "users", "totp", "maria")
    cli(settings, "users", "password", "maria", "--password-stdin")
    cli(settings, "users", "disable", "maria")
    with pytest.raises(AccessDenied, match="disabled"):
        cli(settings, "sql", "select 1", "--as", "maria")
    cli(settings, "users", "enable", "maria")
    assert json.loads(cli(settings, "access", "apply", "--format", "json")) == {"views_made": 0, "views_dropped": 0}
    with pytest.raises(NotFoundError):
        cli(settings, "access", "explain", "maria", "nothing")


def test_a_policy_of_the_home_that_is_wrong_is_found(own_released: Settings) -> None:
    file = Path(own_released.home) / "policy.yaml"
    file.write_text("version: 1\nroles: {sales: {tables: [sells.*]}}\n", encoding="utf-8")
    said = cli(own_released, "access", "check", exit_code=1)
    assert f"{file}:2: sales: no table is called 'sells.*'" in said
    assert "user finance has the role 'finance'" in said
    assert Rights.of(own_released, SALES).views() == []
