"""The statements that give each group what is its own, and each login its group; what others granted is taken back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted, text
from shoplake.publication.changes import place_of, stale_views
from shoplake.publication.present import OWN

if TYPE_CHECKING:
    from shoplake.publication.changes import Changes
    from shoplake.publication.present import Grant, Present
    from shoplake.publication.wanted import Wanted


def add_grants(wanted: Wanted, present: Present, found: Changes) -> None:
    """Add what is missing of grants, memberships and members' limits, and take back what should not be."""
    _grants(wanted, present, found)
    _members(wanted, present, found)
    _limits(wanted, present, found)


def _grants(wanted: Wanted, present: Present, found: Changes) -> None:
    remade = {*found.places} | set(stale_views(wanted, present))
    is_gone = (
        {key for kind in ("table", "view") for key in present.of_kind(kind)}
        - wanted.tables.keys()
        - wanted.views.keys()
    )
    have = {grant for grant in present.grants if (grant[0], grant[1]) not in remade | is_gone}
    want = _wanted_grants(wanted)
    schemas = {*wanted.schemas, OWN}
    for schema, name, column, grantee, privilege in sorted(have - want):
        if schema not in schemas:
            continue
        who = "public" if grantee == "public" else quoted(grantee)
        found.after.insert(0, f"revoke {_what(schema, name, column, privilege)} from {who} cascade")
        found.revoked.append(_said(schema, name, column, grantee, privilege))
    for schema, name, column, grantee, privilege in sorted(want - have):
        found.after.append(f"grant {_what(schema, name, column, privilege)} to {quoted(grantee)}")
        if (schema, name, column, grantee, privilege) not in present.grants:
            found.granted.append(_said(schema, name, column, grantee, privilege))


def _wanted_grants(wanted: Wanted) -> set[Grant]:
    found: set[Grant] = set()
    for group in wanted.groups.values():
        found |= {(OWN, "", "", group.name, "usage"), (OWN, "publication", "", group.name, "select")}
        if group.limited_by:
            found.add((OWN, "user_limit", "", group.name, "select"))
    for (schema, name), table in wanted.tables.items():
        for group_name, columns in table.readers.items():
            found.add((schema, "", "", group_name, "usage"))
            shown: Iterable[str] = [""] if len(columns) == len(table.columns) else columns
            found |= {(schema, name, column, group_name, "select") for column in shown}
    for (schema, name), view in wanted.views.items():
        for group_name in view.readers:
            found |= {(schema, "", "", group_name, "usage"), (schema, name, "", group_name, "select")}
    return found


def _members(wanted: Wanted, present: Present, found: Changes) -> None:
    groups = wanted.groups.keys() | {name for _, name in present.of_kind("role")}
    want = set()
    for user, group in wanted.members.items():
        logs_in, is_super = present.roles.get(user, (False, False))
        if logs_in and not is_super and user != present.login:
            want.add((group, user))
    have = {pair for pair in present.members if pair[0] in groups}
    for group, user in sorted(have - want):
        found.after.append(f"revoke {quoted(group)} from {quoted(user)} cascade")
        found.revoked.append(f"{group} from {user}")
    for group, user in sorted(want - have):
        found.after.append(f"grant {quoted(group)} to {quoted(user)}")
        found.granted.append(f"{group} to {user}")


def _limits(wanted: Wanted, present: Present, found: Changes) -> None:
    for login, attribute, value in sorted(present.limits - wanted.limits):
        test = f"login = {text(login)} and attribute = {text(attribute)} and value = {text(value)}"
        found.after.append(f"delete from {OWN}.user_limit where {test}")
    for row in sorted(wanted.limits - present.limits):
        found.after.append(f"insert into {OWN}.user_limit values ({', '.join(text(value) for value in row)})")
    own = present.relations.get((OWN, "user_limit"))
    if own is not None and not own.has_row_security:
        found.before += [
            f"create policy own_limits on {OWN}.user_limit for select using (login = current_user::text)",
            f"alter table {OWN}.user_limit enable row level security",
        ]


def _what(schema: str, name: str, column: str, privilege: str) -> str:
    if not name:
        return f"{privilege} on schema {quoted(schema)}"
    return f"{privilege}{f' ({quoted(column)})' if column else ''} on {place_of(schema, name)}"


def _said(schema: str, name: str, column: str, grantee: str, privilege: str) -> str:
    return f"{privilege} on {'.'.join(part for part in (schema, name, column) if part)}: {grantee}"
