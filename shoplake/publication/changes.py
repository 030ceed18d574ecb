"""The statements that make a database as it should be; what is right is left alone, so that readers never wait."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.errors import PublicationError
from shoplake.keys.duckdb_session import quoted, text
from shoplake.publication.present import OWN, PUBLICATION

if TYPE_CHECKING:
    from shoplake.publication.present import Present, PresentTable
    from shoplake.publication.wanted import RowTest, Wanted, WantedTable, WantedView

PATIENCE = 60
"""Attempts, each of a second, to get the locks that a change of shape needs; readers queue for that second at most."""
NEXT = "__next"
"""Ends the name of a table of a new shape until it takes the place of the old one."""
PATIENTLY = """do $shoplake$
declare attempts int := 0;
begin
  loop
    begin
      set local lock_timeout = '1s';
      {statements}
      set local lock_timeout = 0;
      exit;
    exception when lock_not_available or deadlock_detected then
      attempts := attempts + 1;
      if attempts >= {patience} then raise; end if;
      perform pg_sleep(0.5);
    end;
  end loop;
end $shoplake$"""
IF_FREE = "begin {statement}; exception when dependent_objects_still_exist then null; end"
"""Drops what nothing else rests on; what another database or somebody's own object needs stays, without rights."""


@dataclass
class Changes:
    """Statements in the order in which they have to be executed, around the loading of rows."""

    before: list[str] = field(default_factory=list)
    """Before rows are loaded: groups, schemas, new tables."""
    after: list[str] = field(default_factory=list)
    """Grants, members, comments: they take no lock that a reader would feel."""
    locking: list[str] = field(default_factory=list)
    """Changes of shape and of policies of tables that are read; executed together, patiently."""
    last: list[str] = field(default_factory=list)
    """What goes when nothing has rights to it or stands in it any more."""
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    """Name of the table to load into, for tables that are new or of a new shape."""
    granted: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def patiently(self) -> str:
        """Give the one statement that executes all that locks."""
        return PATIENTLY.format(statements="\n".join(f"{each};" for each in self.locking), patience=PATIENCE)

    def at_last(self) -> str:
        """Give the one statement that executes what comes last."""
        return f"do $shoplake$ begin {' '.join(f'{each};' for each in self.last)} end $shoplake$"


def shape_changes(wanted: Wanted, present: Present) -> Changes:
    """Compare the groups, schemas, tables and views that should be with those that are.

    Raises:
        PublicationError: a schema or a role of a wanted name is somebody else's.

    """
    found = Changes()
    _groups(wanted, present, found)
    _schemas(wanted, present, found)
    for view in stale_views(wanted, present):
        found.locking.append(f"drop view if exists {place_of(*view)}")
    _tables(wanted, present, found)
    _views(wanted, present, found)
    _objects(wanted, present, found)
    return found


def _groups(wanted: Wanted, present: Present, found: Changes) -> None:
    for group in wanted.groups.values():
        logs_in, is_super = present.roles.get(group.name, (False, False))
        if logs_in or is_super:
            raise PublicationError(
                f"The server's role {group.name} logs in or is a superuser: it is not the group that shoplake needs.",
                hint="Rename it, or set publish_postgres_prefix.",
            )
        if group.name not in present.roles:
            limits = f", limited by their own {', '.join(group.limited_by)}" if group.limited_by else ""
            comment = text(f"Users of the role {group.role} of shoplake{limits}.")
            found.before += [
                f"create role {quoted(group.name)} nologin",
                f"comment on role {quoted(group.name)} is {comment}",
            ]
        if group.name not in present.connecting and "public" not in present.connecting:
            found.after.append(_on_database("grant connect on database ", f" to {quoted(group.name)}"))
    for _, name in sorted(present.of_kind("role")):
        if name not in wanted.groups and name in present.roles:
            found.after.append(_on_database("revoke all on database ", f" from {quoted(name)}"))
            found.last.append(IF_FREE.format(statement=f"drop role {quoted(name)}"))
            found.dropped.append(name)


def _schemas(wanted: Wanted, present: Present, found: Changes) -> None:
    published = {schema for schema, _ in present.of_kind("schema")}
    for schema, comment in sorted(wanted.schemas.items()):
        owner, known = present.schemas.get(schema, ("", ""))
        if owner and schema not in published:
            raise PublicationError(
                f"The database has a schema {schema} that is not shoplake's (its owner is {owner}).",
                hint="Publish into a database of its own, or rename that schema.",
            )
        if not owner:
            found.before.append(f"create schema {quoted(schema)}")
        if known != comment:
            found.after.append(f"comment on schema {quoted(schema)} is {text(comment)}")


