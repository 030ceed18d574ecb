"""Migrations make exactly the tables that the code works with, and every change of them needs one."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.schema import CreateIndex, CreateTable

import shoplake.store.migrations
from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.engine import Store, open_store
from shoplake.store.tables import metadata

SCHEMA = Path(__file__).parent / "schema.sql"


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(shoplake.store.migrations.__file__).parent))
    return ScriptDirectory.from_config(config)


def ddl() -> str:
    """Give the tables of ``tables.py`` as SQL, with the revision that makes them."""
    from sqlalchemy.dialects import sqlite

    parts = [f"-- revision {shoplake.store.migrations.HEAD}"]
    for table in metadata.sorted_tables:
        parts.append(str(CreateTable(table).compile(dialect=sqlite.dialect())).strip().replace(" \n", "\n"))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        parts += [str(CreateIndex(index).compile(dialect=sqlite.dialect())).strip() for index in indexes]
    return ";\n".join(parts).replace(f"{parts[0]};", parts[0]).replace("\t", "  ") + ";\n"


def test_the_newest_script_is_the_one_that_opening_checks_for() -> None:
    assert scripts().get_heads() == [shoplake.store.migrations.HEAD]


def test_a_new_store_has_the_tables_of_the_code(store: Store) -> None:
    with store.reading() as con:
        context = MigrationContext.configure(con, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == shoplake.store.migrations.HEAD


def test_a_changed_table_comes_with_a_migration() -> None:
    # The first migration makes whatever tables.py says, so that comparing a new store with it would notice nothing.
    assert ddl() == SCHEMA.read_text(encoding="utf-8"), (
        "tables.py has changed: add a migration, then write the SQL of the new tables to tests/store/schema.sql"
    )


def test_a_store_that_is_behind_is_brought_up_to_date_by_opening_it(settings: Settings) -> None:
    ring = Keyring.open(settings)
    store = open_store(settings, ring)
    with store.writing() as con:
        for table in reversed(metadata.sorted_tables):
            con.execute(text(f"drop table {table.name}"))
        con.execute(text("delete from alembic_version"))
    store.close()
    store = open_store(settings, ring)
    with store.reading() as con:
        context = MigrationContext.configure(con)
        assert compare_metadata(context, metadata) == []
    store.close()


def test_migrating_an_up_to_date_store_keeps_its_rows(settings: Settings) -> None:
    ring = Keyring.open(settings)
    store = open_store(settings, ring)
    with store.writing() as con:
        con.execute(text("insert into change (at) values ('2026-01-05 12:00:00')"))
    store.close()
    store = open_store(settings, ring, migrate=True)
    with store.reading() as con:
        assert con.execute(text("select count(*) from change")).scalar() == 1
    store.close()
