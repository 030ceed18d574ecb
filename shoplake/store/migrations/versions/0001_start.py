"""The first tables; written out, so that a later change of ``tables.py`` leaves this migration as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "change",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_table(
        "lake_object",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "person",
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pseudonym", sa.String(length=24), nullable=False),
        sa.Column("sealed_identifier", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_text_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lookup"),
        sa.UniqueConstraint("pseudonym"),
    )
    op.create_table(
        "pipeline_run",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("release_id", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "restatement",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("logical_name", sa.Text(), nullable=False),
        sa.Column("old_file_id", sa.String(length=20), nullable=False),
        sa.Column("new_file_id", sa.String(length=20), nullable=False),
        sa.Column("rows_added", sa.BigInteger(), nullable=False),
        sa.Column("rows_removed", sa.BigInteger(), nullable=False),
        sa.Column("rows_changed", sa.BigInteger(), nullable=False),
        sa.Column("net_sales_moved", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "source_file",
        sa.Column("file_id", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("logical_name", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("retired_sequence", sa.BigInteger(), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_landed", sa.BigInteger(), nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), nullable=False),
        sa.Column("rows_duplicate", sa.BigInteger(), nullable=False),
        sa.Column("rows_repaired", sa.BigInteger(), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("repairs", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("drift", sa.JSON(), nullable=False),
        sa.Column("contract_version", sa.String(length=32), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("min_event_at", sa.DateTime(), nullable=True),
        sa.Column("max_event_at", sa.DateTime(), nullable=True),
        sa.Column("landed_at", sa.DateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("object_name", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("file_id"),
    )
    op.create_index("source_file_by_name", "source_file", ["source", "logical_name"], unique=False)
    op.create_index("source_file_by_retirement", "source_file", ["retired_sequence"], unique=False)
    op.create_index("source_file_by_sequence", "source_file", ["sequence"], unique=False)
    op.create_table(
        "file_day",
        sa.Column("file_id", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["source_file.file_id"],
        ),
        sa.PrimaryKeyConstraint("file_id", "day"),
    )
    op.create_table(
        "file_object",
        sa.Column("file_id", sa.String(length=20), nullable=False),
        sa.Column("object_name", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["source_file.file_id"],
        ),
        sa.PrimaryKeyConstraint("file_id", "object_name"),
    )
    op.create_index("file_object_by_object", "file_object", ["object_name"], unique=False)
    op.create_table(
        "quarantine_row",
        sa.Column("quarantine_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("file_id", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("object_name", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("edited", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["source_file.file_id"],
        ),
        sa.PrimaryKeyConstraint("quarantine_id"),
    )
    op.create_index("quarantine_row_by_file", "quarantine_row", ["file_id"], unique=False)
    op.create_index("quarantine_row_by_status", "quarantine_row", ["status", "source"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("quarantine_row")
    op.drop_table("file_object")
    op.drop_table("file_day")
    op.drop_table("source_file")
    op.drop_table("restatement")
    op.drop_table("pipeline_run")
    op.drop_table("person")
    op.drop_table("lake_object")
    op.drop_table("change")
