"""How people show who they are: password and code, session, personal access token."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from shoplake.access.identity import Identity
from shoplake.audit.recording import changing
from shoplake.errors import AccessDenied, AuthenticationFailed, InputError, ThrottledError

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.settings import Settings
    from shoplake.store.engine import Store
    from shoplake.store.queries import Queries
    from shoplake.store.second_factor import SecondFactor
    from shoplake.store.users import User

FREE_FAILURES, FREE_FAILURES_OF_ADDRESS = 5, 50
LONGEST_WAIT = dt.timedelta(minutes=15)
LONGEST_NAME = 100
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024
WRONG = "The name, the password or the code is wrong."


@dataclass(frozen=True)
class Session:
    """A session that has just begun."""

    identity: Identity
    expires_at: dt.datetime
    token: str = field(repr=False)
    """What the browser keeps; the store has only its hash."""


class Logins:
    """Signs people in, and knows them again."""

    def __init__(self, settings: Settings, store: Store, keyring: Keyring) -> None:
        """Use the users of a store."""
        from shoplake.store.sign_ins import SignIns
        from shoplake.store.users import Users

        self._settings, self._store, self._keyring = settings, store, keyring
        self.users, self.sign_ins = Users(store), SignIns(store)

    def sign_in(self, name: str, password: str, *, code: str = "", address: str = "", replaces: str = "") -> Session:
        """Begin a session; nothing tells a wrong name from a wrong password or a wrong code.

        Args:
            name: the user.
            password: in clear.
            code: of the second factor, where the user has one.
            address: where the request comes from; many failures from one address slow it down too.
            replaces: token of the session that the browser had until now; it ends.

        Raises:
            AuthenticationFailed: not this user's password and code.
            ThrottledError: there were too many attempts.

        """
        with changing(self._settings, "sign in", user=name[:LONGEST_NAME], address=address or None):
            return self._sign_in(name, password, code, address, replaces)

    def _sign_in(self, name: str, password: str, code: str, address: str, replaces: str) -> Session:
        subjects = {self._subject("name", name): FREE_FAILURES}
        of_address = self._subject("address", address) if address else None
        if of_address:
            subjects[of_address] = FREE_FAILURES_OF_ADDRESS
        wait = self.sign_ins.begin_attempt(subjects, LONGEST_WAIT)
        if wait:
            seconds = int(wait) + 1
            raise ThrottledError(
                "There were too many failed attempts.", hint=f"Try again in {seconds} seconds.", retry_after=seconds
            )
        user = self._proven(name, password, code)
        if user is None:
            raise AuthenticationFailed(WRONG, hint="After a few attempts in a row you have to wait.")
        self.sign_ins.end_attempt(self._subject("name", name), of_address)
        return self.begin_session(user, replaces=replaces)

    def begin_session(self, user: User, *, replaces: str = "") -> Session:
        """Begin a session for a user who has been shown to be who they are."""
        lasts = dt.timedelta(hours=self._settings.session_hours)
        token, ends = self.sign_ins.add_session(user.name, lasts=lasts, replaces=replaces)
        return Session(identity_of(user), ends, token)

    def sign_out(self, token: str) -> None:
        """End a session.

        Raises:
            AuthenticationFailed: it has ended, or never was.

        """
        with changing(self._settings, "sign out", user=self.of_session(token).name):
            self.sign_ins.end_session(token)

    def of_session(self, token: str) -> Identity:
        """Give the person of a session, with the role of this moment.

        Raises:
            AuthenticationFailed: it has ended, or never was.

        """
        user = self.sign_ins.session_user(token) if token else None
        if user is None:
            raise AuthenticationFailed("This session has ended.", hint="Sign in again.")
        return identity_of(user)

    def of_token(self, token: str) -> Identity:
        """Give the person of a personal access token, with the role of this moment.

        Raises:
            AuthenticationFailed: it has expired, was revoked, or never was.

        """
        found = self.sign_ins.token_user(token)
        if found is None:
            raise AuthenticationFailed("This token is not in force.", hint="`shoplake tokens add` makes another.")
        user, scopes = found
        return identity_of(user, scopes)

    def second_factor(self) -> SecondFactor:
        """Give what seals and checks second factors."""
        from shoplake.store.second_factor import SecondFactor

        return SecondFactor(self.users, self._keyring)

    def queries(self) -> Queries:
        """Give what keeps the queries that people save and have asked."""
        from shoplake.store.queries import Queries

        return Queries(self._store, self._keyring)

    def _proven(self, name: str, password: str, code: str) -> User | None:
        """Give the user whose password and code these are; take the same time when there is no such user."""
        from argon2.exceptions import InvalidHashError, VerificationError

        user = self.users.find(name)
        decoy = _decoy()
        kept = user.password_hash if user and user.password_hash else decoy
        try:
            _hasher().verify(kept, password[:LONGEST_PASSWORD])
        except (VerificationError, InvalidHashError):
            return None
        if user is None or user.disabled_at is not None or not self.second_factor().fits(user, code):
            return None
        if _hasher().check_needs_rehash(kept):
            self.users.rehash(user.name, hash_password(password))
        return user

    def _subject(self, kind: str, value: str) -> str:
        """Give the keyed hash by which failures are counted: people type passwords where a name belongs."""
        from shoplake.store.users import USERS_KEY

        key = self._keyring.current(USERS_KEY).secret
        return hmac.new(key, f"{kind}:{value}".encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def identity_of(user: User, scopes: frozenset[str] | None = None) -> Identity:
    """Give who a user is."""
    return Identity(user.name, user.role, user.attributes, scopes)


@contextmanager
def open_logins(settings: Settings) -> Iterator[Logins]:
    """Open the users of a home.

    Raises:
        HomeError: there is no such home.
        KeyAccessError: its keys or its store do not open.

    """
    from shoplake.home import require_home
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store

    require_home(settings)
    keyring = Keyring.open(settings)
    store = open_store(settings, keyring)
    try:
        yield Logins(settings, store, keyring)
    finally:
        store.close()


def person(settings: Settings, name: str) -> Identity:
    """Give a user as who the owner of the home wants to look.

    Raises:
        NotFoundError: there is no such user.
        AccessDenied: the user is disabled.

    """
    with open_logins(settings) as logins:
        user = logins.users.get(name)
    if user.disabled_at is not None:
        raise AccessDenied(f"The user {name} is disabled.", hint="`shoplake users enable` lets them in again.")
    return identity_of(user)


def hash_password(password: str) -> str:
    """Give the slow hash of a new password (argon2id).

    Raises:
        InputError: it is too short or too long.

    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InputError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.",
            hint="Take a few words; length counts for more than signs.",
        )
    return str(_hasher().hash(password))


@cache
def _hasher() -> Any:  # noqa: ANN401 - imported where it is used
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _decoy() -> str:
    """Give the hash that stands in for a user who does not exist."""
    return str(_hasher().hash(f"decoy {time.time_ns()}"))
