"""A locked, read-only DuckDB session over one release: its tables as views, and nothing else to open."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from shoplake.pipeline.releases import partition_files

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.access.identity import Identity
    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.manifest import Manifest, Table
    from shoplake.settings import Settings


def open_release_session(
    settings: Settings, identity: Identity, release: str | None = None
) -> tuple[DuckDBPyConnection, Manifest]:
    """Open the current or the named release as one person may see it.

    The session holds the keys of the tables that the person sees whole and of their own parts of others, and can open
    those files only. It does not look at consoles: whoever offers the session does.

    Returns:
        The locked session, and the release as the person may see it.

    Raises:
        PolicyError: the policy cannot be read, or has no such role.
        NotFoundError: no such release, or nothing has been released.
        KeyAccessError: a key is missing or wrong.

    """
    from shoplake.access.rights import Rights
    from shoplake.pipeline.releases import required

    manifest = Rights.of(settings, identity).narrowed(required(settings, release))
    return open_release(settings, manifest), manifest


def open_release(
    settings: Settings, manifest: Manifest, databases: Collection[str] | None = None
) -> DuckDBPyConnection:
    """Open the tables of a release as views ``<database>.<table>``.

    The session can read the partitions of the chosen databases and no other file; its settings are locked.

    Args:
        settings: the home to read from.
        manifest: the release.
        databases: databases to open; None opens all of them.

    Raises:
        KeyAccessError: a key is missing or wrong.

    """
    from shoplake.keys.duckdb_session import connect
    from shoplake.keys.keyring import Keyring

    keyring = Keyring.open(settings)
    con = connect(settings)
    files: list[str] = []
    for database in manifest.databases():
        if databases is not None and database not in databases:
            continue
        con.execute(f'create schema if not exists "{database}"')
        for name, table in manifest.tables.items():
            if table.database == database:
                files += _show(con, settings, keyring, name, table)
    _lock(con, files)
    return con


def _show(con: DuckDBPyConnection, settings: Settings, keyring: Keyring, name: str, table: Table) -> list[str]:
    from shoplake.keys.duckdb_session import add_parquet_key, scan_sql

    grouped = partition_files(settings, table.partitions)
    by_key = {add_parquet_key(con, keyring.get(table.key_name, version)): paths for version, paths in grouped.items()}
    con.execute(f'create view "{table.database}"."{name}" as {scan_sql(by_key, table.columns)}')
    return [str(path) for paths in grouped.values() for path in paths]


def _lock(con: DuckDBPyConnection, files: list[str]) -> None:
    """Shut every file but ``files``, then the settings themselves."""
    names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    con.execute(f"set allowed_paths = [{names}]")
    con.execute("set enable_external_access = false")
    con.execute("set lock_configuration = true")
