"""People for the demo: one of each role, with a password made anew by each call and told once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing

if TYPE_CHECKING:
    from shoplake.settings import Settings

PREFIX = "demo_"
PASSWORD_BYTES = 12


def make_people(settings: Settings) -> tuple[list[str], str]:
    """Make the demo's users, or give those that are there a new password; give their names and the password."""
    from shoplake.access.login import hash_password, open_logins
    from shoplake.access.policy import load_policy

    password = secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = hash_password(password)
    roles = load_policy(settings).roles
    with open_logins(settings) as logins:
        known = {user.name for user in logins.users.list()}
        for role in roles:
            name = f"{PREFIX}{role}"
            with changing(settings, "users password" if name in known else "users add", user=name, given_role=role):
                if name in known:
                    logins.users.set_password(name, hashed)
                else:
                    logins.users.add(name, role, {}, hashed)
    return [f"{PREFIX}{role}" for role in roles], password
