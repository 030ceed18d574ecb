"""Where a KPI's figure comes from in the lake: the files with rows of its days, and what of them is held back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.access.kpi_scope import Scope
from shoplake.access.kpi_window import ONE_DAY, Clock, Window
from shoplake.audit.recording import showing
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.access.rights import Rights
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings
    from shoplake.store.origins import FilesOfSource, OriginFile

MOST_FILES = 100


@dataclass(frozen=True)
class Held:
    """Rows in quarantine for one reason."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True)
class KpiOrigins:
    """What of the lake is behind a figure, whatever its filters."""

    sources: tuple[FilesOfSource, ...]
    files: tuple[OriginFile, ...]
    """Those that landed last, `MOST_FILES` at most."""
    held: tuple[Held, ...]
    """Most rows first."""
    is_counted: bool
    """The person may know how many rows each file has: who sees some rows of a table may not count them all."""


def origins(settings: Settings, manifest: Manifest, kpi: Kpi, window: Window, rights: Rights) -> KpiOrigins:
    """Look up the files behind a figure, as far as the release holds them.

    Raises:
        AccessDenied: the person may not see the KPI.

    """
    scope = Scope(rights, kpi)
    scope.check(())
    days = [str(window.first), str(window.last)]
    with showing(settings, "kpi origins", kpi=kpi.name, days=days, release=manifest.release_id) as entry:
        found = _looked_up(settings, manifest, kpi, window, is_counted=not _is_limited(scope))
        entry.rows = len(found.files)
    return found


@rereads
def _looked_up(settings: Settings, manifest: Manifest, kpi: Kpi, window: Window, *, is_counted: bool) -> KpiOrigins:
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store
    from shoplake.store.origins import Origins

    first, last = _utc_days(Clock(manifest), window)
    reaches = {source: manifest.reaches(source) for source in kpi.sources}
    store = open_store(settings, Keyring.open(settings))
    try:
        ledger = Origins(store)
        sources = ledger.sources(reaches, first, last)
        files = ledger.files(reaches, first, last, MOST_FILES)
        held = ledger.quarantined(list(kpi.sources), first, last)
    finally:
        store.close()
    reasons = [Held(source, reason, rows) for (source, reason), rows in held.items()]
    return KpiOrigins(
        tuple(sources),
        tuple(files),
        tuple(sorted(reasons, key=lambda one: (-one.rows, one.source, one.reason))),
        is_counted,
    )


def _utc_days(clock: Clock, window: Window) -> tuple[dt.date, dt.date]:
    """Give the UTC days that business days reach into: files are kept by these."""
    return (clock.end_of(window.first - ONE_DAY) + dt.timedelta(microseconds=1)).date(), clock.end_of(
        window.last
    ).date()


def _is_limited(scope: Scope) -> bool:
    return any(scope.rights.table(name).rows for name in scope.tables())
