"""Gives dbt's database each source and model as an empty table, from which unit tests take their column types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from dbt.adapters.duckdb.plugins import BasePlugin

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Plugin(BasePlugin):
    """A plugin of dbt-duckdb; `profiles.yml` beside this file names it."""

    manifest: ClassVar[Any] = None
    """The parsed project."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Make the tables once the database is open."""
        models = [node for node in self.manifest.nodes.values() if node.resource_type == "model"]
        tables = {(node.schema, node.name): node.columns for node in [*models, *self.manifest.sources.values()]}
        tables |= {("previous", node.name): node.columns for node in models}
        for schema in sorted({schema for schema, _ in tables}):
            conn.execute(f"create schema {schema}")
        for (schema, name), columns in tables.items():
            typed = ", ".join(f'"{column.name}" {column.data_type}' for column in columns.values())
            conn.execute(f"create table {schema}.{name} ({typed})")
