"""What an administrator, a user too, does with users: with guards that the owner of the home has no need of.

Whoever changes users is one of those who may; they cannot shut themself out, so that somebody who may is always left.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from shoplake.access.administration import NAME, limits
from shoplake.access.login import hash_password, identity_of
from shoplake.access.policy import load_policy
from shoplake.access.rights import Rights
from shoplake.audit.recording import changing
from shoplake.errors import AccessDenied, InputError

if TYPE_CHECKING:
    from shoplake.access.login import Logins
    from shoplake.settings import Settings
    from shoplake.store.users import User

CONSOLE = "users"
PASSWORD_BYTES = 15
_one_at_a_time = Lock()


class People:
    """Users, as one administrator changes them; every change is on record under the name of its command."""

    def __init__(self, settings: Settings, logins: Logins, by: str) -> None:
        """Change users for the user ``by``, who has shown who they are."""
        self._settings, self._logins, self._by = settings, logins, by

    def add(self, name: str, role: str, where: Sequence[str]) -> str:
        """Make a user; give their first password, which cannot be had again.

        Args:
            name: of letters, digits and . _ @ -.
            role: of the policy.
            where: limits as ``ATTRIBUTE=VALUE``.

        Raises:
            InputError: the name is taken or no name, or the role has no such limit.
            PolicyError: there is no such role.

        """
        given, password = limits(self._settings, role, where), _new_password()
        with self._changing("users add", name, given_role=role, limits=given):
            if not NAME.fullmatch(name):
                raise InputError("This is no user name.", hint="Letters, digits and . _ @ - make one, 100 at most.")
            load_policy(self._settings).role(role)
            self._logins.users.add(name, role, given, hash_password(password))
        return password

    def set_role(self, name: str, role: str, where: Sequence[str]) -> None:
        """Give a user another role and these limits; it counts with their next request.

        Raises:
            InputError: it is oneself, or the role has no such limit.
            NotFoundError: there is no such user.
            PolicyError: there is no such role.

        """
        given = limits(self._settings, role, where)
        with self._changing("users role", name, given_role=role, limits=given):
            self._other(name)
            self._logins.users.set_role(name, role, given)

    def set_disabled(self, name: str, *, is_disabled: bool) -> None:
        """Shut a user out at once, or let them sign in again.

        Raises:
            InputError: it is oneself.
            NotFoundError: there is no such user.

        """
        with self._changing("users disable" if is_disabled else "users enable", name):
            self._other(name)
            self._logins.users.set_disabled(name, is_disabled=is_disabled)

    def end_sessions(self, name: str) -> int:
        """End every session of a user; give their number.

        Raises:
            NotFoundError: there is no such user.

        """
        with self._changing("users sessions", name):
            self._other(name)
            return self._logins.sign_ins.end_sessions(name)

    def new_password(self, name: str) -> str:
        """Give a user another password, which cannot be had again; it ends their sessions.

        Raises:
            InputError: it is oneself, or somebody who signs in by their company.
            NotFoundError: there is no such user.

        """
        password = _new_password()
        with self._changing("users password", name):
            if not self._other(name).password_hash:
                raise InputError("This user signs in by their company, and has no password here.")
            self._logins.users.set_password(name, hash_password(password))
        return password

    def end_second_factor(self, name: str) -> None:
        """Have a user sign in by password alone, until they set up another second factor.

        Raises:
            InputError: it is oneself.
            NotFoundError: there is no such user.

        """
        with self._changing("users totp", name, off=True):
            self._other(name)
            self._logins.users.set_totp(name, None)

    @contextmanager
    def _changing(self, action: str, name: str, **known: object) -> Iterator[None]:
        """Put a change on record, one after the other, as long as who makes it still may."""
        with changing(self._settings, action, user=name[:100], **known), _one_at_a_time:
            by = self._logins.users.get(self._by)
            rights = Rights.of(self._settings, identity_of(by))
            rights.require(rights.may_use(CONSOLE), f"use {CONSOLE}")
            if by.disabled_at is not None:
                raise AccessDenied(f"{by.name} is disabled.")
            yield

    def _other(self, name: str) -> User:
        if name == self._by:
            raise InputError(
                "You cannot change your own account here.",
                hint="Another administrator can; see your profile.",
            )
        return self._logins.users.get(name)


def _new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)
