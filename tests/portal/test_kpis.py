"""KPIs over HTTP are those of the command line, as the same person; nobody has those of others."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from shoplake.access.kpi import load_kpis
from shoplake.audit.reading import Wanted, find
from shoplake.cli.main import shoplake
from shoplake.pipeline.releases import required
from tests.access.released import COST, SOUTH
from tests.portal.conftest import As
from tests.portal.serving import Serving


def printed(served: Serving, user: str, *arguments: str, style: str = "json") -> str:
    call = ["--home", str(served.settings.home), *arguments, "--as", user, "--format", style]
    done = CliRunner().invoke(shoplake, call)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", load_kpis())
def test_a_kpi_is_the_command_lines(served: Serving, as_user: As, name: str) -> None:
    team = load_kpis()[name].team
    address = f"/v1/kpis/{name}?from=2026-03-01&to=2026-03-02"
    wanted = json.loads(printed(served, team, "kpi", name, "--from", "2026-03-01", "--to", "2026-03-02"))
    answer = as_user(team).get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == wanted
    assert as_user(team).get(address).json() == wanted, "an answer that is known from before is the same"


def test_groups_filters_and_files_are_the_command_lines(served: Serving, as_user: As) -> None:
    asked = "/v1/kpis/total_sales?by=region&by=day&where=region=North&where=category=Tea&definition=gross"
    options = ["--by", "region", "--by", "day", "--where", "region=North", "--where", "category=Tea"]
    wanted = printed(served, "sales", "kpi", "total_sales", *options, "--definition", "gross")
    assert as_user("sales").get(asked).text == wanted
    as_file = as_user("sales").get(f"{asked}&format=csv")
    assert as_file.text == printed(
        served, "sales", "kpi", "total_sales", *options, "--definition", "gross", style="csv"
    )
    assert as_file.headers["content-type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("user", ["analyst", "north_sales", "support"])
def test_all_kpis_of_a_person_are_the_command_lines(served: Serving, as_user: As, user: str) -> None:
    wanted = json.loads(printed(served, user, "kpis"))
    assert as_user(user).get("/v1/kpis").json() == wanted
    assert 0 < len(wanted) <= len(load_kpis())


@pytest.mark.parametrize("user", ["sales", "marketing", "operations", "support", "finance", "north_sales"])
def test_a_kpi_of_others_is_refused_and_not_shown(as_user: As, user: str) -> None:
    shown = {kpi["kpi"] for kpi in as_user(user).get("/v1/kpis").json()}
    for name in load_kpis():
        answer = as_user(user).get(f"/v1/kpis/{name}")
        assert answer.status_code == (200 if name in shown else 403), (name, answer.text)
        if answer.status_code == 403:
            assert answer.json()["error"]["code"] == "denied"
            assert "/" not in answer.json()["error"]["hint"], "no path of the server"


def test_people_with_other_limits_have_other_answers(as_user: As) -> None:
    for user, sees_south in (("sales", True), ("north_sales", False), ("sales", True), ("analyst", True)):
        answer = as_user(user).get("/v1/kpis/total_sales?by=region&by=store")
        assert (SOUTH in answer.text) == sees_south
        assert str(COST) not in answer.text


def test_small_groups_stay_hidden(as_user: As) -> None:
    rows = as_user("analyst").get("/v1/kpis/feedback_score?by=channel").json()["rows"]
    hidden = [row for row in rows if row["value"] is None]
    assert hidden
    assert all("fewer than 5 customers" in row["reason"] for row in hidden)
    assert all(value is None for row in hidden for value in row["parts"].values())


def test_a_release_is_chosen_by_its_id(served: Serving, as_user: As) -> None:
    release = required(served.settings, None).release_id
    assert as_user("sales").get(f"/v1/kpis/total_sales?release={release}").json()["release"] == release
    missing = as_user("sales").get("/v1/kpis/total_sales?release=20200101T000000Z-000000")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/v1/kpis/nothing", 404),
        ("/v1/kpis/total_sales?from=yesterday", 400),
        ("/v1/kpis/total_sales?from=2026-03-02&to=2026-03-01", 400),
        ("/v1/kpis/total_sales?by=colour", 404),
        ("/v1/kpis/total_sales?where=region", 400),
        ("/v1/kpis/total_sales?definition=other", 404),
        ("/v1/kpis/total_sales?release=../../keys", 404),
        ("/v1/kpis/total_sales?format=xml", 422),
        ("/v1/kpis?team=nobody", 404),
    ],
)
def test_a_mistake_is_told(as_user: As, address: str, status: int) -> None:
    answer = as_user("sales").get(address)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].keys() == {"code", "message", "hint"}


def test_each_answer_is_on_record_with_who_and_what(served: Serving, as_user: As) -> None:
    for _ in range(2):  # the second is known from before
        assert as_user("north_sales").get("/v1/kpis/total_sales?by=store").status_code == 200
        entry = find(served.settings, Wanted(action="kpi"))[-1]
        assert (entry.actor, entry.role, entry.outcome) == ("north_sales", "sales", "ok")
        assert entry.detail["kpi"] == "total_sales"
        assert any(name.startswith("sales.mart_sales__") for name in entry.tables)
        assert any(key.startswith("view.") for key in entry.keys)
        assert (entry.rows or 0) > 1
    for user, address in (("auditor", "/v1/kpis/total_sales"), ("sales", "/v1/kpis/revenue")):
        assert as_user(user).get(address).status_code == 403
        entry = find(served.settings, Wanted(action="kpi"))[-1]
        assert (entry.actor, entry.outcome, entry.tables) == (user, "failed", [])
