"""Migrations make exactly the tables that the code works with, and every change of them needs one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import shoplake.store.migrations
from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.engine import Store, open_store
from shoplake.store.tables import metadata


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(shoplake.store.migrations.__file__).parent))
    return ScriptDirectory.from_config(config)


def test_the_newest_script_is_the_one_that_opening_checks_for() -> None:
    assert scripts().get_heads() == [shoplake.store.migrations.HEAD]


def test_migrations_make_the_tables_of_the_code(store: Store) -> None:
    with store.reading() as con:
        context = MigrationContext.configure(con, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == shoplake.store.migrations.HEAD


def test_migrations_write_their_tables_out() -> None:
    # A script that asked the code for its tables would make tomorrow's, and a later one would then find them there.
    for script in scripts().walk_revisions():
        assert "shoplake" not in Path(script.path).read_text(encoding="utf-8"), script.path


def test_every_migration_can_be_undone(store: Store) -> None:
    with store.engine.connect() as con:
        context = MigrationContext.configure(con)
        config = Config()
        config.set_main_option("script_location", str(Path(shoplake.store.migrations.__file__).parent))
        config.attributes["connection"] = con
        command.downgrade(config, "base")
        con.commit()
        assert [change[0] for change in compare_metadata(context, metadata)].count("add_table") == len(metadata.tables)
        command.upgrade(config, "head")
        con.commit()
        assert compare_metadata(context, metadata) == []


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
