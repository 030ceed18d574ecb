"""Checks the log of a home, on record; and says what is known of it without a check."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.audit.heads import read_head
from shoplake.audit.reading import Wanted, check_home
from shoplake.audit.recording import showing
from shoplake.audit.search import Located, search
from shoplake.audit.segments import chain_folders, numbers, segment_path
from shoplake.errors import BusyError
from shoplake.home import HomePaths

if TYPE_CHECKING:
    from shoplake.audit.verify import Report
    from shoplake.settings import Settings

CHECK = "audit verify"


@dataclass(frozen=True)
class LogState:
    """What is known of a log without reading it whole."""

    chains: int
    segments: int
    size_bytes: int
    heads: int
    """Number of the newest signed head; 0 before the first."""
    signed_at: dt.datetime | None
    """When it was signed; None where there is none, or it cannot be read."""
    has_place_apart: bool
    last_check: Located | None
    """Record of the newest check that ended; None where none is found in the time that the search had."""
    looked_back_to: dt.datetime | None
    """Up to where a check was looked for; None: through all of the log."""

    @property
    def findings(self) -> int | None:
        """Give how much the last check found; None where it is not known."""
        found = self.last_check.entry.detail.get("findings") if self.last_check else None
        return int(found) if found is not None else None


def checked(settings: Settings, public_key: str | None = None, *, seconds: float | None = None) -> Report:
    """Check the log of a home as `shoplake audit verify` does; the check is on record.

    Args:
        settings: the home.
        public_key: what must have signed; by default the home's own keys.
        seconds: how long it may take; without, as long as it takes.

    Raises:
        BusyError: it took longer than it may; nothing is known of the log by that.
        AuditLogError: the second place cannot be read.
        InputError: the public key cannot be read.

    """
    with showing(settings, CHECK) as entry:
        report = check_home(settings, public_key, on_segment=_until(seconds))
        entry.rows = report.records
        entry.detail = {"findings": len(report.findings)}
    return report


def log_state(settings: Settings, *, seconds: float) -> LogState:
    """Say what is known of a log, looking for its last check no longer than ``seconds``.

    Raises:
        HomeError: there is no such home.
        KeyAccessError: its keys do not open.

    """
    folder = HomePaths(settings.home).audit
    paths = [segment_path(path, n) for path in chain_folders(folder).values() for n in numbers(path)]
    size = 0
    for path in paths:
        with suppress(OSError):
            size += path.stat().st_size
    head = None
    with suppress(OSError):
        head = read_head((folder / "head.json").read_bytes())
    found = search(settings, Wanted(action=CHECK, outcome="ok"), limit=1, seconds=seconds)
    return LogState(
        chains=len(chain_folders(folder)),
        segments=len(paths),
        size_bytes=size,
        heads=head.number if head else 0,
        signed_at=dt.datetime.fromisoformat(head.at) if head else None,
        has_place_apart=bool(settings.audit_heads),
        last_check=found.records[0] if found.records else None,
        looked_back_to=found.reaches,
    )


def _until(seconds: float | None) -> Callable[[], None]:
    """Give what ends a check that takes longer than it may."""
    deadline = None if seconds is None else time.monotonic() + seconds

    def look() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise BusyError(
                "The log is larger than what can be checked in this time.",
                hint="Call `shoplake audit verify` where the log lies; it takes the time that it takes.",
            )

    return look
