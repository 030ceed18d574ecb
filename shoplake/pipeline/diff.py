"""What differs between two releases: rows by table and partition, and the restated files between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.pipeline import releases

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest, Restatement, Table
    from shoplake.settings import Settings


@dataclass(frozen=True)
class ReleaseDiff:
    """Two releases compared."""

    before: str
    after: str
    tables: list[dict[str, Any]]
    """One object a changed table: table, partitions changed, rows before and after."""
    restatements: list[dict[str, Any]]
    """Files restated between the two, with rows added, removed, changed and net sales moved."""

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "before": self.before,
            "after": self.after,
            "tables": self.tables,
            "restatements": self.restatements,
        }


def compare(settings: Settings, before: str, after: str | None = None) -> ReleaseDiff:
    """Compare two releases; ``after`` defaults to the current one.

    Raises:
        NotFoundError: no such release.

    """
    old, new = releases.load(settings, before), releases.required(settings, after)
    changed = releases.changed_tables(old.tables, new.tables)
    tables = [
        {
            "table": name,
            "partitions_changed": len(labels),
            "rows_before": _rows(old.tables.get(name), labels),
            "rows_after": _rows(new.tables.get(name), labels),
            "partitions": labels,
        }
        for name, labels in changed.items()
    ]
    between = [releases.load(settings, r) for r in releases.list_ids(settings) if old.release_id < r <= new.release_id]
    return ReleaseDiff(old.release_id, new.release_id, tables, [_as_row(r) for r in _restated(between)])


def _restated(manifests: Iterable[Manifest]) -> Iterable[Restatement]:
    for manifest in sorted(manifests, key=lambda m: m.release_id):
        yield from manifest.restatements


def _as_row(restatement: Restatement) -> dict[str, Any]:
    return {name: getattr(restatement, name) for name in restatement.__struct_fields__}


def _rows(table: Table | None, labels: Iterable[str]) -> int:
    wanted = set(labels)
    return sum(p.rows for p in table.partitions if p.label in wanted) if table else 0
