"""Users in the operational store: role, limits, password hash, sealed second factor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from shoplake.errors import InputError, NotFoundError
from shoplake.store.tables import access_token, user_account, user_session

if TYPE_CHECKING:
    from shoplake.store.engine import Store

USERS_KEY = "users"
"""Data key that seals second factors and hashes the names of failed logins."""


@dataclass(frozen=True)
class User:
    """Somebody who may sign in."""

    name: str
    role: str
    attributes: dict[str, tuple[str, ...]]
    """What the user is limited to, by attribute."""
    created_at: dt.datetime
    disabled_at: dt.datetime | None = None
    password_hash: str = field(default="", repr=False)
    sealed_totp: bytes | None = field(default=None, repr=False)

    @property
    def has_second_factor(self) -> bool:
        """Say whether signing in takes a code."""
        return self.sealed_totp is not None


class Users:
    """All reading and writing of the users' table."""

    def __init__(self, store: Store) -> None:
        """Keep users in ``store``."""
        self._store = store

    def add(
        self,
        name: str,
        role: str,
        attributes: Mapping[str, Sequence[str]],
        password_hash: str,
        *,
        subject: str | None = None,
    ) -> None:
        """Make a user, with a password or with a subject at the provider of single sign-on.

        Raises:
            InputError: the name is taken.

        """
        values = {
            "name": name,
            "role": role,
            "attributes": _plain(attributes),
            "password_hash": password_hash,
            "subject": subject,
            "created_at": now(),
        }
        try:
            with self._store.writing() as con:
                con.execute(insert(user_account).values(values))
        except IntegrityError:
            raise InputError(
                f"There is a user {name!r} already.", hint="`shoplake users role` changes what they may see."
            ) from None

    def list(self) -> list[User]:
        """List users by name, disabled ones too."""
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(select(user_account).order_by(user_account.c.name)))
        return [user_of(row) for row in rows]

    def find(self, name: str) -> User | None:
        """Give a user, if there is one of that name."""
        with self._store.reading() as con:
            row = con.execute(select(user_account).where(user_account.c.name == name)).first()
        return user_of(row) if row is not None else None

    def find_subject(self, subject: str) -> User | None:
        """Give the user of a subject at the provider of single sign-on, if there is one."""
        with self._store.reading() as con:
            row = con.execute(select(user_account).where(user_account.c.subject == subject)).first()
        return user_of(row) if row is not None else None

    def get(self, name: str) -> User:
        """Give a user.

        Raises:
            NotFoundError: there is none of that name.

        """
        found = self.find(name)
        if found is None:
            raise NotFoundError(f"There is no user {name!r}.", hint="See `shoplake users list`.")
        return found

    def set_role(self, name: str, role: str, attributes: Mapping[str, Sequence[str]]) -> None:
        """Give a user another role and other limits.

        Raises:
            NotFoundError: there is no such user.

        """
        self._change(name, role=role, attributes=_plain(attributes))

    def set_password(self, name: str, password_hash: str) -> None:
        """Give a user another password; it ends their sessions.

        Raises:
            NotFoundError: there is no such user.

        """
        self._change(name, ends_sessions=True, password_hash=password_hash)

    def rehash(self, name: str, password_hash: str) -> None:
        """Keep the same password under a newer hash."""
        self._change(name, password_hash=password_hash)

    def set_totp(self, name: str, sealed: bytes | None) -> None:
        """Set or end a user's second factor.

        Raises:
            NotFoundError: there is no such user.

        """
        self._change(name, sealed_totp=sealed, totp_step=None)

    def reseal_totp(self, name: str, sealed: bytes) -> None:
        """Keep the same second factor under a newer key."""
        self._change(name, sealed_totp=sealed)

    def set_disabled(self, name: str, *, is_disabled: bool) -> None:
        """Shut a user out, which ends their sessions and tokens; or let them in again, with a new login.

        Raises:
            NotFoundError: there is no such user.

        """
        at = now() if is_disabled else None
        self._change(name, ends_sessions=is_disabled, ends_tokens=is_disabled, disabled_at=at)

    def use_code(self, name: str, step: int) -> bool:
        """Use up the code of a time step; say whether neither it nor a later one was used before."""
        is_newer = or_(user_account.c.totp_step.is_(None), user_account.c.totp_step < step)
        with self._store.writing() as con:
            done = con.execute(update(user_account).where(user_account.c.name == name, is_newer).values(totp_step=step))
        return done.rowcount == 1

    def _change(self, name: str, *, ends_sessions: bool = False, ends_tokens: bool = False, **values: object) -> None:
        with self._store.writing() as con:
            done = con.execute(update(user_account).where(user_account.c.name == name).values(values))
            for table, ends in ((user_session, ends_sessions), (access_token, ends_tokens)):
                if ends:
                    here = (table.c.user_name == name, table.c.revoked_at.is_(None))
                    con.execute(update(table).where(*here).values(revoked_at=now()))
        if not done.rowcount:
            raise NotFoundError(f"There is no user {name!r}.", hint="See `shoplake users list`.")


def now() -> dt.datetime:
    """Give the present instant as the store holds it: UTC, without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def _plain(attributes: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: sorted(set(values)) for name, values in attributes.items()}


def user_of(row: Any) -> User:  # noqa: ANN401 - a row of SQLAlchemy
    """Give the user of a row that has the columns of ``user_account``."""
    return User(
        name=row.name,
        role=row.role,
        attributes={name: tuple(values) for name, values in row.attributes.items()},
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        password_hash=row.password_hash,
        sealed_totp=bytes(row.sealed_totp) if row.sealed_totp is not None else None,
    )
