"""Reads a policy over: names that stand for nothing, tables that nobody may see, users without a role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from shoplake.access.catalogue import PSEUDONYM, TableEntry
from shoplake.access.policy import CONSOLES, EXPORTS, Policy, Role, Rule, matching

if TYPE_CHECKING:
    from shoplake.store.users import User


def problems(policy: Policy, catalogue: Mapping[str, TableEntry], users: Iterable[User] = ()) -> list[str]:
    """Give what is wrong with a policy, each with its line."""
    found = [*_tags(policy, catalogue), *_tables_without_a_rule(policy, catalogue)]
    for role in policy.roles.values():
        found += [f"{policy.file}:{line}: {role.name}: {why}" for line, why in _role(policy, role, catalogue)]
    for user in users:
        found += _user(policy, user)
    return found


def _tags(policy: Policy, catalogue: Mapping[str, TableEntry]) -> Iterator[str]:
    for entry in catalogue.values():
        for column, tag in entry.columns.items():
            if tag is not None and tag not in policy.sensitivities:
                yield f"{policy.file}: sensitivities lacks {tag!r}, which {entry.full_name}.{column} is tagged with"
    for name, columns in policy.attributes.items():
        for rule in columns:
            if not any(rule.text in entry.columns for entry in catalogue.values()):
                yield f"{policy.file}:{rule.line}: {name}: no table has a column {rule.text!r}"


def _tables_without_a_rule(policy: Policy, catalogue: Mapping[str, TableEntry]) -> Iterator[str]:
    for entry in catalogue.values():
        if not any(matching(role.tables, entry.full_name) for role in policy.roles.values()):
            yield f"{policy.file}: no role may see {entry.full_name}: at least data_engineer should"


def _role(policy: Policy, role: Role, catalogue: Mapping[str, TableEntry]) -> Iterator[tuple[int, str]]:
    names = {entry.full_name for entry in catalogue.values()}
    columns = {f"{entry.full_name}.{column}" for entry in catalogue.values() for column in entry.columns}
    granted = {name for name in names if matching(role.tables, name)}
    yield from _unknown(role.tables, names, "no table is called")
    yield from _unknown(role.hide, columns, "no column is called")
    yield from _unknown(role.unlimited, granted, "the role sees no table called")
    yield from _unknown(role.sensitive, policy.sensitivities, "there is no sensitivity")
    yield from _unknown(role.consoles, CONSOLES, "there is no console")
    yield from _unknown(role.exports, EXPORTS, "there is no export")
    for limit in role.limits:
        if limit.attribute not in policy.attributes:
            yield limit.line, f"there is no attribute {limit.attribute!r}"
    if role.unlimited and not role.limits:
        yield role.unlimited[0].line, "unlimited without limits says nothing"
    if role.smallest_group and any(rule.text == PSEUDONYM for rule in role.sensitive):
        yield role.smallest_group.line, f"smallest_group means nothing to a role that sees every {PSEUDONYM}"


def _unknown(rules: Iterable[Rule], known: Iterable[str], why: str) -> Iterator[tuple[int, str]]:
    known = list(known)
    for rule in rules:
        if not any(fnmatchcase(name, rule.text) for name in known):
            yield rule.line, f"{why} {rule.text!r}"


def _user(policy: Policy, user: User) -> Iterator[str]:
    if user.disabled_at is not None:
        return
    if user.role not in policy.roles:
        yield f"user {user.name} has the role {user.role!r}, which {policy.file} does not know: they see nothing"
        return
    limits = {limit.attribute for limit in policy.roles[user.role].limits}
    for attribute in sorted(user.attributes.keys() - limits):
        yield f"user {user.name} is limited by {attribute}, which {user.role} is not: they see nothing"
