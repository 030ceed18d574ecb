"""Small batches of streams are merged: their files count by one entry, their objects are replaced by one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; nothing is merged yet."""
    op.add_column("source_file", sa.Column("is_merged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("source_file_by_merge", "source_file", ["is_merged"])
    op.add_column("lake_object", sa.Column("replaced_at", sa.DateTime(), nullable=True))
    op.create_index("lake_object_by_replacement", "lake_object", ["replaced_at"])


def downgrade() -> None:
    """Drop the columns."""
    op.drop_index("lake_object_by_replacement", "lake_object")
    with op.batch_alter_table("lake_object") as batch:
        batch.drop_column("replaced_at")
    op.drop_index("source_file_by_merge", "source_file")
    with op.batch_alter_table("source_file") as batch:
        batch.drop_column("is_merged")
