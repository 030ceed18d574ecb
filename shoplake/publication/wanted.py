"""What the database should hold by the policy: schemas, tables, who may read which columns and rows of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import TYPE_CHECKING

from shoplake.access.catalogue import load_catalogue
from shoplake.access.identity import Identity
from shoplake.access.policy import load_policy
from shoplake.access.rights import Rights
from shoplake.errors import PublicationError
from shoplake.publication.descriptions import load_descriptions

if TYPE_CHECKING:
    from shoplake.access.policy import Policy, Role
    from shoplake.pipeline.manifest import Manifest, Table
    from shoplake.settings import Settings
    from shoplake.store.users import User

MARK = "\0"
"""Begins what stands for a user's own values; no value of a user can hold it."""
LONGEST_NAME = 63
"""Bytes that a name has in PostgreSQL."""
TYPES = {
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "INTEGER": "integer",
    "TIMESTAMP": "timestamp with time zone",
    "VARCHAR": "text",
}
"""Times are UTC in a release; in a database that has to say so, or each tool would guess."""
DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")
WAREHOUSE = "warehouse"
CONSOLE = "sql"
"""Who may not ask in SQL at all has no group."""
UNDONE = "Published by shoplake: what is changed here by hand, the next publication undoes."


@dataclass(frozen=True)
class Group:
    """A role of the database without login, whose members have the same rights but for their own values."""

    name: str
    role: str
    limited_by: tuple[str, ...] = ()
    """Attributes whose values each member has of their own."""


@dataclass(frozen=True)
class RowTest:
    """What rows of a table a group sees: those with its values in a column, or with the member's own ones."""

    column: str
    attribute: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class WantedTable:
    """One table."""

    schema: str
    name: str
    columns: Mapping[str, str]
    """PostgreSQL's type by column; a column that no group may read is not published."""
    partition_by: str | None
    comment: str
    comments: Mapping[str, str]
    readers: Mapping[str, Sequence[str]]
    """Columns that a group reads, by the group's name."""
    tests: Mapping[str, Sequence[RowTest]]


@dataclass(frozen=True)
class WantedView:
    """The columns of a table that a role may read, for tools that ask for all columns of what they show."""

    schema: str
    table: WantedTable
    columns: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """All of it."""

    groups: Mapping[str, Group]
    schemas: Mapping[str, str]
    """Comment by schema."""
    tables: Mapping[tuple[str, str], WantedTable]
    views: Mapping[tuple[str, str], WantedView]
    members: Mapping[str, str] = field(default_factory=dict)
    """Group of each user; one database login has one group at most."""
    limits: frozenset[tuple[str, str, str]] = frozenset()
    """User, attribute, value."""


def wanted(settings: Settings, manifest: Manifest, users: Iterable[User]) -> Wanted:
    """Say what the database should hold of a release.

    Raises:
        PolicyError: the policy cannot be read.
        PublicationError: a name is too long, or a type has no counterpart.

    """
    policy = load_policy(settings)
    rights = {group: _rights(policy, group) for group in _groups(policy, settings.publish_postgres_prefix)}
    tables = {}
    for name, table in manifest.tables.items():
        found = _table(name, table, rights)
        if found is not None:
            tables[found.schema, found.name] = found
    readers = {group for table in tables.values() for group in table.readers}
    groups = {group.name: group for group in rights if group.name in readers}
    views = {(v.schema, v.table.name): v for t in tables.values() for v in _views(t, groups)}
    members, limits = _members(policy, groups.values(), users)
    schemas = {schema: _schema_comment(schema) for schema, _ in tables}
    schemas |= {
        schema: f"What {schema.removeprefix('for_')} may see of tables with other columns too. {UNDONE}"
        for schema, _ in views
    }
    return Wanted(groups, schemas, tables, views, members, limits)


def _groups(policy: Policy, prefix: str) -> list[Group]:
    found = []
    for role in policy.roles.values():
        if not any(rule.text == CONSOLE for rule in role.consoles):
            continue
        own = _own_attributes(role)
        for limited_by in chain.from_iterable(combinations(own, size) for size in range(len(own) + 1)):
            name = f"{prefix}{role.name}" + (f"_by_{'_and_'.join(limited_by)}" if limited_by else "")
            _check_name(name)
            found.append(Group(name, role.name, limited_by))
    return found


