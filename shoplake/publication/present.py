"""What the database holds now: what was published, its comments, grants and policies, and who is in which group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import text

if TYPE_CHECKING:
    from shoplake.publication.server import Server

OWN = "shoplake"
"""Schema of the publication's own tables."""
PUBLICATION = f"{OWN}.publication"
OWN_TABLES = {
    "publication": "release_id text not null, published_at timestamptz not null",
    "published_object": "kind text, schema_name text, object_name text, primary key (kind, schema_name, object_name)",
    "published_partition": "schema_name text, table_name text, label text, content text not null, "
    "primary key (schema_name, table_name, label)",
    "user_limit": "login text, attribute text, value text, primary key (login, attribute, value)",
}
OWN_COMMENTS = {
    "publication": "Which release of the lakehouse these tables show, and since when.",
    "published_object": "What shoplake made in this database.",
    "published_partition": "Which content of which part of a table is here: what is the same is not loaded again.",
    "user_limit": "Values that limit what a login sees; each login reads its own.",
}
Grant = tuple[str, str, str, str, str]
"""Schema, object (empty for the schema itself), column (empty for all), grantee, privilege."""


@dataclass(frozen=True)
class PresentTable:
    """One relation that was published."""

    columns: dict[str, str]
    comment: str
    comments: dict[str, str]
    has_row_security: bool
    policies: frozenset[str]


@dataclass(frozen=True)
class Present:
    """All of it."""

    objects: frozenset[tuple[str, str, str]]
    """Kind (schema, table, view, role), schema, name."""
    schemas: dict[str, tuple[str, str]]
    """Owner and comment of every schema in the database."""
    relations: dict[tuple[str, str], PresentTable]
    grants: frozenset[Grant]
    roles: dict[str, tuple[bool, bool]]
    """Whether each role of the server may log in, and is a superuser."""
    members: frozenset[tuple[str, str]]
    """Group and member."""
    limits: frozenset[tuple[str, str, str]]
    connecting: frozenset[str]
    """Roles that may connect to the database; ``public`` where everybody may."""
    login: str
    """Who publishes."""
    release: str = ""
    partitions: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """Content by label, by table."""

    def of_kind(self, kind: str) -> set[tuple[str, str]]:
        """Give schema and name of everything of a kind that was published."""
        return {(schema, name) for found, schema, name in self.objects if found == kind}


def prepare_sql() -> str:
    """Give statements that make the publication's own tables where they are missing."""
    tables = [
        f"create table if not exists {OWN}.{name} ({columns}); "
        f"comment on table {OWN}.{name} is {text(OWN_COMMENTS[name])};"
        for name, columns in OWN_TABLES.items()
    ]
    comment = "What shoplake knows of its publication."
    return " ".join([f"create schema if not exists {OWN}; comment on schema {OWN} is {text(comment)};", *tables])


def is_prepared(server: Server) -> bool:
    """Say whether the publication's own tables are there."""
    names = ", ".join(text(name) for name in OWN_TABLES)
    found = server.rows(f"select count(*) from pg_tables where schemaname = '{OWN}' and tablename in ({names})")
    return bool(found[0][0] == len(OWN_TABLES))


