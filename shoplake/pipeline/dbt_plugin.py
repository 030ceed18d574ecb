"""Hands dbt-duckdb's connection to the workspace: no key is ever in a profile, in SQL or in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbt.adapters.duckdb.plugins import BasePlugin

from shoplake.pipeline.workspace import Current

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Plugin(BasePlugin):
    """dbt-duckdb's hooks: it opens one database a process and a cursor for each node."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Remember the connection that lives as long as the scratch database."""
        Current.database = conn

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:  # noqa: ARG002 - the signature is dbt's
        """Prepare the scratch database before the first statement of a build."""
        if Current.workspace is not None and Current.database is not None:
            Current.workspace.prepare(Current.database)
