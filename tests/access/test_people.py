"""An administrator changes other users from within, never themself, and only as long as they may."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shoplake.access.kpi_definition import load_kpis
from shoplake.access.login import hash_password, identity_of, open_logins
from shoplake.access.people import People
from shoplake.access.rights import Rights
from shoplake.access.seen_as import may_show_figures, seen_as
from shoplake.audit.reading import Wanted, find
from shoplake.errors import AccessDenied, AuthenticationFailed, InputError, NotFoundError
from shoplake.settings import Settings
from tests.access.released import identities

PASSWORD = "correct horse battery"  # noqa: S105 - a test's own


def test_users_are_made_changed_and_shut_out_and_each_step_is_on_record(own_released: Settings) -> None:
    with open_logins(own_released) as logins:
        people = People(own_released, logins, "admin")
        password = people.add("maria", "sales", ["region=North"])
        session = logins.sign_in("maria", password)
        assert session.identity.attributes == {"region": ("North",)}
        people.set_role("maria", "finance", [])
        assert logins.of_session(session.token).role == "finance"
        another = people.new_password("maria")
        with pytest.raises(AuthenticationFailed):
            logins.of_session(session.token)
        logins.second_factor().enroll("maria")
        people.end_second_factor("maria")
        assert logins.sign_in("maria", another).token
        assert logins.sign_ins.session_counts()["maria"] == 1
        assert people.end_sessions("maria") == 1
        people.set_disabled("maria", is_disabled=True)
        with pytest.raises(AuthenticationFailed):
            logins.sign_in("maria", another)
        people.set_disabled("maria", is_disabled=False)
    done = ("add", "role", "password", "totp", "sessions", "disable", "enable")
    for action in done:
        records = find(own_released, Wanted(action=f"users {action}"))
        assert [r.outcome for r in records if r.detail["user"] == "maria"] == ["begun", "ok"], action


CHANGES: dict[str, Callable[[People, str], object]] = {
    "role": lambda people, name: people.set_role(name, "sales", []),
    "disable": lambda people, name: people.set_disabled(name, is_disabled=True),
    "sessions": lambda people, name: people.end_sessions(name),
    "password": lambda people, name: people.new_password(name),
    "factor": lambda people, name: people.end_second_factor(name),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_changes_themself_and_a_stranger_is_not_found(change: str, released: Settings) -> None:
    with open_logins(released) as logins:
        people = People(released, logins, "admin")
        with pytest.raises(InputError, match="your own account"):
            CHANGES[change](people, "admin")
        with pytest.raises(NotFoundError):
            CHANGES[change](people, "nobody")
        assert logins.users.get("admin").disabled_at is None


def test_who_may_not_change_users_or_no_longer_may_changes_nobody(own_released: Settings) -> None:
    with open_logins(own_released) as logins:
        with pytest.raises(AccessDenied):
            People(own_released, logins, "sales").set_disabled("finance", is_disabled=True)
        logins.users.add("second", "admin", {}, hash_password(PASSWORD))
        first, second = (People(own_released, logins, name) for name in ("admin", "second"))
        first.set_disabled("second", is_disabled=True)
        with pytest.raises(AccessDenied):
            second.set_disabled("admin", is_disabled=True)
        assert logins.users.get("admin").disabled_at is None


@pytest.mark.parametrize(
    ("name", "role", "where"),
    [("no name", "sales", []), ("sales", "sales", []), ("maria", "sales", ["team=x"]), ("maria", "sales", ["region"])],
)
def test_a_user_that_cannot_be_is_refused(name: str, role: str, where: list[str], released: Settings) -> None:
    with open_logins(released) as logins, pytest.raises(InputError):
        People(released, logins, "admin").add(name, role, where)


def test_what_a_role_sees_is_what_its_rights_say(released: Settings) -> None:
    for identity in identities(released):
        rights = Rights.of(released, identity)
        seen = seen_as(rights)
        for table in seen.tables:
            bare = table.name.partition(".")[2]
            assert (table.sight == "whole") == rights.is_whole(bare)
            assert (table.sight in {"whole", "part"}) == rights.table(bare).is_allowed
            assert table.columns == rights.columns(bare)
            if table.sight == "part":
                assert table.rows or table.hidden
        assert {p.name for p in seen.consoles if p.decision.is_allowed} == {r.text for r in rights.role.consoles}
        assert {p.name for p in seen.exports if p.decision.is_allowed} == {r.text for r in rights.role.exports}
        for one in seen.kpis:
            assert one.is_open or one.why


def test_figures_of_others_are_for_who_may_see_all_that_they_are_made_of(released: Settings) -> None:
    with open_logins(released) as logins:
        rights = {user.name: Rights.of(released, identity_of(user)) for user in logins.users.list()}
    kpi = load_kpis()["total_sales"]
    may = {name for name, one in rights.items() if may_show_figures(one, rights["north_sales"], kpi)}
    assert may == {"sales", "finance", "analyst", "data_engineer"}
    cases = load_kpis()["time_to_resolution"]
    may = {name for name, one in rights.items() if may_show_figures(one, rights["support"], cases)}
    assert may == {"support", "data_engineer"}