def _own_attributes(role: Role) -> list[str]:
    return sorted({limit.attribute for limit in role.limits if not limit.values})


def _rights(policy: Policy, group: Group) -> Rights:
    identity = Identity(group.name, group.role, {name: (MARK + name,) for name in group.limited_by})
    return Rights(policy, identity, load_catalogue())


def _table(name: str, table: Table, rights: Mapping[Group, Rights]) -> WantedTable | None:
    catalogue = load_catalogue()
    if name not in catalogue:
        return None
    readers, tests = {}, {}
    for group, theirs in rights.items():
        columns = [column for column in theirs.columns(name) if column in table.columns]
        if columns:
            readers[group.name] = columns
            tests[group.name] = [_test(*item) for item in sorted(theirs.table(name).rows.items())]
    seen = {column for columns in readers.values() for column in columns}
    if not seen:
        return None
    entry, words = catalogue[name], load_descriptions()[name]
    # A row's partition, and whether a member may see it, are told by columns that are there for it.
    seen |= {test.column for each in tests.values() for test in each}
    seen |= {table.partition_by} if table.partition_by else set()
    types = {column: _type(name, column, kind) for column, kind in table.columns.items() if column in seen}
    comments = {
        column: words.columns.get(column, "") + (f" Sensitivity: {tag}." if (tag := entry.columns.get(column)) else "")
        for column in types
    }
    owner = "data engineering" if table.database == WAREHOUSE else table.database
    comment = f"{words.table} Owner: {owner}."
    return WantedTable(table.database, name, types, table.partition_by, comment, comments, readers, tests)


def _test(column: str, values: tuple[str, ...]) -> RowTest:
    own = [value.removeprefix(MARK) for value in values if value.startswith(MARK)]
    return RowTest(column, own[0]) if own else RowTest(column, values=tuple(sorted(set(values))))


def _type(table: str, column: str, kind: str) -> str:
    decimal = DECIMAL.fullmatch(kind)
    found = f"numeric({decimal[1]},{decimal[2]})" if decimal else TYPES.get(kind, "")
    if not found:
        raise PublicationError(
            f"{table}.{column} is {kind}, which PostgreSQL has no counterpart of here.",
            hint=f"Cast it in the model to one of {', '.join(sorted(TYPES))} or DECIMAL.",
        )
    return found


def _views(table: WantedTable, groups: Mapping[str, Group]) -> list[WantedView]:
    by_role: dict[str, list[str]] = {}
    for name, columns in table.readers.items():
        if len(columns) < len(table.columns):
            by_role.setdefault(groups[name].role, []).append(name)
    found = []
    for role, readers in by_role.items():
        _check_name(f"for_{role}")
        columns = tuple(table.readers[readers[0]])
        found.append(WantedView(f"for_{role}", table, columns, tuple(readers)))
    return found


def _members(
    policy: Policy, groups: Iterable[Group], users: Iterable[User]
) -> tuple[dict[str, str], frozenset[tuple[str, str, str]]]:
    """Give the group of each active user, and the values that limit them; who has rights to no table has no group."""
    known = {(group.role, group.limited_by): group.name for group in groups}
    members, limits = {}, set()
    for user in users:
        role = policy.roles.get(user.role)
        attributes = {name for name, values in user.attributes.items() if values}
        if user.disabled_at is not None or role is None or len(user.name.encode()) > LONGEST_NAME:
            continue
        if user.name in known.values():
            continue  # whoever takes on the group's name would have this user's values
        if user.attributes.keys() - {limit.attribute for limit in role.limits}:
            continue  # limited by what the role is not: they see nothing
        limited_by = tuple(name for name in _own_attributes(role) if name in attributes)
        if group := known.get((role.name, limited_by)):
            members[user.name] = group
            limits |= {(user.name, name, value) for name in limited_by for value in user.attributes[name]}
    return members, frozenset(limits)


def _schema_comment(schema: str) -> str:
    what = "Facts and dimensions that all marts are made of." if schema == WAREHOUSE else f"Marts of the team {schema}."
    return f"{what} {UNDONE}"


def _check_name(name: str) -> None:
    if len(name.encode()) > LONGEST_NAME:
        raise PublicationError(
            f"{name} is too long a name for PostgreSQL.",
            hint="Shorten the role, or the setting publish_postgres_prefix.",
        )
