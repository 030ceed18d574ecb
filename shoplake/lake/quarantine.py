"""What waits in quarantine: see it, and land what a corrected contract or a person's edit makes good, once."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.audit.recording import changing, showing
from shoplake.errors import InputError, NotFoundError
from shoplake.home import home_lock
from shoplake.keys.duckdb_session import text
from shoplake.keys.rereading import rereads
from shoplake.lake.batch import Lander
from shoplake.lake.outcomes import FileOutcome
from shoplake.lake.quarantine_room import Line, Room, cut, opened_room
from shoplake.lake.relations import Offered
from shoplake.lake.restating import restated_by
from shoplake.lake.scan import scan_objects_sql
from shoplake.sources.shape import Shape

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.ledger import QuarantinedRow, SourceFile

WAIT_SECONDS = 30


@dataclass(frozen=True)
class HeldRow:
    """A quarantined row."""

    id: int
    source: str
    file: str
    line: int
    reasons: tuple[str, ...]
    status: str
    raw: str | None = None


@dataclass(frozen=True)
class Replayed:
    """What a replay did for one file."""

    source: str
    file: str
    status: str
    """``landed``, or ``failed`` while the file as a whole still waits."""
    rows_landed: int
    rows_duplicate: int
    rows_quarantined: int
    """Rows of the file that stay in quarantine."""
    reasons: dict[str, int]


def list_rows(
    settings: Settings, source: str | None = None, *, status: str | None = "open", limit: int | None = None
) -> list[HeldRow]:
    """List quarantined rows, without their content."""
    with showing(settings, "quarantine list", source=source) as entry:
        found = _listed(settings, source, status, limit)
        entry.rows = len(found)
    return found


@rereads
def _listed(settings: Settings, source: str | None, status: str | None, limit: int | None) -> list[HeldRow]:
    with opened_room(settings) as room:
        names = {file.file_id: file.logical_name for file in room.ledger.files(source)}
        return [_held(row, names) for row in room.ledger.quarantined(source=source, status=status, limit=limit)]


def show_rows(settings: Settings, ids: Collection[int]) -> list[HeldRow]:
    """Show quarantined rows with the line as it came.

    Raises:
        NotFoundError: an id is not known.

    """
    with showing(settings, "quarantine show", ids=sorted(ids)) as entry:
        found = _shown(settings, ids)
        entry.show([(row.file, row.line, row.raw) for row in found])
    return found


@rereads
def _shown(settings: Settings, ids: Collection[int]) -> list[HeldRow]:
    with opened_room(settings) as room:
        rows = room.ledger.quarantined(ids=ids, status=None)
        missing = set(ids) - {row.quarantine_id for row in rows}
        if missing:
            raise NotFoundError(
                f"Nothing in quarantine has the id {min(missing)}.", hint="See `shoplake quarantine list`."
            )
        names = {file.file_id: file.logical_name for file in room.ledger.files()}
        raw = {
            (name, line.line, file_id): line.raw
            for name in {row.object_name for row in rows}
            for file_id in {row.file_id for row in rows if row.object_name == name}
            for line in room.lines(name, file_id, [r.line for r in rows if r.file_id == file_id])
        }
        return [replace(_held(row, names), raw=raw.get((row.object_name, row.line, row.file_id))) for row in rows]


def replay(
    settings: Settings,
    *,
    source: str | None = None,
    file: str | None = None,
    ids: Collection[int] | None = None,
    edits: Mapping[int, str] | None = None,
    accept: bool = False,
    now: dt.datetime | None = None,
) -> list[Replayed]:
    """Check quarantined rows again under today's contract, and land those that are good now.

    A file that failed as a whole is checked whole; it lands when no more rows than the limit are bad.

    Args:
        settings: the home.
        source: only rows of this source.
        file: only rows of the file of this logical name.
        ids: only these rows.
        edits: lines that a person corrected, by row id.
        accept: land the good rows of a failed file whatever its share of bad ones.
        now: the clock (UTC).

    Raises:
        InputError: an edit names a row that is not open.

    """
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).replace(tzinfo=None)
    edits = dict(edits or {})
    asked = {
        "source": source,
        "file": file,
        "ids": sorted(ids or ()),
        "edited": sorted(edits),
        "accept": accept or None,
    }
    with (
        changing(settings, "quarantine replay", **asked) as entry,
        home_lock(settings, wait_seconds=WAIT_SECONDS),
        opened_room(settings) as room,
    ):
        wanted = room.ledger.quarantined(source=source, ids=ids if ids is not None else (list(edits) or None))
        unknown = edits.keys() - {row.quarantine_id for row in wanted}
        if unknown:
            raise InputError(f"Row {min(unknown)} is not open in quarantine.", hint="See `shoplake quarantine list`.")
        by_file: dict[str, list[QuarantinedRow]] = {}
        for row in wanted:
            by_file.setdefault(row.file_id, []).append(row)
        results = []
        for file_id, rows in by_file.items():
            held = room.ledger.file(file_id)
            if file is None or held.logical_name == file:
                results.append(_Replay(room, held, rows, edits, accept, moment).result())
        entry.rows = sum(result.rows_landed for result in results)
        return results


def _held(row: QuarantinedRow, names: Mapping[str, str]) -> HeldRow:
    return HeldRow(row.quarantine_id, row.source, names.get(row.file_id, ""), row.line, row.reasons, row.status)


@dataclass
class _Replay:
    """The replay of one file's rows."""

    room: Room
    file: SourceFile
    rows: Sequence[QuarantinedRow]
    edits: Mapping[int, str]
    accept: bool
    now: dt.datetime

    def result(self) -> Replayed:
        lander = self.room.of(self.file.source, self.now)
        lines = self._lines()
        shape = _shape_of(lines)
        offered = Offered(self.file.file_id, self.file.logical_name, shape)
        names = [f.name for f in lander.contract.fields]
        before = self.room.ledger.objects_of(self.file.file_id)
        scan = scan_objects_sql(lander.con, lander.keyring, before, lander.contract, settings=lander.settings)
        known = f"select * from ({scan}) where _file_id = {text(self.file.file_id)}" if before else ""
        outcome = lander.land_lines(offered, cut(lines, names), known=known, name=_salt(lines))
        found = outcome.files[self.file.file_id]
        if self._is_still_bad(found):
            if outcome.path is not None:
                outcome.path.unlink()
            return self._report(found, "failed", landed=0)
        lander.keep(outcome)
        after = self._entry(found, lander.contract.version)
        self.room.ledger.record_replay(
            after,
            object_=outcome.object,
            replayed=[row.quarantine_id for row in self.rows if row.line not in self._bad(found)],
            edited=[row.quarantine_id for row in self.rows if row.quarantine_id in self.edits],
            reasons={
                row.quarantine_id: self._bad(found)[row.line] for row in self.rows if row.line in self._bad(found)
            },
            restated=self._restated(lander, after, outcome.object),
        )
        return self._report(found, "landed", landed=found.rows_landed)

    def _lines(self) -> list[Line]:
        """Give the lines to check: a failed file's all, else those of the chosen rows; edits in place."""
        edited = {row.line: self.edits[row.quarantine_id] for row in self.rows if row.quarantine_id in self.edits}
        wanted = None if self.file.status == "failed" else [row.line for row in self.rows]
        names = {row.object_name for row in self.rows}
        lines = [line for name in sorted(names) for line in self.room.lines(name, self.file.file_id, wanted)]
        return [replace(line, raw=edited.get(line.line, line.raw)) for line in lines]

    def _is_still_bad(self, found: FileOutcome) -> bool:
        limit = self.room.settings.quarantine_limit_ratio * found.rows_read
        return self.file.status == "failed" and not self.accept and len(found.rejected) > limit

    def _bad(self, found: FileOutcome) -> dict[int, tuple[str, ...]]:
        return {line: reasons for line, reasons, _ in found.rejected}

    def _entry(self, found: FileOutcome, version: str) -> SourceFile:
        """Give the file's row in the ledger with what landed now counted in."""
        old = (
            replace(self.file, rows_landed=0, rows_duplicate=0, rows_quarantined=0)
            if self.file.status == "failed"
            else self.file
        )
        waiting = found.rows_read if self.file.status != "failed" else 0
        times = [t for t in (old.min_event_at, found.min_event_at, old.max_event_at, found.max_event_at) if t]
        return replace(
            old,
            status="landed",
            rows_landed=old.rows_landed + found.rows_landed,
            rows_duplicate=old.rows_duplicate + found.rows_duplicate,
            rows_quarantined=old.rows_quarantined - waiting + len(found.rejected),
            rows_repaired=old.rows_repaired + found.repaired_rows,
            warnings=_sum(old.warnings, found.warnings),
            repairs=_sum(old.repairs, found.repairs),
            reasons=self._reasons_left(found),
            min_event_at=min(times, default=None),
            max_event_at=max(times, default=None),
            days=_sum(old.days, found.days),
            contract_version=version,
            error=None,
        )

    def _reasons_left(self, found: FileOutcome) -> dict[str, int]:
        chosen = {row.quarantine_id for row in self.rows}
        open_rows = self.room.ledger.quarantined(file_id=self.file.file_id)
        left = [row.reasons for row in open_rows if row.quarantine_id not in chosen]
        left += [reasons for _, reasons, _ in found.rejected]
        counts: dict[str, int] = {}
        for reason in (r for reasons in left for r in reasons):
            counts[reason] = counts.get(reason, 0) + 1
        return counts

    def _restated(self, lander: Lander, after: SourceFile, new: Any) -> list[Any]:  # noqa: ANN401 - LakeObject or None
        """Say what a failed file changes that takes the place of an earlier version."""
        active = self.room.ledger.find(self.file.source, self.file.logical_name)
        if self.file.status != "failed" or active is None or not active.is_active:
            return []
        return [restated_by(lander, active, self.room.ledger.objects_of(active.file_id), after, new)]

    def _report(self, found: FileOutcome, status: str, *, landed: int) -> Replayed:
        counts = self._reasons_left(found)
        waiting = self.file.rows_read if status == "failed" else self._entry(found, "").rows_quarantined
        duplicate = found.rows_duplicate if status != "failed" else 0
        return Replayed(self.file.source, self.file.logical_name, status, landed, duplicate, waiting, counts)


def _sum(one: Mapping[Any, int], other: Mapping[Any, int]) -> dict[Any, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in [*one, *(k for k in other if k not in one)]}


def _salt(lines: Sequence[Line]) -> str:
    return hashlib.sha256("\n".join(f"{line.line}:{line.raw}" for line in lines).encode()).hexdigest()


def _shape_of(lines: Sequence[Line]) -> Shape:
    layout = lines[0].layout
    return Shape(Path(), layout["format"], "none", "utf-8", "", 0, len(lines))