def _tables(wanted: Wanted, present: Present, found: Changes) -> None:
    there = present.of_kind("table")
    for key, table in wanted.tables.items():
        now = present.relations.get(key) if key in there else None
        place = table.name
        if now is None:
            found.places[key] = place
        elif list(now.columns.items()) != list(table.columns.items()):
            place = found.places[key] = f"{table.name[: 63 - len(NEXT)]}{NEXT}"
        is_new = key in found.places
        if is_new:
            _create(table, place, found)
        if place != table.name:
            found.locking += [
                f"drop table {place_of(*key)}",
                f"alter table {place_of(table.schema, place)} rename to {quoted(table.name)}",
            ]
        _comments(key, table, found, None if is_new else now)
        policies = {_policy_name(group, tests): (group, tests) for group, tests in table.tests.items()}
        known = frozenset[str]() if is_new or now is None else now.policies
        steps = [f"drop policy {quoted(name)} on {place_of(*key)}" for name in sorted(known - policies.keys())]
        steps += [_policy(key, name, *policies[name]) for name in sorted(policies.keys() - known)]
        if not is_new and now is not None and not now.has_row_security:
            steps.append(f"alter table {place_of(*key)} enable row level security")
        (found.after if key not in there else found.locking).extend(steps)
    for key in sorted(there - wanted.tables.keys()):
        found.locking.append(f"drop table if exists {place_of(*key)}")
        found.dropped.append(".".join(key))
    for schema, _ in sorted(present.of_kind("schema")):
        if schema not in wanted.schemas:
            found.last.append(IF_FREE.format(statement=f"drop schema if exists {quoted(schema)}"))


def _create(table: WantedTable, place: str, found: Changes) -> None:
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in table.columns.items())
    found.before.append(f"create table {place_of(table.schema, place)} ({columns})")
    found.before.append(f"alter table {place_of(table.schema, place)} enable row level security")


def _comments(
    key: tuple[str, str], table: WantedTable, found: Changes, now: PresentTable | None, columns: Sequence[str] = ()
) -> None:
    if now is None or now.comment != table.comment:
        kind = "view" if columns else "table"
        found.after.append(f"comment on {kind} {place_of(*key)} is {text(table.comment)}")
    for column in columns or table.comments:
        if now is None or now.comments.get(column) != table.comments[column]:
            found.after.append(f"comment on column {place_of(*key)}.{quoted(column)} is {text(table.comments[column])}")


def stale_views(wanted: Wanted, present: Present) -> list[tuple[str, str]]:
    """Give the views that are wanted no more, or of another shape; one upon a table that changes its shape is too."""
    stale = []
    for key in sorted(present.of_kind("view")):
        view, now = wanted.views.get(key), present.relations.get(key)
        if now is not None and (view is None or not _is_same(view, present)):
            stale.append(key)
    return stale


def _is_same(view: WantedView, present: Present) -> bool:
    table, now = (view.table.schema, view.table.name), present.relations[view.schema, view.table.name]
    below = present.relations.get(table)
    is_kept = below is not None and list(below.columns.items()) == list(view.table.columns.items())
    return is_kept and tuple(now.columns) == view.columns


def _views(wanted: Wanted, present: Present, found: Changes) -> None:
    there = {key for key in present.of_kind("view") if key in present.relations}
    for key, view in wanted.views.items():
        is_kept = key in there and _is_same(view, present)
        if not is_kept:
            columns = ", ".join(quoted(column) for column in view.columns)
            table = place_of(view.table.schema, view.table.name)
            # The invoker's own grants and rows count: the view gives nobody anything.
            sql = f"create view {place_of(*key)} with (security_invoker = true) as select {columns} from {table}"
            (found.locking if found.locking else found.after).append(sql)
        _comments(key, view.table, found, present.relations[key] if is_kept else None, view.columns)


def _objects(wanted: Wanted, present: Present, found: Changes) -> None:
    objects = {("role", "", name) for name in wanted.groups} | {("schema", name, "") for name in wanted.schemas}
    objects |= {("table", *key) for key in wanted.tables} | {("view", *key) for key in wanted.views}
    for kind, schema, name in sorted(present.objects - objects):
        test = f"kind = {text(kind)} and schema_name = {text(schema)} and object_name = {text(name)}"
        found.after.append(f"delete from {OWN}.published_object where {test}")
    new = sorted(objects - present.objects)
    if new:
        rows = ", ".join(f"({text(kind)}, {text(schema)}, {text(name)})" for kind, schema, name in new)
        found.after.append(f"insert into {OWN}.published_object values {rows}")


def release_sql(release: str) -> list[str]:
    """Give the statements that say which release the database shows."""
    return [f"delete from {PUBLICATION}", f"insert into {PUBLICATION} values ({text(release)}, now())"]


def _policy(key: tuple[str, str], name: str, group: str, tests: Sequence[RowTest]) -> str:
    using = " and ".join(_test_sql(test) for test in tests) or "true"
    return f"create policy {quoted(name)} on {place_of(*key)} for select to {quoted(group)} using ({using})"


def _policy_name(group: str, tests: Sequence[RowTest]) -> str:
    """Name a policy by what it says: one of that name need not be made again."""
    digest = hashlib.sha256(repr((group, [_test_sql(test) for test in tests])).encode()).hexdigest()[:8]
    return f"{group.encode()[:50].decode('utf-8', 'ignore')}_{digest}"


def _test_sql(test: RowTest) -> str:
    column = f"{quoted(test.column)}::text"
    if not test.attribute:
        return f"{column} in ({', '.join(text(value) for value in test.values)})"
    own = f"select value from {OWN}.user_limit where login = current_user::text and attribute = {text(test.attribute)}"
    return f"{column} = any (array({own}))"


def _on_database(before: str, after: str) -> str:
    words = f"{text(before)} || quote_ident(current_database()) || {text(after)}"
    return f"do $shoplake$ begin execute {words}; end $shoplake$"


def place_of(schema: str, name: str) -> str:
    """Give the SQL name of a table or view."""
    return f"{quoted(schema)}.{quoted(name)}"
