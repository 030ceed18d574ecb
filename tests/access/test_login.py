"""Passwords, codes, sessions and tokens: who is known, for how long, and what a failure gives away."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import text, update

from shoplake.access.login import (
    FREE_FAILURES,
    FREE_FAILURES_OF_ADDRESS,
    LONGEST_WAIT,
    WRONG,
    Logins,
    hash_password,
    open_logins,
    person,
)
from shoplake.audit.reading import Wanted, find
from shoplake.errors import AccessDenied, AuthenticationFailed, InputError, NotFoundError
from shoplake.pipeline.rotation import rotate
from shoplake.settings import Settings
from shoplake.store.sign_ins import SignIns
from shoplake.store.tables import access_token, login_failure, user_session
from shoplake.store.users import now

PASSWORD = "a few words in a row"  # noqa: S105


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Name the engine: users are the same on each."""
    return str(getattr(request, "param", "sqlcipher"))


@pytest.fixture
def logins(settings: Settings) -> Iterator[Logins]:
    """Give the logins of a home with one user."""
    with open_logins(settings) as opened:
        opened.users.add("maria", "sales", {"region": ["North"]}, hash_password(PASSWORD))
        yield opened


def refused(logins: Logins, name: str, password: str, code: str = "") -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        logins.sign_in(name, password, code=code)
    return f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("engine", ["sqlcipher", "postgresql"], indirect=True)
def test_a_login_gives_a_session_that_ends_with_the_next_one(logins: Logins) -> None:
    first = logins.sign_in("maria", PASSWORD)
    assert (first.identity.role, first.identity.attributes) == ("sales", {"region": ("North",)})
    assert logins.of_session(first.token) == first.identity
    second = logins.sign_in("maria", PASSWORD, replaces=first.token)
    assert second.token != first.token
    with pytest.raises(AuthenticationFailed, match="session has ended"):
        logins.of_session(first.token)
    logins.sign_ins.end_session(second.token)
    with pytest.raises(AuthenticationFailed):
        logins.of_session(second.token)


def test_sessions_end_by_time_by_disabling_and_by_a_new_password(logins: Logins, settings: Settings) -> None:
    sessions = [logins.sign_in("maria", PASSWORD).token for _ in range(2)]
    with logins.sign_ins._store.writing() as con:
        con.execute(update(user_session).values(expires_at=now() - dt.timedelta(seconds=1)))
    with pytest.raises(AuthenticationFailed):
        logins.of_session(sessions[0])
    third = logins.sign_in("maria", PASSWORD).token
    logins.users.set_password("maria", hash_password(PASSWORD + "!"))
    with pytest.raises(AuthenticationFailed):
        logins.of_session(third)
    fourth = logins.sign_in("maria", PASSWORD + "!").token
    with open_logins(settings) as another_process:
        another_process.users.set_disabled("maria", is_disabled=True)
    with pytest.raises(AuthenticationFailed):
        logins.of_session(fourth)
    assert refused(logins, "maria", PASSWORD + "!") == refused(logins, "nobody", PASSWORD)
    with pytest.raises(AccessDenied, match="disabled"):
        person(settings, "maria")
    logins.users.set_disabled("maria", is_disabled=False)
    with pytest.raises(AuthenticationFailed):
        logins.of_session(fourth)


def test_a_session_has_the_role_of_the_moment(logins: Logins) -> None:
    session = logins.sign_in("maria", PASSWORD)
    logins.users.set_role("maria", "finance", {})
    assert logins.of_session(session.token).role == "finance"


def test_a_wrong_name_and_a_wrong_password_cannot_be_told_apart(logins: Logins) -> None:
    times: dict[str, list[float]] = {"maria": [], "nobody": []}
    said = set()
    for _ in range(2):
        for name, taken in times.items():
            started = time.process_time()
            said.add(refused(logins, name, "a wrong password"))
            taken.append(time.process_time() - started)
    assert len(said) == 1
    one, other = (statistics.median(taken) for taken in times.values())
    # Both hash once; without that the unknown name would take a hundredth of the time.
    assert min(one, other) > max(one, other) / 4


def later_failures(logins: Logins, failures: int) -> None:
    """Make the failures so far more, so that the wait outlasts a slow machine."""
    with logins.sign_ins._store.writing() as con:
        con.execute(update(login_failure).values(failures=failures))


def test_failures_in_a_row_have_to_wait_whoever_the_name_belongs_to(logins: Logins) -> None:
    for name in ("maria", "nobody"):
        refused(logins, name, "a wrong password")
    later_failures(logins, FREE_FAILURES - 1)
    assert {refused(logins, name, "a wrong password") for name in ("maria", "nobody")} == {
        f"{WRONG} After a few attempts in a row you have to wait."
    }
    later_failures(logins, FREE_FAILURES + 12)
    assert {refused(logins, name, PASSWORD).partition(".")[0] for name in ("maria", "nobody")} == {
        "There were too many failed attempts"
    }
    with logins.sign_ins._store.writing() as con:
        con.execute(update(login_failure).values(last_at=now() - LONGEST_WAIT))
    assert logins.sign_in("maria", PASSWORD).identity.name == "maria"
    assert "wrong" in refused(logins, "maria", "a wrong password"), "a login forgets the failures before it"


