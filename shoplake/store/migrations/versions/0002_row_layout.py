"""Lake objects say which fields their rows hold and what their flags mean, so that contracts may gain fields."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; objects from before it are read by the contract of the day, as they always were."""
    op.add_column("lake_object", sa.Column("layout", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("lake_object") as batch:
        batch.drop_column("layout")
