"""What administrators do: make users and tokens, check the policy, explain it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.access.catalogue import load_catalogue
from shoplake.access.login import hash_password, identity_of, open_logins
from shoplake.access.policy import CONSOLES, load_policy
from shoplake.access.policy_check import problems
from shoplake.access.rights import Decision, Rights
from shoplake.errors import AccessDenied, InputError, NotFoundError
from shoplake.home import require_home

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.sign_ins import AccessToken

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")


def limits(settings: Settings, role: str, where: Sequence[str]) -> dict[str, list[str]]:
    """Read ``ATTRIBUTE=VALUE`` pairs; several values of one attribute are alternatives.

    Raises:
        PolicyError: there is no such role.
        InputError: a pair has no ``=``, or the role is not limited by its attribute.

    """
    require_home(settings)
    known = {limit.attribute for limit in load_policy(settings).role(role).limits if not limit.values}
    found: dict[str, list[str]] = {}
    for pair in where:
        attribute, is_pair, value = (part.strip() for part in pair.partition("="))
        if not (is_pair and attribute and value):
            raise InputError(f"--where {pair!r} is no ATTRIBUTE=VALUE.", hint="Write it as region=North.")
        if attribute not in known:
            raise InputError(
                f"Users of the role {role} are not limited by {attribute}.",
                hint=f"It is limited by: {', '.join(sorted(known)) or 'nothing'}; see the role's limits in the policy.",
            )
        found.setdefault(attribute, []).append(value)
    return found


def add_user(settings: Settings, name: str, role: str, where: Mapping[str, Sequence[str]], password: str) -> None:
    """Make a user.

    Raises:
        InputError: the name is taken or no name, or the password is too short.
        PolicyError: there is no such role.

    """
    if not NAME.fullmatch(name):
        raise InputError(f"{name!r} is no user name.", hint="Letters, digits and . _ @ - make one, 100 at most.")
    load_policy(settings).role(role)
    with open_logins(settings) as logins:
        logins.users.add(name, role, where, hash_password(password))


def add_token(settings: Settings, user: str, scopes: Collection[str], days: int | None) -> tuple[str, AccessToken]:
    """Make a personal access token for a user; give it, which cannot be had again, and what is kept of it.

    Raises:
        NotFoundError: there is no such user.
        InputError: a scope is no console, or the token would be good for too long.
        AccessDenied: the user is disabled, or a scope is not among the consoles of their role.

    """
    with open_logins(settings) as logins:
        owner = logins.users.get(user)
        if unknown := sorted(set(scopes) - CONSOLES):
            raise InputError(
                f"There is no console {', '.join(unknown)}.", hint=f"Consoles: {', '.join(sorted(CONSOLES))}."
            )
        if days is not None and days > settings.token_days:
            raise InputError(
                f"A token is good for {settings.token_days} days at most.", hint="The setting token_days says so."
            )
        if owner.disabled_at is not None:
            raise AccessDenied(f"The user {user} is disabled.", hint="`shoplake users enable` lets them in again.")
        rights = Rights.of(settings, identity_of(owner))
        for scope in scopes:
            rights.require(rights.may_use(scope), f"use {scope}")
        lasts = dt.timedelta(days=days or settings.token_days)
        return logins.sign_ins.add_token(user, scopes or None, lasts=lasts)


def checked(settings: Settings) -> tuple[Path, list[str]]:
    """Read the policy of a home over, and its users against it.

    Returns:
        The policy's file, and what is wrong with it.

    Raises:
        PolicyError: the policy cannot be read at all.

    """
    require_home(settings)
    policy = load_policy(settings)
    with open_logins(settings) as logins:
        return policy.file, problems(policy, load_catalogue(), logins.users.list())


def explained(settings: Settings, user: str, what: str | None) -> list[dict[str, Any]]:
    """Say what a user may see and do, each with the line of the policy; of one thing, or of everything.

    Raises:
        NotFoundError: there is no such user, table, column or console.
        PolicyError: the policy cannot be read, or lacks the user's role.

    """
    with open_logins(settings) as logins:
        rights = Rights.of(settings, identity_of(logins.users.get(user)))
    if what is not None:
        return [_row(rights, what, _decision(rights, what))]
    rows = []
    for name, entry in rights.catalogue.items():
        rows.append(_row(rights, entry.full_name, rights.table(name)))
        if rights.columns(name):
            hidden = (c for c in entry.columns if not rights.column(name, c).is_allowed)
            rows += [_row(rights, f"{entry.full_name}.{c}", rights.column(name, c)) for c in hidden]
    rows += [_row(rights, console, rights.may_use(console)) for console in sorted(CONSOLES)]
    return rows


def _decision(rights: Rights, what: str) -> Decision:
    parts = what.split(".")
    if len(parts) == 1 and what in CONSOLES:
        return rights.may_use(what)
    for name, entry in rights.catalogue.items():
        if what in {name, entry.full_name}:
            return rights.table(name)
        if ".".join(parts[:-1]) in {name, entry.full_name} and parts[-1] in entry.columns:
            return rights.column(name, parts[-1])
    raise NotFoundError(
        f"There is no table, column or console {what!r}.",
        hint="Write it as sales.mart_sales__store_day, with .column for a column, or as a command such as sql.",
    )


def _row(rights: Rights, what: str, decision: Decision) -> dict[str, Any]:
    allowed = "figures" if decision.figures_only else ("yes" if decision.is_allowed else "no")
    return {
        "what": what,
        "allowed": allowed,
        "rows": {column: list(values) for column, values in decision.rows.items()},
        "why": decision.reason,
        "line": f"{rights.policy.file.name}:{decision.line}",
    }
