"""The demo's people can sign in with the password that was told last, each in a role of their own."""

from __future__ import annotations

import pytest

from shoplake.access.login import open_logins
from shoplake.access.policy import load_policy
from shoplake.audit.reading import Wanted, find
from shoplake.cli.demo_people import make_people
from shoplake.errors import AuthenticationFailed
from shoplake.settings import Settings


def test_each_call_gives_every_role_a_user_and_a_new_password(settings: Settings) -> None:
    names, first = make_people(settings)
    again, second = make_people(settings)
    assert names == again == [f"demo_{role}" for role in load_policy(settings).roles]
    with open_logins(settings) as logins:
        assert logins.sign_in("demo_sales", second).identity.role == "sales"
        with pytest.raises(AuthenticationFailed):
            logins.sign_in("demo_sales", first)
    told = [str(entry.detail) for entry in find(settings, Wanted())]
    assert sum("demo_admin" in detail for detail in told) == 4
    assert not any(password in detail for detail in told for password in (first, second))
