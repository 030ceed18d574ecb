"""Keys of events that have landed out of a log which may hold an event twice."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "landed_event",
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        if_not_exists=True,
    )
    op.create_index("landed_event_by_time", "landed_event", ["at"], if_not_exists=True)


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("landed_event", if_exists=True)
