"""What has landed, how fresh it is, and what needs a person."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from shoplake.audit.recording import showing
from shoplake.keys.rereading import rereads

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.settings import Settings
    from shoplake.store.ledger import SourceFile


def status(settings: Settings, *, now: dt.datetime | None = None) -> dict[str, Any]:
    """Describe the home: sources with their freshness, the release, runs, restatements, files that wait.

    Args:
        settings: the home.
        now: the clock (UTC); tests give their own.

    Returns:
        An object with ``release``, ``sources``, ``waiting``, ``restatements``, ``last_run`` and
        ``publication`` (into a database for BI tools).

    """
    with showing(settings, "status") as entry:
        found = _status(settings, now)
        entry.release = found["release"]
    return found


@rereads
def _status(settings: Settings, now: dt.datetime | None) -> dict[str, Any]:
    from shoplake.contracts import load_contracts
    from shoplake.home import require_home
    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline import releases
    from shoplake.pipeline.outcome import last_publication
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    require_home(settings)
    store = open_store(settings, Keyring.open(settings))
    try:
        ledger = Ledger(store)
        files = ledger.files()
        quarantined = Counter(row.source for row in ledger.quarantined())
        restated, runs = ledger.restatements(), ledger.runs(limit=1)
    finally:
        store.close()
    landed = {(f.source, f.logical_name): f.version for f in files if f.is_active}
    moment = (now or dt.datetime.now(dt.UTC)).replace(tzinfo=None)
    manifest, published = releases.current(settings), last_publication(settings)
    contracts = load_contracts(settings)
    released = {s: m.isoformat() + "Z" for s, m in sorted(manifest.watermarks.items())} if manifest else {}
    return {
        "release": manifest.release_id if manifest else None,
        "released_up_to": released,
        "sources": [
            _source(contract, [f for f in files if f.source == name], quarantined[name], moment)
            | {"released_up_to": released.get(name)}
            for name, contract in contracts.items()
        ],
        "waiting": [_waiting(file) for file in files if _waits(file, landed)],
        "restatements": [
            {
                "source": r.source,
                "file": r.logical_name,
                "rows_added": r.rows_added,
                "rows_removed": r.rows_removed,
                "rows_changed": r.rows_changed,
                "net_sales_moved": r.net_sales_moved,
            }
            for r in restated
        ],
        "last_run": runs[0] if runs else None,
        "publication": msgspec.to_builtins(published) if published else None,
    }


def _source(contract: Contract, files: list[SourceFile], open_rows: int, now: dt.datetime) -> dict[str, Any]:
    active = [file for file in files if file.is_active]
    marks = [file.max_event_at for file in active if file.max_event_at is not None]
    newest = max(marks, default=None)
    allowed = contract.cadence_seconds + contract.lateness_seconds
    age = (now - newest).total_seconds() if newest else None
    drift: Counter[str] = Counter()
    for file in active:
        drift.update(file.drift)
    return {
        "source": contract.source,
        "state": _state(contract, active, age, allowed),
        "up_to": newest.isoformat() + "Z" if newest else None,
        "files": len(active),
        "rows_landed": sum(file.rows_landed for file in active),
        "rows_quarantined_open": open_rows,
        "rows_duplicate": sum(file.rows_duplicate for file in active),
        "rows_repaired": sum(file.rows_repaired for file in active),
        "drift": dict(drift),
    }


def _state(contract: Contract, active: list[SourceFile], age_seconds: float | None, allowed_seconds: float) -> str:
    if not active:
        return "nothing landed"
    if contract.event_time is None or age_seconds is None:
        return "landed"
    return "on time" if age_seconds <= allowed_seconds else "late"


def _waits(file: SourceFile, landed: dict[tuple[str, str], int]) -> bool:
    """Say whether a file did not land, and no later version of it has landed since."""
    return file.status != "landed" and landed.get((file.source, file.logical_name), 0) < file.version


def _waiting(file: SourceFile) -> dict[str, Any]:
    return {
        "source": file.source,
        "file": file.logical_name,
        "status": file.status,
        "why": file.error or f"{file.rows_quarantined} rows in quarantine",
    }
