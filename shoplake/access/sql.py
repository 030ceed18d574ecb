"""Ad-hoc SQL over a release: one SELECT, read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.access.statement import check_is_select, failure, tables_named
from shoplake.audit.recording import showing
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.access.rights import Rights
    from shoplake.audit.entry import Entry
    from shoplake.settings import Settings


@dataclass(frozen=True)
class QueryResult:
    """The answer to a query."""

    release: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool
    """There were more rows than the limit."""


def query(
    settings: Settings,
    sql: str,
    *,
    parameters: Sequence[object] = (),
    release: str | None = None,
    limit: int | None = None,
    identity: Identity | None = None,
) -> QueryResult:
    """Answer one SELECT (or EXPLAIN) over the current or the named release.

    Tables are ``<database>.<table>``, such as ``warehouse.fct_sale_lines``.

    Args:
        settings: the home to read from.
        sql: the statement.
        parameters: values of its ``?``.
        release: id of a kept release.
        limit: most rows to give.
        identity: the person who asks; None for the owner of the home, who sees everything.

    Raises:
        QueryError: not a single SELECT, or DuckDB refuses it.
        AccessDenied: the person may not ask in SQL, or may not see what they ask for.
        NotFoundError: no such release.

    """
    import duckdb

    from shoplake.access.rights import Rights
    from shoplake.pipeline.releases import required

    words = {"parameters": [str(value) for value in parameters], "seen_as": identity.name if identity else None}
    with showing(settings, "sql", sql=sql, release=release, **words) as entry:
        rights = Rights.of(settings, identity) if identity else None
        if rights:
            rights.require(rights.may_use("sql"), "ask in SQL")
        try:
            found = _answer(settings, sql, parameters, release, limit, rights, entry)
        except duckdb.Error as error:
            shown = required(settings, release)
            raise failure(str(error), rights, rights.narrowed(shown) if rights else shown) from error
        entry.release = found.release
        entry.show(found.rows)
    return found


@rereads
def _answer(
    settings: Settings,
    sql: str,
    parameters: Sequence[object],
    release: str | None,
    limit: int | None,
    rights: Rights | None,
    entry: Entry,
) -> QueryResult:
    from shoplake.access.session import open_release
    from shoplake.pipeline.releases import required

    manifest = required(settings, release)
    if rights:
        manifest = rights.narrowed(manifest)
    entry.tables = tables_named(manifest, sql)
    con = open_release(settings, manifest)
    try:
        check_is_select(con, sql)
        cursor = con.execute(sql, list(parameters))
        found = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
    finally:
        description = con.description or []
        con.close()
    return QueryResult(
        release=manifest.release_id,
        columns=tuple(column[0] for column in description),
        types=tuple(str(column[1]) for column in description),
        rows=found if limit is None else found[:limit],
        is_cut=limit is not None and len(found) > limit,
    )
