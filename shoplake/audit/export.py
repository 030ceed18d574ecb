"""Writes records out of the log, for other tools."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENDINGS = (".jsonl", ".csv")


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write records to a new file that only its owner may read: JSON Lines, or CSV with lists and details as JSON."""
    with open(path, "x", encoding="utf-8", newline="", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(text_of(path.suffix, rows))


def text_of(ending: str, rows: Sequence[dict[str, Any]]) -> str:
    """Give records as the text of a file of an ending: ``.jsonl`` or ``.csv``."""
    if ending == ".jsonl":
        return "".join(json.dumps(row, default=str) + "\n" for row in rows)
    names, text = list(rows[0]) if rows else [], io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value
