"""Reads the log: its records for those who ask, and all of its bytes for a check."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shoplake.audit.entry import DECODER, ENCODER, Entry
from shoplake.audit.frames import RECORD, CutOffError, SegmentHeader, frames
from shoplake.audit.heads import read_public
from shoplake.audit.kinds import Kind, kind_of
from shoplake.audit.segments import chain_folders, numbers, segment_path
from shoplake.audit.walk import ChainImage
from shoplake.errors import AuditLogError, InputError
from shoplake.home import HomePaths

if TYPE_CHECKING:
    from shoplake.audit.sealing import Sealing
    from shoplake.audit.verify import LogImage, Report
    from shoplake.settings import Settings

DEFAULT_OUTCOME = "ok"
"""What a record says by saying nothing."""


@dataclass(frozen=True)
class Wanted:
    """What a search looks for; what is None or empty does not narrow it."""

    action: str | None = None
    user: str | None = None
    table: str | None = None
    person: str | None = None
    release: str | None = None
    source: str | None = None
    role: str | None = None
    kpi: str | None = None
    kind: Kind | None = None
    outcome: str | None = None
    text: str | None = None
    first: dt.date | None = None
    last: dt.date | None = None

    def fits(self, entry: Entry) -> bool:
        """Say whether a record is looked for; one that showed too many persons to name them may be of any."""
        day = entry.at.date()
        may_hold = entry.persons_count is not None
        return (
            (self.action is None or entry.action == self.action or entry.action.startswith(f"{self.action} "))
            and (self.user is None or self.user in {entry.actor, entry.actor.partition(":")[2]})
            and (self.table is None or any(_is_named(self.table, table) for table in entry.tables))
            and (self.person is None or self.person in entry.persons or may_hold)
            and (self.release is None or self.release == entry.release)
            and (self.source is None or self.source == entry.source)
            and (self.role is None or self.role == entry.role)
            and (self.kpi is None or self.kpi == entry.detail.get("kpi"))
            and (self.kind is None or self.kind == kind_of(entry))
            and (self.outcome is None or self.outcome == entry.outcome)
            and (self.text is None or self.text.lower() in ENCODER.encode(entry).decode().lower())
            and (self.first is None or day >= self.first)
            and (self.last is None or day <= self.last)
        )

    def needles(self) -> list[bytes]:
        """Give what stands in the bytes of every record that is looked for: the others need not be decoded."""
        named = {"role": self.role, "release": self.release, "source": self.source, "kpi": self.kpi}
        found = [b'"%s":%s' % (name.encode(), ENCODER.encode(value)) for name, value in named.items() if value]
        found += [ENCODER.encode(word)[1:-1] for word in (self.user, self.table) if word]
        if self.action:
            found.append(b'"action":' + ENCODER.encode(self.action)[:-1])
        if self.outcome not in (None, DEFAULT_OUTCOME):
            found.append(b'"outcome":' + ENCODER.encode(self.outcome))
        return found


def _is_named(wanted: str, table: str) -> bool:
    return wanted in {table, table.partition(".")[2]}


def find(settings: Settings, wanted: Wanted, *, newest: int | None = None) -> list[Entry]:
    """Give the records that are looked for, oldest first; of many only the ``newest``.

    Raises:
        HomeError: there is no such home.
        KeyAccessError: its keys do not open.

    """
    from shoplake.audit.sealing import Sealing

    sealing = Sealing(settings)
    folders = chain_folders(HomePaths(settings.home).audit).values()
    ordered = merge(*(_entries(folder, sealing) for folder in folders), key=lambda entry: entry.at)
    found = [entry for entry in ordered if wanted.fits(entry)]
    return found[-newest:] if newest else found


def _entries(folder: Path, sealing: Sealing) -> Iterator[Entry]:
    """Give the records of a chain; what cannot be opened is for `verify` to find."""
    for number in numbers(folder):
        data = segment_path(folder, number).read_bytes()
        try:
            header = SegmentHeader.unpack(data)
            for frame in frames(data):
                opened = sealing.open(frame.body, header.key_version, header.log_id) if frame.kind == RECORD else None
                if opened is not None:
                    yield DECODER.decode(opened)
        except (CutOffError, ValueError):
            continue


def as_row(entry: Entry) -> dict[str, Any]:
    """Give a record as it is printed: every field, and the details."""
    row: dict[str, Any] = msgspec.to_builtins(entry, builtin_types=(dt.datetime,))
    defaults = {name: None for name in Entry.__struct_fields__}
    return defaults | row | {"at": entry.at, "outcome": entry.outcome}


def _unbounded() -> None:
    """Take all the time that it takes."""


def image(folder: Path, place: str, log_id: str, on_segment: Callable[[], None] = _unbounded) -> LogImage:
    """Read a log as it lies there; a writer may go on meanwhile.

    Args:
        folder: of the log.
        place: where heads are kept apart; empty for nowhere.
        log_id: of the log.
        on_segment: called before each file of the log is read; what it raises ends the reading.

    Raises:
        OSError: the second place cannot be read.

    """
    from shoplake.audit.places import heads_apart
    from shoplake.audit.verify import LogImage

    apart = heads_apart(place, log_id) if place else None
    head = folder / "head.json"
    last = head.read_bytes() if head.exists() else b""
    chains = {number: _chain(path, on_segment) for number, path in chain_folders(folder).items()}
    return LogImage(chains, last, apart)


def _chain(folder: Path, on_segment: Callable[[], None]) -> ChainImage:
    before, segments = _marks(folder), list[tuple[int, bytes]]()
    for number in numbers(folder):
        on_segment()
        segments.append((number, segment_path(folder, number).read_bytes()))
    return ChainImage(segments, (before, _marks(folder)))


def _marks(folder: Path) -> bytes:
    path = folder / "marks"
    return path.read_bytes() if path.exists() else b""


def check_home(
    settings: Settings, public_key: str | None = None, *, on_segment: Callable[[], None] = _unbounded
) -> Report:
    """Check the log of a home, with its keys.

    Args:
        settings: the home.
        public_key: what must have signed; by default the home's own keys.
        on_segment: called before each file of the log is read, and again before it is checked, and every some
            thousand records within it; what it raises ends the check.

    Raises:
        AuditLogError: the second place cannot be read.
        InputError: the public key cannot be read.

    """
    from shoplake.audit.heads import public_hex
    from shoplake.audit.recording import log_of
    from shoplake.audit.sealing import Sealing, signing_keys
    from shoplake.audit.verify import Trust, verify
    from shoplake.keys.keyring import Keyring

    log, sealing = log_of(settings), Sealing(settings)
    with log.alone_signing():
        found = _image(log.folder, settings.audit_heads, sealing.log_id, on_segment)
        keys = [public_hex(key) for key in signing_keys(Keyring.open(settings))]
    trusted = [given_key(public_key)] if public_key else keys
    trust = Trust(trusted, sealing.log_id, sealing.marks_key, sealing.open, sealing.chain_id)
    return verify(found, trust, on_step=on_segment)


def check_copy(folder: Path, place: str, public_key: str) -> Report:
    """Check a copy of a log anywhere, with the public key and the heads that were kept apart; no other key is needed.

    Raises:
        AuditLogError: the second place cannot be read, or the folder holds no log.
        InputError: the public key cannot be read.

    """
    from shoplake.audit.verify import Trust, verify

    if not chain_folders(folder):
        raise AuditLogError(f"{folder} holds no audit log.", hint="Name the folder `audit` of a home, or a copy of it.")
    head = folder / "head.json"
    log_id = ""
    if head.exists():
        try:
            log_id = str(json.loads(head.read_bytes()).get("log", ""))
        except (ValueError, AttributeError):
            log_id = ""
    return verify(_image(folder, place, log_id or "*"), Trust([given_key(public_key)], log_id))


def _image(folder: Path, place: str, log_id: str, on_segment: Callable[[], None] = _unbounded) -> LogImage:
    try:
        return image(folder, place, log_id, on_segment)
    except OSError as error:
        raise AuditLogError(
            f"The second place {place} cannot be read: {error.strerror or error}.", hint="Is it there, and yours?"
        ) from error


def given_key(given: str) -> str:
    """Read a public key from a file of PEM, or as hex.

    Raises:
        InputError: it is neither.

    """
    path = Path(given)
    try:
        return read_public(path.read_bytes() if path.is_file() else given.encode())
    except (ValueError, OSError) as error:
        raise InputError(
            f"{given} is no public key of heads.", hint="Give the PEM file of the second place, or 64 hex digits."
        ) from error


def summary(report: Report) -> Mapping[str, Any]:
    """Give what a check found as the stable JSON shape of `shoplake audit verify`."""
    return {
        "is_whole": report.is_whole,
        "chains": report.chains,
        "records": report.records,
        "heads": report.heads,
        "unsigned": report.unsigned,
        "public_key": report.key,
        "findings": [
            {name: getattr(finding, name) for name in ("what", "chain", "segment", "sequence", "offset")}
            for finding in report.findings
        ],
        "notes": report.notes,
    }
