"""What a batch of files gave, file by file."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from shoplake.store.ledger import LakeObject


@dataclass
class FileOutcome:
    """What became of the rows of one file in a batch."""

    rows_read: int = 0
    rows_landed: int = 0
    rows_duplicate: int = 0
    rejected: list[tuple[int, tuple[str, ...], str]] = field(default_factory=list)
    """(line, reasons, raw line) of each row that broke a rule of severity error."""
    repaired_rows: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)
    days: dict[dt.date, int] = field(default_factory=dict)
    min_event_at: dt.datetime | None = None
    max_event_at: dt.datetime | None = None


@dataclass
class BatchOutcome:
    """What one batch gave: an object (none if no row landed) and the outcome of each file by its id."""

    files: dict[str, FileOutcome]
    object: LakeObject | None
    path: Path | None
