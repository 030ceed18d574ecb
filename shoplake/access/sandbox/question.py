"""What is asked of the sandbox, what it answers, and what it is at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Question:
    """One query; limits above those of the settings count as the settings'."""

    sql: str
    parameters: Sequence[object] | Mapping[str, object] = ()
    """Values of its ``?``, or of its ``$name``."""
    database: str | None = None
    """Where bare table names are looked up first."""
    release: str | None = None
    """Id of a kept release; None for the served one."""
    row_limit: int | None = None
    byte_limit: int | None = None
    seconds: float | None = None
    noted: Mapping[str, object] = field(default_factory=dict)
    """What else the record says of it."""


@dataclass(frozen=True)
class Answer:
    """The rows of a query, computed and on record."""

    query_id: str
    release: str
    table: pa.Table
    is_cut: bool
    """There were more rows than the limits let through."""
    ms: float

    @property
    def schema(self) -> pa.Schema:
        """Give the columns and their Arrow types."""
        return self.table.schema


@dataclass(frozen=True)
class RunningQuery:
    """A query that waits or runs."""

    query_id: str
    user: str
    role: str
    sql: str
    started_at: dt.datetime
    release: str | None
