"""The ledger's row of a file: which id it has, and what became of its rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from shoplake.store.ledger import LakeObject, SourceFile

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.lake.outcomes import FileOutcome
    from shoplake.lake.relations import Offered


def file_id(source: str, name: str, content_hash: str, before: str = "") -> str:
    """Name a version of a file; ``before`` is the id of the version that it replaces, for a content may come back."""
    return hashlib.sha256("\0".join([source, name, content_hash, before]).encode()).hexdigest()[:20]


def ledger_entry(
    contract: Contract,
    file: Offered,
    outcome: FileOutcome,
    status: Literal["landed", "failed"],
    held: LakeObject | None,
) -> SourceFile:
    """Give the ledger's row of a file that landed, or that failed as a whole; ``held`` has its landed rows."""
    failed = status == "failed"
    reasons: dict[str, int] = {}
    for _, why, _ in outcome.rejected:
        for reason in why:
            reasons[reason] = reasons.get(reason, 0) + 1
    error = f"{len(outcome.rejected)} of {outcome.rows_read} rows break a rule" if failed else None
    return SourceFile(
        file_id=file.file_id,
        source=contract.source,
        logical_name=file.logical_name,
        content_hash=file.shape.content_hash,
        status=status,
        rows_read=outcome.rows_read,
        rows_landed=0 if failed else outcome.rows_landed,
        rows_quarantined=outcome.rows_read if failed else len(outcome.rejected),
        rows_duplicate=0 if failed else outcome.rows_duplicate,
        rows_repaired=0 if failed else outcome.repaired_rows,
        warnings={} if failed else dict(outcome.warnings),
        repairs={} if failed else dict(outcome.repairs),
        reasons=dict(sorted(reasons.items())),
        drift=dict(outcome.drift),
        contract_version=contract.version,
        format=file.shape.format,
        bytes=file.shape.size,
        min_event_at=None if failed else outcome.min_event_at,
        max_event_at=None if failed else outcome.max_event_at,
        error=error,
        object_name=held.name if held else None,
        days={} if failed else dict(outcome.days),
    )
