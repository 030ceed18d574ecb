"""Looking through the quarantine page by page, with every reason, file and line, and nothing about persons."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.audit.recording import showing
from shoplake.errors import NotFoundError
from shoplake.keys.rereading import rereads
from shoplake.lake.held_values import HeldLine, visible
from shoplake.lake.quarantine_room import Room, opened_room
from shoplake.store.held_rows import HeldFile, HeldRows, HeldWanted

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.ledger import QuarantinedRow

MOST_FILES = 25


@dataclass(frozen=True)
class BrowsedRow:
    """A quarantined row, as it may be seen."""

    id: int
    source: str
    file_id: str
    file: str
    line: int
    reasons: tuple[str, ...]
    status: str
    shown: HeldLine | None
    """None where the line is not looked for, or no longer there."""


@dataclass(frozen=True)
class Browsed:
    """A page of rows, and how much waits in all."""

    rows: tuple[BrowsedRow, ...]
    rows_in_all: int
    """Rows that are looked for."""
    before: int | None
    """Where the next page goes on; None at the end."""
    by_source: tuple[tuple[str, int], ...]
    by_day: tuple[tuple[dt.date, int], ...]
    """Of the chosen source, the newest day first."""
    by_reason: tuple[tuple[str, int], ...]
    """Of the chosen source and day, the most frequent first."""
    files: tuple[HeldFile, ...]


def browse(
    settings: Settings, wanted: HeldWanted, *, before: int | None = None, limit: int = 50, with_lines: bool = True
) -> Browsed:
    """Look through open rows, the newest first.

    Args:
        settings: the home.
        wanted: which rows.
        before: only rows with an id below it.
        limit: most rows to give.
        with_lines: read what may be seen of the lines themselves.

    """
    asked = {"source": wanted.source, "day": str(wanted.day or "") or None, "reason": wanted.reason}
    with showing(settings, "quarantine list", **asked, of_file=wanted.file_id, hidden=True) as entry:
        found = _browsed(settings, wanted, before, limit, with_lines)
        entry.show([(row.file, row.line, row.reasons) for row in found.rows])
    return found


def look_at(settings: Settings, row_id: int) -> BrowsedRow:
    """Give one row, whatever became of it.

    Raises:
        NotFoundError: nothing in quarantine has the id.

    """
    with showing(settings, "quarantine show", ids=[row_id], hidden=True) as entry:
        found = _one(settings, row_id)
        entry.show([(found.file, found.line, found.reasons)])
    return found


@rereads
def _browsed(settings: Settings, wanted: HeldWanted, before: int | None, limit: int, with_lines: bool) -> Browsed:
    with opened_room(settings) as room:
        held = HeldRows(room.ledger.store)
        rows = held.rows(wanted, before=before, limit=limit + 1)
        by_source, by_day = Counter[str](), Counter[dt.date]()
        for source, day, count in held.by_source_and_day():
            by_source[source] += count
            if wanted.source in {None, source}:
                by_day[day] += count
        reasons = held.reasons(HeldWanted(wanted.source, wanted.day, file_id=wanted.file_id))
        return Browsed(
            rows=tuple(_seen(room, rows[:limit], with_lines)),
            rows_in_all=held.count(wanted),
            before=rows[limit - 1].quarantine_id if len(rows) > limit else None,
            by_source=tuple(sorted(by_source.items())),
            by_day=tuple(sorted(by_day.items(), reverse=True)),
            by_reason=tuple(reasons.most_common()),
            files=tuple(held.files(wanted, MOST_FILES)),
        )


@rereads
def _one(settings: Settings, row_id: int) -> BrowsedRow:
    with opened_room(settings) as room:
        rows = room.ledger.quarantined(ids=[row_id], status=None)
        if not rows:
            raise NotFoundError(f"Nothing in quarantine has the id {row_id}.", hint="See `shoplake quarantine list`.")
        return _seen(room, rows, True)[0]


def _seen(room: Room, rows: Sequence[QuarantinedRow], with_lines: bool) -> list[BrowsedRow]:
    names = room.ledger.file_names(file_ids={row.file_id for row in rows}) if rows else {}
    lines = _lines(room, rows) if with_lines else {}
    return [
        BrowsedRow(
            row.quarantine_id,
            row.source,
            row.file_id,
            names.get(row.file_id, ""),
            row.line,
            row.reasons,
            row.status,
            lines.get(row.quarantine_id),
        )
        for row in rows
    ]


def _lines(room: Room, rows: Sequence[QuarantinedRow]) -> Mapping[int, HeldLine]:
    """Read the lines of rows, each file's at once; a source without a contract shows nothing of its lines."""
    from shoplake.contracts import load_contracts

    contracts = load_contracts(room.settings)
    groups: dict[tuple[str, str], list[QuarantinedRow]] = {}
    for row in rows:
        groups.setdefault((row.object_name, row.file_id), []).append(row)
    found: dict[int, HeldLine] = {}
    for (object_name, file_id), held in groups.items():
        contract = contracts.get(held[0].source)
        if contract is None:
            continue
        raw = {line.line: line for line in room.lines(object_name, file_id, [row.line for row in held])}
        found |= {row.quarantine_id: visible(contract, raw[row.line], row.reasons) for row in held if row.line in raw}
    return found
