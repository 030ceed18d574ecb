"""Runs migrations on the connection that `open_store` gives: no URL, so no key in a file."""

from alembic import context

from shoplake.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
