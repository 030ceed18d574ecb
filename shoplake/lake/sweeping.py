"""Removes what is of no more use in the lake: files that were written but never recorded, and those merged long ago."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from shoplake.home import HomePaths
from shoplake.lake.objects import lake_object_path
from shoplake.store.merging import Merging

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger

KEPT = dt.timedelta(minutes=10)
"""For so long objects stay whose rows stand in another: readers that began with them go on."""


def sweep(settings: Settings, ledger: Ledger, source: str) -> int:
    """Remove files of a source that the ledger does not know; give their number.

    Call under the home's lock and, alone, the source's landing lock: what a stream is landing is not recorded yet.
    """
    drop_replaced(settings, ledger, source)
    paths = HomePaths(settings.home)
    known = {
        lake_object_path(paths, o.source, o.kind, o.name, o.key_version) for o in ledger.objects() if o.source == source
    }
    folder = paths.lake / source
    orphans = [path for path in folder.rglob("*") if path.is_file() and path not in known] if folder.is_dir() else []
    for path in orphans:
        path.unlink()
    return len(orphans)


def drop_replaced(settings: Settings, ledger: Ledger, source: str, *, kept: dt.timedelta = KEPT) -> int:
    """Remove objects of a source whose rows have stood in another one for long; give their number.

    Call under the home's lock.
    """
    merging = Merging(ledger.store)
    gone = merging.replaced(source, dt.datetime.now(dt.UTC).replace(tzinfo=None) - kept)
    if gone:
        merging.forget(gone)
    for o in gone:
        # Cut off before this, the file is an orphan, which the next sweep finds.
        lake_object_path(HomePaths(settings.home), o.source, o.kind, o.name, o.key_version).unlink(missing_ok=True)
    return len(gone)
