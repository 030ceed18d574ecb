"""A PostgreSQL database as DuckDB's extension reaches it: statements, questions, rows by binary COPY, transactions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from shoplake.errors import PublicationError
from shoplake.keys.duckdb_session import load_extension

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.publication.target import Target

ALIAS = "published"
SECRET = "published_login"  # noqa: S105 - a name
NUL_SIGN = "␀"
"""PostgreSQL's text cannot hold the character NUL; Unicode has a sign for it."""
OF_SERVER = re.compile(r"Failed to (?:execute|prepare|copy|fetch|commit)|Postgres")
"""Tells messages about the server from those about our own files."""
SAID = re.compile(r"(?:ERROR|FATAL|PANIC): +([^\n]*)")
REST = re.compile(r'(?:": ?|data: )([^\n"]*)[^"]*$')
"""Where a message, which repeats the whole statement or address first, comes to what went wrong."""
SAFE = (
    "set local search_path = pg_catalog; set local statement_timeout = 0; set local standard_conforming_strings = on;"
)
T = TypeVar("T")


class Server:
    """One database; every transaction is on one connection of it."""

    def __init__(self, con: DuckDBPyConnection, target: Target) -> None:
        """Connect to the database of ``target`` through ``con``.

        Raises:
            PublicationError: the extension cannot be loaded, or the server does not answer or lets nobody in.

        """
        from shoplake.keys.duckdb_session import text

        self._con, self._target = con, target
        _load_extension(con)
        con.execute(f"set pg_null_byte_replacement = '{NUL_SIGN}'")
        secret = ""
        if target.password:
            con.execute(f"create temporary secret {SECRET} (type postgres, password {text(target.password)})")
            secret = f", secret {SECRET}"
        self._said(lambda: con.execute(f"attach {text(target.conninfo)} as {ALIAS} (type postgres{secret})"))

    @property
    def connection(self) -> DuckDBPyConnection:
        """Give DuckDB's connection, which reads our own files."""
        return self._con

    def execute(self, sql: str) -> None:
        """Execute statements of PostgreSQL.

        Raises:
            PublicationError: the server refuses one, or has gone away.

        """
        self._said(lambda: self._con.execute(f"call postgres_execute('{ALIAS}', ?)", [sql]))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask PostgreSQL one SELECT.

        Raises:
            PublicationError: as `execute`.

        """
        return self._said(lambda: self._con.execute(f"from postgres_query('{ALIAS}', ?)", [sql]).fetchall())

    def insert(self, schema: str, table: str, columns: list[str], select: str) -> int:
        """Write the rows of a SELECT of DuckDB into a table of PostgreSQL; give their number.

        Raises:
            PublicationError: as `execute`.

        """
        from shoplake.keys.duckdb_session import quoted

        names = ", ".join(quoted(column) for column in columns)
        place = f"{ALIAS}.{quoted(schema)}.{quoted(table)}"
        sql = f"insert into {place} ({names}) {select}"
        (count,) = self._said(lambda: self._con.execute(sql).fetchone()) or (0,)
        return int(count)

    def forget_tables(self) -> None:
        """Let DuckDB look again at which tables there are."""
        self._con.execute("call pg_clear_cache()")

    @contextmanager
    def transaction(self, first: str) -> Iterator[None]:
        """Do all of the block or nothing; ``first`` is executed before the transaction's snapshot is taken.

        Raises:
            PublicationError: it could not be done; the database is as it was.

        """
        self._con.execute("begin")
        try:
            self.execute(SAFE + first)
            yield
            self._said(lambda: self._con.execute("commit"))
        except BaseException:
            # Left open, the connection's end would try it with a server that may be gone, and end this process.
            with suppress(Exception):
                self._con.execute("rollback")
            raise

    def _said(self, call: Callable[[], T]) -> T:
        import duckdb

        try:
            return call()
        except duckdb.Error as error:
            message = str(error)
            if isinstance(error, duckdb.IOException | duckdb.PermissionException) and not OF_SERVER.search(message):
                raise  # a file of the release is gone
            said = SAID.findall(message) or REST.findall(message) or [message.partition("\n")[0]]
            why = said[-1].strip().rstrip(".") or "the connection was lost"
            raise PublicationError(f"{self._target.name}: {why}.", hint=_hint(why)) from None


def _hint(why: str) -> str:
    for words, hint in (
        ("password", "Give the password by --password-stdin, a password file (passfile=… in the URL) or PGPASSWORD."),
        (
            "certificate",
            "Name the authority that signed the server's certificate: sslrootcert=/path/ca.pem in the URL.",
        ),
        ("lock timeout", "Another publication, or a long query on a table that changes its shape; call again later."),
        ("permission denied", "The login needs CREATE on the database and CREATEROLE; see docs/connect/README.md."),
        ("must be owner", "Publish by the login that published first, or give it the tables (REASSIGN OWNED)."),
        ("depend", "Somebody made a view upon a published table that changes its shape: drop it, and make it again."),
    ):
        if words in why:
            return hint
    return "Nothing of this publication is in the database; call again once the cause is mended."


def _load_extension(con: DuckDBPyConnection) -> None:
    import duckdb

    try:
        load_extension(con, "postgres_scanner")
    except duckdb.Error as error:
        raise PublicationError(
            "DuckDB's extension for PostgreSQL cannot be loaded.",
            hint="Install it: pip install 'shoplake[postgres]'.",
        ) from error