def read_present(server: Server, groups: Iterable[str]) -> Present:
    """Read what is there, in the transaction that is open.

    Raises:
        PublicationError: the server does not answer.

    """
    objects = frozenset(server.rows(f"select kind, schema_name, object_name from {OWN}.published_object"))
    names = ", ".join(text(name) for name in {*groups, *(n for kind, _, n in objects if kind == "role"), ""})
    partitions: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for schema, table, label, content in server.rows(f"select * from {OWN}.published_partition"):
        partitions[schema, table][label] = content
    schemas = (
        "select nspname::text, pg_get_userbyid(nspowner)::text, coalesce(obj_description(oid, 'pg_namespace'), '') "
        "from pg_namespace"
    )
    roles = "select rolname::text, rolcanlogin, rolsuper from pg_roles"
    members = (
        "select g.rolname::text as group_name, m.rolname::text from pg_auth_members a "
        "join pg_roles g on g.oid = a.roleid join pg_roles m on m.oid = a.member "
        f"where g.rolname in ({names}) and m.rolname <> current_user"
    )
    connects = (
        "select rolname::text from pg_roles where has_database_privilege(oid, current_database(), 'connect') "
        f"and rolname in ({names}) union all "
        "select 'public' where has_database_privilege('public', current_database(), 'connect')"
    )
    release = server.rows(f"select release_id from {PUBLICATION}")
    return Present(
        objects=objects,
        schemas={name: (owner, comment) for name, owner, comment in server.rows(schemas)},
        relations=_relations(server),
        grants=_grants(server),
        roles={name: (logs_in, is_super) for name, logs_in, is_super in server.rows(roles)},
        members=frozenset(server.rows(members)),
        limits=frozenset(server.rows(f"select login, attribute, value from {OWN}.user_limit")),
        connecting=frozenset(name for (name,) in server.rows(connects)),
        login=server.rows("select current_user::text")[0][0],
        release=release[0][0] if release else "",
        partitions=dict(partitions),
    )


PUBLISHED = (
    "select c.oid, n.nspname::text as schema_name, c.relname::text as name, c.relrowsecurity, c.relacl, "
    "c.relowner from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    f"left join {OWN}.published_object o on o.kind in ('table', 'view') and o.schema_name = n.nspname "
    "and o.object_name = c.relname where c.relkind in ('r', 'v') "
    f"and (o.kind is not null or n.nspname = '{OWN}')"
)


def _relations(server: Server) -> dict[tuple[str, str], PresentTable]:
    found: dict[tuple[str, str], PresentTable] = {}
    for schema, name, secured, comment in server.rows(
        f"select schema_name, name, relrowsecurity, coalesce(obj_description(oid, 'pg_class'), '') from ({PUBLISHED}) p"
    ):
        found[schema, name] = PresentTable({}, comment, {}, secured, frozenset())
    for schema, name, column, kind, comment in server.rows(
        "select schema_name, name, attname::text, format_type(atttypid, atttypmod), "
        f"coalesce(col_description(p.oid, attnum), '') from ({PUBLISHED}) p "
        "join pg_attribute a on a.attrelid = p.oid where attnum > 0 and not attisdropped order by p.oid, attnum"
    ):
        found[schema, name].columns[column] = kind
        found[schema, name].comments[column] = comment
    policies: dict[tuple[str, str], set[str]] = defaultdict(set)
    for schema, name, policy in server.rows(
        f"select schema_name, name, polname::text from ({PUBLISHED}) p join pg_policy on polrelid = p.oid"
    ):
        policies[schema, name].add(policy)
    return {
        key: PresentTable(t.columns, t.comment, t.comments, t.has_row_security, frozenset(policies[key]))
        for key, t in found.items()
    }


def _grants(server: Server) -> frozenset[Grant]:
    """Give every grant to others than the owner, on what was published and on the schemas of it."""
    who = "case grantee when 0 then 'public' else pg_get_userbyid(grantee)::text end, lower(privilege_type)"
    return frozenset(
        server.rows(
            f"select schema_name, name, '', {who} from ({PUBLISHED}) p, aclexplode(relacl) where grantee <> relowner "
            f"union select schema_name, name, attname::text, {who} from ({PUBLISHED}) p "
            "join pg_attribute on attrelid = p.oid, aclexplode(attacl) where grantee <> relowner "
            f"union select nspname::text, '', '', {who} from pg_namespace, aclexplode(nspacl) "
            f"where grantee <> nspowner and (nspname = '{OWN}' or nspname in "
            f"(select schema_name from {OWN}.published_object where kind = 'schema'))"
        )
    )
