"""The Python client and `shoplake sql --url`, against a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

import shoplake
from shoplake.access.kpi import answer
from shoplake.access.sql import query
from shoplake.cli.main import shoplake as command
from shoplake.client import Client
from shoplake.errors import (
    AccessDenied,
    AuthenticationFailed,
    InputError,
    NotFoundError,
    QueryError,
    QueryTimeout,
    UnreachableError,
)
from shoplake.settings import Settings
from tests.access.released import identities
from tests.portal.serving import Serving, token_of
from tests.portal.test_sql import ENDLESS, STORES, Clients, clients, home, running, until

__all__ = ["clients", "home"]


@pytest.fixture(scope="session")
def token(home: Settings) -> str:
    return token_of(home, "sales")


@pytest.fixture(scope="session")
def lake(served: Serving, token: str, home: Settings) -> Iterator[Client]:
    with shoplake.connect(served.url, token, ca=home.home / "tls" / "ca.pem") as client:
        yield client


def who(settings: Settings, name: str) -> Any:
    return next(identity for identity in identities(settings) if identity.name == name)


def test_rows_come_as_arrow_as_tuples_and_as_batches(home: Settings, lake: Client) -> None:
    expected = query(home, STORES, identity=who(home, "sales"))
    result = lake.sql(STORES)
    assert result.rows() == expected.rows
    assert (result.release, result.is_cut, result.schema.names) == (expected.release, False, list(expected.columns))
    assert isinstance(result.rows()[0][3], Decimal)
    assert lake.sql(STORES).arrow().to_pylist()[0]["region"] == expected.rows[0][1]
    sizes = [batch.num_rows for batch in lake.sql("select range from range(300000)")]
    assert (len(sizes) > 1, sum(sizes)) == (True, 300_000)
    assert lake.sql("select range from range(10)", limit=3).is_cut
    assert lake.sql("select ?, ?::decimal(9,2)", ["x", Decimal("1.10")]).rows() == [("x", Decimal("1.10"))]
    assert lake.sql("select $a as a", {"a": 1}).arrow().to_pylist() == [{"a": 1}]
    page = lake.page("select 1.10::decimal(9,2) d, 9007199254740993 n, 'nan'::float f, null e")
    assert page.rows[0][:2] == (Decimal("1.10"), 9007199254740993)
    assert page.rows[0][2] != page.rows[0][2]  # noqa: PLR0124 - not a number


def test_all_questions_go_over_one_connection(served: Serving, token: str, home: Settings) -> None:
    with shoplake.connect(served.url, token, ca=home.home / "tls" / "ca.pem") as lake:
        for _ in range(3):
            lake.sql("select range from range(200000)").arrow()
            lake.page("select 1")
        pools = lake._session.get_adapter("https://").poolmanager.pools  # what requests keeps
        assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - no mapping


def test_kpis_are_those_of_the_person(home: Settings, lake: Client) -> None:
    asked: dict[str, Any] = {"from_": "2026-03-01", "to": "2026-03-02", "by": ["region"]}
    expected = answer(home, "total_sales", identity=who(home, "sales"), **asked)
    found = lake.kpi("total_sales", **asked)
    assert found["total"]["value"] == float(expected.total.value)
    assert [row["region"] for row in found["rows"]] == [row["region"] for row in expected.rows]
    assert lake.kpi("total_sales", where={"region": "North"})["total"]["value"] < found["total"]["value"]
    assert "total_sales" in {one["kpi"] for one in lake.kpis(team="sales")}
    assert lake.queries() == []


def test_failures_are_shoplakes_own_errors(served: Serving, home: Settings, lake: Client) -> None:
    for error, call in (
        (QueryError, lambda: lake.sql("selec")),
        (AccessDenied, lambda: lake.sql("select unit_cost_amount from warehouse.dim_product")),
        (NotFoundError, lambda: lake.kpi("nothing")),
        (NotFoundError, lambda: lake.cancel("nothing")),
        (QueryTimeout, lambda: lake.sql(ENDLESS, seconds=0.3)),
        (InputError, lambda: lake.sql("select ?", [object()])),
        (InputError, lambda: lake.sql("select '-infinity'::date").rows()),
    ):
        with pytest.raises(error) as caught:
            call()
        assert caught.value.hint
    ca = home.home / "tls" / "ca.pem"
    with pytest.raises(AuthenticationFailed):
        shoplake.connect(served.url, "slk-wrong", ca=ca).sql("select 1")
    with pytest.raises(UnreachableError, match="certificate"):
        shoplake.connect(served.url, "t").sql("select 1")
    with pytest.raises(UnreachableError, match="does not answer"):
        shoplake.connect("https://127.0.0.1:1", "t", ca=ca).sql("select 1")
    for url in ("http://lake.example:8443", "lake.example", "https://u:p@lake.example"):
        with pytest.raises(InputError):
            shoplake.connect(url, "t")
    with pytest.raises(InputError, match="not a file"):
        shoplake.connect(served.url, "t", ca="/nowhere")


def test_a_token_and_an_authority_come_from_the_environment(
    served: Serving, token: str, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AuthenticationFailed, match="no token"):
        shoplake.connect(served.url)
    monkeypatch.setenv("SHOPLAKE_TOKEN", token)
    monkeypatch.setenv("SHOPLAKE_CA", str(home.home / "tls" / "ca.pem"))
    assert shoplake.connect(served.url).page("select 1").rows == [(1,)]
    monkeypatch.delenv("SHOPLAKE_CA")
    monkeypatch.setenv("SHOPLAKE_HOME", str(home.home))
    assert shoplake.connect(served.url.replace("127.0.0.1", "localhost")).page("select 1").rows == [(1,)]


def test_an_interrupt_ends_the_query(served: Serving, token: str, home: Settings, clients: Clients) -> None:
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # who tests in the background has it ignored
    code = f"import signal, sys, shoplake; {heard}; shoplake.connect(sys.argv[1]).sql({ENDLESS!r})"
    env = os.environ | {"SHOPLAKE_TOKEN": token, "SHOPLAKE_HOME": str(home.home)}
    with subprocess.Popen([sys.executable, "-c", code, served.url], env=env, stderr=subprocess.PIPE) as process:
        until(lambda: running(clients["sales"]))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGINT
        assert token.encode() not in said
    until(lambda: not running(clients["sales"]))


def test_importing_shoplake_costs_nothing() -> None:
    code = "import sys, shoplake; print([m for m in ('requests', 'pyarrow', 'shoplake.client') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert shoplake.connect.__module__ == "shoplake.client.asking"


@pytest.mark.parametrize("style", ["table", "json", "csv"])
def test_sql_from_a_server_prints_as_sql_here(
    served: Serving, token: str, home: Settings, style: str, tmp_path: Any
) -> None:
    statement = f"select *, sale_lines::hugeint big, net_amount / 3.0 third, null nil from ({STORES}) order by all"
    here = CliRunner().invoke(command, ["--home", str(home.home), "sql", statement, "--as", "sales", "--format", style])
    (tmp_path / "token").write_text(token + "\n", encoding="utf-8")
    options = ["--url", served.url, "--token-file", str(tmp_path / "token"), "--ca", str(home.home / "tls" / "ca.pem")]
    there = CliRunner().invoke(command, ["sql", statement, *options, "--format", style])
    assert there.exit_code == 0, there.output
    assert there.output == here.output


def test_sql_from_a_server_says_when_rows_are_left_out_and_fails_as_here(served: Serving, home: Settings) -> None:
    support = token_of(home, "support")

    def call(*arguments: str) -> Any:
        options = ["--url", served.url, "--ca", str(home.home / "tls" / "ca.pem")]
        return CliRunner().invoke(command, ["sql", *arguments, *options], env={"SHOPLAKE_TOKEN": support})

    assert "Only the first 2 rows" in call("select range from range(9)", "--limit", "2").output
    assert isinstance(call("select 1", "--format", "csv").exception, AccessDenied)
    assert isinstance(call("selec").exception, QueryError)
    assert isinstance(call("select 1", "--as", "sales").exception, InputError)
    assert isinstance(call("select 1", "--token-file", "/nowhere").exception, InputError)
    alone = CliRunner().invoke(command, ["sql", "select 1", "--ca", "x"])
    assert isinstance(alone.exception, InputError)
