"""Removes what a crash left in the lake: files that were written but never recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.home import HomePaths
from shoplake.lake.objects import lake_object_path

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger


def sweep(settings: Settings, ledger: Ledger, source: str) -> int:
    """Remove files of a source that the ledger does not know; give their number.

    Call under the home's lock and, alone, the source's landing lock: what a stream is landing is not recorded yet.
    """
    paths = HomePaths(settings.home)
    known = {
        lake_object_path(paths, o.source, o.kind, o.name, o.key_version) for o in ledger.objects() if o.source == source
    }
    folder = paths.lake / source
    orphans = [path for path in folder.rglob("*") if path.is_file() and path not in known] if folder.is_dir() else []
    for path in orphans:
        path.unlink()
    return len(orphans)
