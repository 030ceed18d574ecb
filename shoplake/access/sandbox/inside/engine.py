"""DuckDB as sandboxed processes have it: in memory, with its cipher, and without a place on disk."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shoplake.keys.duckdb_session import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.access.sandbox.frames import Plan

CIPHER = "httpfs"


def new_engine() -> DuckDBPyConnection:
    """Open an engine without threads of its own, so that a process that has it can be forked.

    Raises:
        duckdb.Error: its cipher cannot be loaded.

    """
    duckdb.default_connection().close()  # The import makes it, with a thread.
    con = duckdb.connect(config={"threads": 1})
    _load_cipher(con)
    for name, value in (
        ("temp_directory", "''"),
        ("max_temp_directory_size", "'0B'"),
        ("home_directory", "'/'"),
        ("timezone", "'UTC'"),
        ("python_enable_replacements", "false"),  # A table's name would be looked up among this program's variables.
        ("python_scan_all_frames", "false"),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("allow_community_extensions", "false"),
    ):
        con.execute(f"set {name} = {value}")
    con.execute("select 1 as a, 'x' as b").to_arrow_reader(1).read_all()
    return con


def _load_cipher(con: DuckDBPyConnection) -> None:
    """Load the cipher by a relative path: `duckdb_extensions()` shows what it is loaded by."""
    import importlib.util

    name = f"duckdb_extension_{CIPHER}"
    if found := importlib.util.find_spec(name):
        folders = [Path(place) for place in found.submodule_search_locations or ()]
        pattern = f"v{duckdb.__version__}/*{CIPHER}.duckdb_extension"
        files = [file for folder in folders for file in folder.rglob(pattern)]
        if files:
            here = os.open(".", os.O_RDONLY)
            try:
                os.chdir(files[0].parent)
                con.execute(f"load './{files[0].name}'")
                return
            finally:
                os.fchdir(here)
                os.close(here)
    con.execute(f"load {CIPHER}")


def open_plan(con: DuckDBPyConnection, plan: Plan) -> None:
    """Open what a plan says, and shut all other files.

    Raises:
        duckdb.Error: a file or a key does not fit.

    """
    con.execute(f"set memory_limit = '{plan.memory_bytes}B'")
    for name, secret in plan.keys.items():
        con.execute(f"pragma add_parquet_key('{name}', '{base64.b64encode(secret).decode()}')")
    for statement in plan.statements:
        con.execute(statement)
    con.execute(f"set allowed_paths = [{', '.join(repr(name) for name in plan.files)}]")
    con.execute("set enable_external_access = false")


def lock(con: DuckDBPyConnection, threads: int, database: str | None) -> None:
    """Lock the engine for one query.

    Raises:
        duckdb.Error: there is no such database.

    """
    if threads > 1:  # It has one, and making more costs.
        con.execute(f"set threads = {threads}")
    if database is not None:
        con.execute(f"set schema = {text(database)}")
    con.execute("set lock_configuration = true")