def test_failures_of_one_address_slow_it_down_for_every_name(logins: Logins) -> None:
    with pytest.raises(AuthenticationFailed, match="wrong"):
        logins.sign_in("nobody", "a wrong password", address="10.0.0.1")
    later_failures(logins, FREE_FAILURES_OF_ADDRESS + 12)
    with pytest.raises(AuthenticationFailed, match="too many"):
        logins.sign_in("maria", PASSWORD, address="10.0.0.1")
    assert logins.sign_in("maria", PASSWORD, address="10.0.0.2")


def test_many_attempts_at_once_are_counted_one_by_one(logins: Logins) -> None:
    waits = [logins.sign_ins.begin_attempt({"subject": 2}, LONGEST_WAIT) for _ in range(2)]
    with logins.sign_ins._store.reading() as con:
        counted = con.execute(text("select failures from login_failure")).scalar()
    assert (waits, counted) == ([0.0, 0.0], 2), "an attempt counts before its password is looked at"


def test_a_second_factor_is_asked_for_and_each_code_is_good_once(logins: Logins, settings: Settings) -> None:
    secret, address = logins.second_factor().enroll("maria")
    assert address.startswith("otpauth://totp/shoplake:maria")
    code = pyotp.TOTP(secret).now()
    wrong = refused(logins, "maria", PASSWORD)
    assert wrong == refused(logins, "maria", PASSWORD, "000000") == refused(logins, "maria", "a wrong password", code)
    assert logins.sign_in("maria", PASSWORD, code=f"{code[:3]} {code[3:]}")
    assert refused(logins, "maria", PASSWORD, code) == wrong
    rotate(settings)
    with open_logins(settings) as later:
        later_code = pyotp.TOTP(secret).at(int(time.time()) + 30)
        assert later.sign_in("maria", PASSWORD, code=later_code), "the secret moved to the new key"
        later.users.set_totp("maria", None)
        assert later.sign_in("maria", PASSWORD)


def test_nothing_of_a_password_or_token_is_kept_in_clear(logins: Logins, settings: Settings) -> None:
    session = logins.sign_in("maria", PASSWORD)
    token, _ = logins.sign_ins.add_token("maria", None, lasts=dt.timedelta(days=1))
    refused(logins, PASSWORD, "typed in the wrong field")
    with logins.sign_ins._store.reading() as con:
        kept = str([list(con.execute(text(f"select * from {name}"))) for name in TABLES])
    for secret in (PASSWORD, session.token, token.split("_", 2)[2]):
        assert secret not in kept
        assert secret not in repr(session)
        assert not [p for p in Path(settings.home).rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert "argon2id" in kept


TABLES = ("user_account", "user_session", "access_token", "login_failure")


@pytest.mark.parametrize("password", ["", "short", "x" * 2000])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(InputError, match="characters"):
        hash_password(password)


@pytest.mark.parametrize("engine", ["sqlcipher", "postgresql"], indirect=True)
def test_a_token_is_good_for_its_scopes_until_it_expires_or_is_revoked(logins: Logins) -> None:
    token, made = logins.sign_ins.add_token("maria", ["sql"], lasts=dt.timedelta(days=1))
    assert logins.of_token(token).scopes == {"sql"}
    every, _ = logins.sign_ins.add_token("maria", None, lasts=dt.timedelta(days=1))
    assert logins.of_token(every).scopes is None
    assert [t.scopes for t in logins.sign_ins.tokens("maria")] == [("sql",), None]
    logins.sign_ins.revoke_token(made.token_id)
    for gone in (token, token[:-1] + "x", "slt_x", "", "nonsense"):
        with pytest.raises(AuthenticationFailed, match="not in force"):
            logins.of_token(gone)
    with logins.sign_ins._store.writing() as con:
        con.execute(update(access_token).values(expires_at=now()))
    with pytest.raises(AuthenticationFailed):
        logins.of_token(every)
    with pytest.raises(NotFoundError):
        logins.sign_ins.revoke_token("none")


def test_a_disabled_users_tokens_end_for_good(logins: Logins) -> None:
    token, _ = logins.sign_ins.add_token("maria", None, lasts=dt.timedelta(days=1))
    logins.users.set_disabled("maria", is_disabled=True)
    logins.users.set_disabled("maria", is_disabled=False)
    with pytest.raises(AuthenticationFailed):
        logins.of_token(token)
    assert SignIns(logins.sign_ins._store).end_sessions("maria") == 0


def test_each_attempt_is_on_record_without_the_password(logins: Logins, settings: Settings) -> None:
    logins.sign_in("maria", PASSWORD)
    refused(logins, "maria", "MARKER of a wrong one")
    found = find(settings, Wanted(action="sign in"))
    assert [entry.outcome for entry in found] == ["begun", "ok", "begun", "failed"]
    assert {entry.detail["user"] for entry in found} == {"maria"}
    assert not [entry for entry in found if PASSWORD in repr(entry) or "MARKER" in repr(entry)]
