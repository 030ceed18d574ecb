"""The tables of the operational store (SQLAlchemy Core); Alembic migrations make them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

source_file = Table(
    "source_file",
    metadata,
    Column("file_id", String(20), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("logical_name", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("retired_sequence", BigInteger),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_landed", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    Column("rows_duplicate", BigInteger, nullable=False),
    Column("rows_repaired", BigInteger, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("repairs", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("drift", JSON, nullable=False),
    Column("contract_version", String(32), nullable=False),
    Column("format", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("min_event_at", DateTime),
    Column("max_event_at", DateTime),
    Column("landed_at", DateTime, nullable=False),
    Column("error", Text),
    Column("object_name", String(80)),
    Column("is_merged", Boolean, nullable=False, server_default=false()),
    Index("source_file_by_merge", "is_merged"),
    Index("source_file_by_name", "source", "logical_name"),
    Index("source_file_by_sequence", "sequence"),
    Index("source_file_by_retirement", "retired_sequence"),
)
"""One row a file version that was offered: what it held and what became of it.

Batches of a stream whose rows were merged (``is_merged``) count by an entry of their own, of status ``merged``.
"""

file_day = Table(
    "file_day",
    metadata,
    Column("file_id", String(20), ForeignKey("source_file.file_id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("rows", BigInteger, nullable=False),
)
"""UTC days of the event times in a landed file."""

file_object = Table(
    "file_object",
    metadata,
    Column("file_id", String(20), ForeignKey("source_file.file_id"), primary_key=True),
    Column("object_name", String(80), primary_key=True),
    Index("file_object_by_object", "object_name"),
)
"""Lake objects that hold rows of a file: one from landing, more from replays of its quarantine."""

lake_object = Table(
    "lake_object",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("layout", JSON(none_as_null=True)),
    Column("replaced_at", DateTime),
    Index("lake_object_by_replacement", "replaced_at"),
)
"""An encrypted Parquet file in the lake: ``rows`` or ``quarantine``; ``layout`` says what its rows hold.

One whose rows stand in another since ``replaced_at`` is kept for a while, for those who still read it.
"""

quarantine_row = Table(
    "quarantine_row",
    metadata,
    Column("quarantine_id", Integer, primary_key=True, autoincrement=True),
    Column("file_id", String(20), ForeignKey("source_file.file_id"), nullable=False),
    Column("source", String(64), nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("object_name", String(80), nullable=False),
    Column("status", String(16), nullable=False),
    Column("edited", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Index("quarantine_row_by_file", "file_id"),
    Index("quarantine_row_by_status", "status", "source"),
)
"""Index of quarantined rows; the raw line itself lies in the encrypted quarantine object."""

restatement = Table(
    "restatement",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("source", String(64), nullable=False),
    Column("logical_name", Text, nullable=False),
    Column("old_file_id", String(20), nullable=False),
    Column("new_file_id", String(20), nullable=False),
    Column("rows_added", BigInteger, nullable=False),
    Column("rows_removed", BigInteger, nullable=False),
    Column("rows_changed", BigInteger, nullable=False),
    Column("net_sales_moved", Text),
    Column("at", DateTime, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
"""What changed when a file came again with other content."""

person = Table(
    "person",
    metadata,
    Column("lookup", LargeBinary(32), primary_key=True),
    Column("pseudonym", String(24), nullable=False, unique=True),
    Column("sealed_identifier", LargeBinary, nullable=False),
    Column("sealed_text_key", LargeBinary, nullable=False),
    Column("created_at", DateTime, nullable=False),
)
"""The person vault: keyed hash of an identifier to its random pseudonym, all else sealed."""

pipeline_run = Table(
    "pipeline_run",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("status", String(16), nullable=False),
    Column("release_id", String(40)),
    Column("detail", JSON, nullable=False),
)
"""One row a run of the pipeline."""

release_attempt = Table(
    "release_attempt",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("made_by", String(16), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("release_id", String(40)),
    Column("times", Integer, nullable=False),
    Column("first_at", DateTime, nullable=False),
    Column("code", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("tests_passed", Integer, nullable=False),
    Column("tests_warned", Integer, nullable=False),
    Column("failed_tests", JSON, nullable=False),
    Column("steps", JSON, nullable=False),
    Index("release_attempt_by_outcome", "outcome", "id"),
)
"""One row a making of a release that published or failed; the same failure again and again is one (``times``).

``failed_tests`` holds where rows came from (file and line), and no value of any row.
"""

change = Table(
    "change",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
)
"""Numbers the commits of the ledger: a release knows up to which one it reaches."""

stream_position = Table(
    "stream_position",
    metadata,
    Column("stream", String(300), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("updated_at", DateTime, nullable=False),
)
"""How far each partition of a stream has landed: the first offset that has not."""

landed_event = Table(
    "landed_event",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("at", DateTime, nullable=False),
    Index("landed_event_by_time", "at"),
)
"""Keys of events that have landed out of a log which may hold an event twice, for as long as it may."""

producer = Table(
    "producer",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("key_id", String(24), nullable=False, unique=True),
    Column("key_hash", String(64), nullable=False),
    Column("sources", JSON, nullable=False),
    Column("rate_limit", Integer),
    Column("created_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
"""One row somebody who may send events over HTTP; of their key only a hash."""

user_account = Table(
    "user_account",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("role", String(64), nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("sealed_totp", LargeBinary),
    Column("totp_step", BigInteger),
    Column("subject", String(400), unique=True),
    Column("created_at", DateTime, nullable=False),
    Column("disabled_at", DateTime),
)
"""One row a person who may sign in: role, limits, a slow hash of the password; ``totp_step`` is the last code used.

``subject`` names the person at the provider of single sign-on; such a user has no password here.
"""

user_session = Table(
    "user_session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_name", String(100), ForeignKey("user_account.name"), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
    Index("user_session_by_user", "user_name"),
)
"""One row a login; of the session's token only a hash."""

access_token = Table(
    "access_token",
    metadata,
    Column("token_id", String(24), primary_key=True),
    Column("token_hash", String(64), nullable=False),
    Column("user_name", String(100), ForeignKey("user_account.name"), nullable=False),
    Column("scopes", JSON(none_as_null=True)),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
    Index("access_token_by_user", "user_name"),
)
"""One row a personal access token; ``scopes`` are the consoles that it is good for, null for all of the role's."""

login_failure = Table(
    "login_failure",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime, nullable=False),
)
"""Failed logins in a row by keyed hash of the name, or of the address, that was tried."""

saved_query = Table(
    "saved_query",
    metadata,
    Column("query_id", String(16), primary_key=True),
    Column("user_name", String(100), ForeignKey("user_account.name"), nullable=False),
    Column("role", String(64), nullable=False),
    Column("is_shared", Boolean, nullable=False),
    Column("sealed_text", LargeBinary, nullable=False),
    Column("changed_at", DateTime, nullable=False),
    Index("saved_query_by_user", "user_name"),
    Index("saved_query_by_role", "role", "is_shared"),
)
"""One row a query that somebody keeps; its name and its SQL are sealed. ``role`` is the author's, when it was saved."""

asked_query = Table(
    "asked_query",
    metadata,
    Column("query_id", String(16), primary_key=True),
    Column("user_name", String(100), ForeignKey("user_account.name"), nullable=False),
    Column("sealed_text", LargeBinary, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("rows", BigInteger),
    Column("ms", BigInteger, nullable=False),
    Column("asked_at", DateTime, nullable=False),
    Index("asked_query_by_user", "user_name", "asked_at"),
)
"""The last queries of each person at a browser; the SQL is sealed."""
