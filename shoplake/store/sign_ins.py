"""Sessions, personal access tokens and failed logins: of every secret only a hash is kept."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from shoplake.errors import NotFoundError
from shoplake.store.tables import access_token, login_failure, user_account, user_session
from shoplake.store.users import User, now, user_of

if TYPE_CHECKING:
    from shoplake.store.engine import Store

PREFIX = "slt"
ID_BYTES, SECRET_BYTES = 6, 24
FORGOTTEN_AFTER = dt.timedelta(days=1)
"""Failures that are older count no more."""


def _in_use(table: Any, key: Any, *more: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's types say nothing
    """Give the question for a session or a token and its user, who is not disabled; every request asks it."""
    joined = select(table.c.revoked_at, table.c.expires_at, *more, *user_account.c)
    joined = joined.join_from(table, user_account, user_account.c.name == table.c.user_name)
    return joined.where(key == bindparam("asked"), user_account.c.disabled_at.is_(None))


SESSION_IN_USE = _in_use(user_session, user_session.c.token_hash)
TOKEN_IN_USE = _in_use(access_token, access_token.c.token_id, access_token.c.token_hash, access_token.c.scopes)


@dataclass(frozen=True)
class AccessToken:
    """A personal access token, without its secret."""

    token_id: str
    user_name: str
    scopes: tuple[str, ...] | None
    created_at: dt.datetime
    expires_at: dt.datetime
    revoked_at: dt.datetime | None


class SignIns:
    """All reading and writing of the tables by which a person is known again."""

    def __init__(self, store: Store) -> None:
        """Keep them in ``store``."""
        self._store = store

    def add_session(self, user: str, *, lasts: dt.timedelta, replaces: str = "") -> tuple[str, dt.datetime]:
        """Begin a session and end the one that it replaces; give its token, which cannot be had again, and its end."""
        # 256 random bits: nobody can try them out, so that one round of SHA-256 hides them.
        token, ends = secrets.token_urlsafe(32), now() + lasts
        values = {"token_hash": _hash(token), "user_name": user, "created_at": now(), "expires_at": ends}
        with self._store.writing() as con:
            con.execute(delete(user_session).where(user_session.c.expires_at < now() - FORGOTTEN_AFTER))
            if replaces:
                con.execute(_revoke_session(replaces))
            con.execute(insert(user_session).values(values))
        return token, ends

    def session_user(self, token: str) -> User | None:
        """Give the user of a session that has neither ended nor been revoked; never a disabled one."""
        with self._store.reading() as con:
            row: Any = con.execute(SESSION_IN_USE, {"asked": _hash(token)}).first()
        return user_of(row) if row is not None and row.revoked_at is None and row.expires_at > now() else None

    def end_session(self, token: str) -> None:
        """End a session; a second call changes nothing."""
        with self._store.writing() as con:
            con.execute(_revoke_session(token))

    def session_counts(self) -> dict[str, int]:
        """Count the sessions in force of each user who has one."""
        here = (user_session.c.revoked_at.is_(None), user_session.c.expires_at > now())
        query: Any = select(user_session.c.user_name, func.count()).where(*here).group_by(user_session.c.user_name)
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(query))
        return {name: int(count) for name, count in rows}

    def end_sessions(self, user: str) -> int:
        """End every session of a user; give their number."""
        here = (user_session.c.user_name == user, user_session.c.revoked_at.is_(None))
        with self._store.writing() as con:
            return int(con.execute(update(user_session).where(*here).values(revoked_at=now())).rowcount)

    def add_token(self, user: str, scopes: Collection[str] | None, *, lasts: dt.timedelta) -> tuple[str, AccessToken]:
        """Make a personal access token; give it, which cannot be had again, and what is kept of it."""
        made = AccessToken(
            token_id=secrets.token_hex(ID_BYTES),
            user_name=user,
            scopes=tuple(sorted(set(scopes))) if scopes is not None else None,
            created_at=now(),
            expires_at=now() + lasts,
            revoked_at=None,
        )
        token = f"{PREFIX}_{made.token_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        values = {name: getattr(made, name) for name in AccessToken.__dataclass_fields__}
        values["scopes"] = list(made.scopes) if made.scopes is not None else None
        with self._store.writing() as con:
            con.execute(insert(access_token).values(values | {"token_hash": _hash(token)}))
        return token, made

    def token_user(self, token: str) -> tuple[User, frozenset[str] | None] | None:
        """Give the user of a token in force, and the consoles that it is good for."""
        parts = token.split("_", 2)
        if len(parts) != 3 or parts[0] != PREFIX:  # noqa: PLR2004 - prefix, id, secret
            return None
        with self._store.reading() as con:
            row: Any = con.execute(TOKEN_IN_USE, {"asked": parts[1]}).first()
        if row is None or not hmac.compare_digest(row.token_hash, _hash(token)):
            return None
        if row.revoked_at is not None or row.expires_at <= now():
            return None
        return user_of(row), frozenset(row.scopes) if row.scopes is not None else None

    def tokens(self, user: str | None = None) -> list[AccessToken]:
        """List tokens, those of one user or all, revoked ones too."""
        query = select(access_token).order_by(access_token.c.user_name, access_token.c.created_at)
        if user is not None:
            query = query.where(access_token.c.user_name == user)
        with self._store.reading() as con:
            rows: list[Any] = list(con.execute(query))
        return [
            AccessToken(
                **{name: getattr(row, name) for name in AccessToken.__dataclass_fields__ if name != "scopes"},
                scopes=tuple(row.scopes) if row.scopes is not None else None,
            )
            for row in rows
        ]

    def revoke_token(self, token_id: str) -> None:
        """End a token; a second call changes nothing.

        Raises:
            NotFoundError: there is no such token.

        """
        here = access_token.c.token_id == token_id
        with self._store.writing() as con:
            known = con.execute(select(access_token.c.token_id).where(here)).scalar()
            con.execute(update(access_token).where(here, access_token.c.revoked_at.is_(None)).values(revoked_at=now()))
        if known is None:
            # What was given is not repeated: it may be the token itself.
            raise NotFoundError("There is no token of that id.", hint="`shoplake tokens list` shows the ids.")

    def begin_attempt(self, waits: Mapping[str, int], longest: dt.timedelta) -> float:
        """Count an attempt as failed before it is looked at, so that many at once are no way around the wait.

        Args:
            waits: subjects (hashes of the name, of the address) with the number of free failures of each.
            longest: the longest wait; after the free failures it doubles from a second.

        Returns:
            Seconds to wait; 0 when the attempt may go on. A refused attempt is not counted.

        """
        with self._store.writing() as con:
            con.execute(delete(login_failure).where(login_failure.c.last_at < now() - FORGOTTEN_AFTER))
            here = login_failure.c.subject.in_(list(waits))
            known = {row.subject: row for row in con.execute(select(login_failure).where(here))}
            left = [_wait(row.failures - waits[name], row.last_at, longest) for name, row in known.items()]
            if left and max(left) > 0:
                return max(left)
            for name in waits:
                count = known[name].failures + 1 if name in known else 1
                con.execute(delete(login_failure).where(login_failure.c.subject == name))
                con.execute(insert(login_failure).values(subject=name, failures=count, last_at=now()))
        return 0.0

    def end_attempt(self, name: str, address: str | None) -> None:
        """Forget the failures of a name that has signed in; of its address only this attempt."""
        with self._store.writing() as con:
            con.execute(delete(login_failure).where(login_failure.c.subject == name))
            if address:
                less = {"failures": login_failure.c.failures - 1}
                con.execute(update(login_failure).where(login_failure.c.subject == address).values(less))


def _wait(beyond: int, last_at: dt.datetime, longest: dt.timedelta) -> float:
    if beyond < 0:
        return 0.0
    wait = min(2.0 ** min(beyond, 30), longest.total_seconds())
    return max(0.0, wait - (now() - last_at).total_seconds())


def _revoke_session(token: str) -> Any:  # noqa: ANN401 - SQLAlchemy's type says nothing
    here = (user_session.c.token_hash == _hash(token), user_session.c.revoked_at.is_(None))
    return update(user_session).where(*here).values(revoked_at=now())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
