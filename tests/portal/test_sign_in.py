"""Signing in by password, sessions and their cookies, CSRF, tokens: who is let in, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import SimpleCookie

import httpx
import pytest
from click.testing import CliRunner

from shoplake.access.login import open_logins
from shoplake.audit.reading import Wanted, find
from shoplake.cli.main import shoplake
from tests.portal.serving import PASSWORD, Serving, set_password, token_of

SESSION = "__Host-shoplake"


def sign_in(client: httpx.Client, name: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.post("/v1/sessions", json={"name": name, "password": password}, headers=sent)


@pytest.fixture(scope="module", autouse=True)
def passwords(served: Serving) -> None:
    for user in ("sales", "finance"):
        set_password(served.settings, user)


def call(served: Serving, *arguments: str) -> None:
    done = CliRunner().invoke(shoplake, ["--home", str(served.settings.home), *arguments])
    assert done.exit_code == 0, done.output


def test_a_session_is_kept_in_a_cookie_that_scripts_and_other_hosts_cannot_have(served: Serving) -> None:
    with served.client() as browser:
        answer = sign_in(browser, "sales")
        assert answer.status_code == 201
        assert (answer.json()["name"], answer.json()["role"]) == ("sales", "sales")
        cookie = SimpleCookie(answer.headers["set-cookie"])[SESSION]
        assert cookie["secure"]
        assert cookie["httponly"]
        assert (cookie["path"], cookie["domain"], cookie["samesite"].lower()) == ("/", "", "lax")
        me = browser.get("/v1/me").json()
        assert me["csrf_token"] == answer.json()["csrf_token"]
        assert me["consoles"] == ["catalog", "kpi", "kpis", "sql"]
        assert cookie.value not in answer.text


def test_signing_in_again_ends_the_session_before(served: Serving) -> None:
    with served.client() as browser, served.client() as other:
        first = sign_in(browser, "sales").cookies[SESSION]
        assert sign_in(browser, "sales").cookies[SESSION] != first
        other.cookies.set(SESSION, first)
        assert other.get("/v1/me").status_code == 401
        assert browser.get("/v1/me").status_code == 200


def test_signing_out_ends_the_session_and_is_on_record(served: Serving) -> None:
    with served.client() as browser, served.client() as other:
        signed = sign_in(browser, "finance")
        other.cookies.set(SESSION, signed.cookies[SESSION])
        done = browser.delete("/v1/sessions/current", headers={"x-csrf-token": signed.json()["csrf_token"]})
        assert (done.status_code, SESSION in browser.cookies) == (204, False)
        assert other.get("/v1/me").status_code == 401
    for action in ("sign in", "sign out"):
        found = [e for e in find(served.settings, Wanted(action=action)) if e.detail.get("user") == "finance"]
        assert [entry.outcome for entry in found[-2:]] == ["begun", "ok"], action
    assert find(served.settings, Wanted(action="sign out"))[-1].actor == "finance"


def test_what_changes_something_by_cookie_needs_the_token_of_that_session(served: Serving) -> None:
    with served.client() as browser, served.client() as other:
        mine, theirs = sign_in(browser, "sales").json()["csrf_token"], sign_in(other, "finance").json()["csrf_token"]

        def leave(**headers: str) -> httpx.Response:
            sent = {key.replace("_", "-"): value for key, value in headers.items()}
            return browser.delete("/v1/sessions/current", headers=sent)

        for refused in (
            leave(),
            leave(x_csrf_token=theirs),
            leave(x_csrf_token=mine, origin="https://evil.example"),
            leave(x_csrf_token=mine, origin="null"),
            leave(x_csrf_token=mine, sec_fetch_site="cross-site"),
            leave(x_csrf_token=mine, sec_fetch_site="same-site"),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf")
        assert browser.get("/v1/me").status_code == 200
        own = served.url
        assert leave(x_csrf_token=mine, origin=own, sec_fetch_site="same-origin").status_code == 204


def test_another_sites_page_cannot_sign_anybody_in(served: Serving) -> None:
    with served.client() as browser:
        assert sign_in(browser, "sales", origin="https://evil.example").status_code == 403
        assert sign_in(browser, "sales", sec_fetch_site="cross-site").status_code == 403
        form = browser.post("/v1/sessions", content='{"name": "sales"}', headers={"content-type": "text/plain"})
        assert form.status_code == 422
        assert SESSION not in browser.cookies


def test_nothing_tells_a_wrong_name_from_a_wrong_password(served: Serving) -> None:
    answers = [sign_in(served.anybody, name, "wrong word for this") for name in ("operations", "nobody-of-that-name")]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() == answers[1].json()
    assert "wrong word" not in answers[0].text


def test_after_some_failures_a_name_has_to_wait(served: Serving) -> None:
    for _ in range(20):  # the wait grows from a second, which a slow machine may have let pass
        answer = sign_in(served.anybody, "always-wrong", "wrong word for this")
        if answer.status_code != 401:
            break
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "throttled"
    assert int(answer.headers["retry-after"]) > 0


def until(check: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def test_who_is_disabled_or_loses_a_token_is_out_within_seconds(served: Serving) -> None:
    call(served, "users", "enable", "marketing")
    token, other = token_of(served.settings, "marketing"), token_of(served.settings, "marketing")
    set_password(served.settings, "marketing")
    with served.client(token) as program, served.client(other) as second, served.client() as browser:
        assert sign_in(browser, "marketing").status_code == 201
        assert [c.get("/v1/me").status_code for c in (program, second, browser)] == [200, 200, 200]
        call(served, "tokens", "revoke", token.split("_")[1])
        until(lambda: program.get("/v1/me").status_code == 401)
        assert second.get("/v1/me").status_code == 200
        call(served, "users", "disable", "marketing")
        until(lambda: second.get("/v1/me").status_code == browser.get("/v1/me").status_code == 401)
    call(served, "users", "enable", "marketing")


def test_a_change_of_role_counts_with_the_next_request(served: Serving) -> None:
    with open_logins(served.settings) as logins:
        logins.users.add("mover", "sales", {}, "unset")
    with served.client(token_of(served.settings, "mover")) as program:
        assert program.get("/v1/kpis/total_sales").status_code == 200
        with open_logins(served.settings) as logins:
            logins.users.set_role("mover", "auditor", {})
        assert program.get("/v1/kpis/total_sales").status_code == 403
        assert program.get("/v1/me").json()["role"] == "auditor"


def test_a_token_is_good_for_its_scopes_alone(served: Serving) -> None:
    with served.client(token_of(served.settings, "sales", ["kpi"])) as program:
        assert program.get("/v1/kpis/total_sales").status_code == 200
        assert program.get("/v1/kpis").json()["error"]["code"] == "denied"
        assert program.get("/v1/me").json()["consoles"] == ["kpi"]


@pytest.mark.parametrize("sent", ["Bearer", "Bearer slt_x_y", "Basic c2FsZXM6eA==", "bearer x", "Bearer \u00e9"])
def test_an_authorization_that_opens_nothing_is_not_saved_by_a_cookie(served: Serving, sent: str) -> None:
    with served.client() as browser:
        sign_in(browser, "sales")
        answer = browser.get("/v1/me", headers=[(b"authorization", sent.encode())])
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_token_needs_no_csrf_token_and_has_no_session_to_end(served: Serving) -> None:
    with served.client(token_of(served.settings, "sales")) as program:
        answer = program.delete("/v1/sessions/current")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication")
        assert program.get("/v1/me").json()["csrf_token"] is None
