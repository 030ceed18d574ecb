"""Queries that people save, and those that they have asked lately."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "saved_query",
        sa.Column("query_id", sa.String(16), primary_key=True),
        sa.Column("user_name", sa.String(100), sa.ForeignKey("user_account.name"), nullable=False),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("is_shared", sa.Boolean, nullable=False),
        sa.Column("sealed_text", sa.LargeBinary, nullable=False),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_index("saved_query_by_user", "saved_query", ["user_name"], if_not_exists=True)
    op.create_index("saved_query_by_role", "saved_query", ["role", "is_shared"], if_not_exists=True)
    op.create_table(
        "asked_query",
        sa.Column("query_id", sa.String(16), primary_key=True),
        sa.Column("user_name", sa.String(100), sa.ForeignKey("user_account.name"), nullable=False),
        sa.Column("sealed_text", sa.LargeBinary, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("rows", sa.BigInteger),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_index("asked_query_by_user", "asked_query", ["user_name", "asked_at"], if_not_exists=True)


def downgrade() -> None:
    """Drop the tables."""
    for name in ("asked_query", "saved_query"):
        op.drop_table(name, if_exists=True)
