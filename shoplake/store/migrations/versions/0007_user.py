"""Who may sign in: users, their sessions and tokens, and failed logins."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "user_account",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("sealed_totp", sa.LargeBinary),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("subject", sa.String(400), unique=True),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("disabled_at", sa.DateTime),
        if_not_exists=True,
    )
    op.create_table(
        "user_session",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("user_name", sa.String(100), sa.ForeignKey("user_account.name"), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        if_not_exists=True,
    )
    op.create_index("user_session_by_user", "user_session", ["user_name"], if_not_exists=True)
    op.create_table(
        "access_token",
        sa.Column("token_id", sa.String(24), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_name", sa.String(100), sa.ForeignKey("user_account.name"), nullable=False),
        sa.Column("scopes", sa.JSON),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        if_not_exists=True,
    )
    op.create_index("access_token_by_user", "access_token", ["user_name"], if_not_exists=True)
    op.create_table(
        "login_failure",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_at", sa.DateTime, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("login_failure", "access_token", "user_session", "user_account"):
        op.drop_table(name, if_exists=True)
