"""What became of each making of a release: also those that failed, with the tests that did not hold."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table; earlier attempts are not known."""
    op.create_table(
        "release_attempt",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("made_by", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("release_id", sa.String(40)),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("first_at", sa.DateTime, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("tests_passed", sa.Integer, nullable=False),
        sa.Column("tests_warned", sa.Integer, nullable=False),
        sa.Column("failed_tests", sa.JSON, nullable=False),
        sa.Column("steps", sa.JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_index("release_attempt_by_outcome", "release_attempt", ["outcome", "id"], if_not_exists=True)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("release_attempt", if_exists=True)
