"""A person's SQL: what passes, what it may read, and why it failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shoplake.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from shoplake.access.rights import Rights
    from shoplake.pipeline.manifest import Manifest

MAKES_NAMES = {"query", "query_table"}
"""Functions that read tables whose names the statement need not hold."""
WORD = re.compile(r"\w+")
TOKEN = re.compile(rb"\w+|[!-~]")
BEGINS_A_QUERY = {"select", "with", "from", "values", "table", "("}


def check_is_select(con: DuckDBPyConnection, sql: str) -> None:
    """Pass only a single SELECT, or an EXPLAIN of one.

    Raises:
        QueryError: anything else, or SQL that does not parse.

    """
    import duckdb

    try:
        kind = _kind(con, sql)
        if kind == duckdb.StatementType.EXPLAIN:
            # With ANALYZE what is explained runs.
            kind = _kind(con, explained(sql))
    except duckdb.Error as error:
        raise QueryError(str(error), hint="Correct the SQL; it is DuckDB's dialect.") from error
    if kind != duckdb.StatementType.SELECT:
        raise QueryError("Only one SELECT (or EXPLAIN) at a time is allowed.", hint="A release is read-only.")


def _kind(con: DuckDBPyConnection, sql: str) -> object:
    statements = con.extract_statements(sql)
    return statements[0].type if len(statements) == 1 else None


def explained(sql: str) -> str:
    """Give what an EXPLAIN explains."""
    words = list(_words(sql))[1:]
    if [word for _, word in words[:1]] == ["analyze"]:
        words = words[1:]
    elif [word for _, word in words[:1]] == ["("] and words[1][1] not in BEGINS_A_QUERY:
        ends = [place for place, (_, word) in enumerate(words) if word == ")"]
        words = words[ends[0] + 1 :] if ends else []
    return sql.encode()[words[0][0] :].decode() if words else ""


def _words(sql: str) -> Iterator[tuple[int, str]]:
    """Give the tokens of a statement with the bytes that they begin at; comments are none."""
    import duckdb

    data = sql.encode()
    for start, _ in duckdb.tokenize(sql):
        token = TOKEN.match(data, start)
        yield start, token.group().decode().lower() if token else ""


def tables_named(manifest: Manifest, sql: str) -> list[str]:
    """Name the tables that a query may read: those that it names, or all where it may make up names as it runs."""
    words = {word.lower() for word in WORD.findall(sql)}
    makes_names = bool(words & MAKES_NAMES)
    return sorted(f"{t.database}.{name}" for name, t in manifest.tables.items() if makes_names or name.lower() in words)


def failure(message: str, rights: Rights | None, shown: Manifest) -> QueryError:
    """Give the error of a query that the engine refused.

    Args:
        message: of the engine.
        rights: the person's; None for the owner of the home.
        shown: the release as the person may see it.

    Raises:
        AccessDenied: it stumbled over a name that is out of the person's reach.

    """
    if rights:
        rights.require(rights.about_names_in(message, shown.tables), "see this")
    return QueryError(message, hint="`shoplake releases show` lists the tables and their columns.")
