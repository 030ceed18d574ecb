"""Merges what streams land: thousands of small objects a day become a few large ones, without a row more or less.

An object of a merge is written first, under a name made of those that it replaces; one transaction of the ledger then
lets it take their place. The old ones stay until no reader that began with them can still be at work.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shoplake.errors import HomeError
from shoplake.files import durable_rename
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, connect, copy_options, quoted, text
from shoplake.lake.flags import row_layout
from shoplake.lake.objects import lake_key, lake_object_path
from shoplake.lake.scan import scan_objects_sql
from shoplake.lake.sweeping import drop_replaced
from shoplake.store.ledger import LakeObject
from shoplake.store.merging import Mergeable, Merging

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.keys.keyring import Keyring
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger

SMALLEST_BYTES = 64 << 10
LARGEST_BYTES = 64 << 20
"""An object that has grown so large is merged no more."""
FANOUT = 8
"""So many of about one size are merged: a row is written anew once for each eightfold growth of its object."""
WORK_BYTES = 64 << 20
"""After so much a call ends; the rest waits for the next one."""


def merge_small(settings: Settings, keyring: Keyring, ledger: Ledger) -> int:
    """Merge small objects of streams, by source and day; give the number of those that were replaced.

    Call under the home's lock. Streams go on landing meanwhile.

    Raises:
        HomeError: objects do not hold the rows that the ledger knows of; nothing was changed.

    """
    from shoplake.contracts import stream_contracts

    merging, left, replaced = Merging(ledger.store), WORK_BYTES, 0
    for source, contract in stream_contracts(settings).items():
        drop_replaced(settings, ledger, source)
        merging.set_empty_aside(source)
        layout = row_layout(contract)
        same = [m for m in merging.mergeable(source) if all(o.layout == layout for o in m.objects)]
        for group in due(same):
            if left <= 0:
                return replaced
            merging.record(_write(settings, keyring, contract, group), group)
            left -= sum(m.bytes for m in group)
            replaced += sum(len(m.objects) for m in group)
    return replaced


def due(mergeable: Sequence[Mergeable]) -> list[list[Mergeable]]:
    """Choose what to merge: of each day those of about one size, and of a day that is over nearly all."""
    days = defaultdict[dt.date, list[Mergeable]](list)
    for one in mergeable:
        if one.bytes < LARGEST_BYTES:
            days[one.max_event_at.date()].append(one)
    newest = max(days, default=None)
    groups = []
    for day, small in sorted(days.items()):
        small.sort(key=lambda one: (-one.bytes, one.file_id))
        rest = sum(one.bytes for one in small[1:])
        is_over = newest is not None and day < newest - dt.timedelta(days=1)
        if is_over and len(small) > 1 and (rest * FANOUT >= small[0].bytes or len(small) > FANOUT):
            groups.append(small)
            continue
        sizes = defaultdict[int, list[Mergeable]](list)
        for one in small:
            sizes[_size_class(one.bytes)].append(one)
        groups += [alike for alike in sizes.values() if len(alike) >= FANOUT]
    return groups


def _size_class(size: int) -> int:
    found, bound = 0, SMALLEST_BYTES
    while size > bound:
        found, bound = found + 1, bound * FANOUT
    return found


def _write(settings: Settings, keyring: Keyring, contract: Contract, group: Sequence[Mergeable]) -> LakeObject:
    """Write the rows of a group as one object, by event time, so that a reader of some hours skips the others."""
    objects = [o for one in group for o in one.objects]
    key, name = keyring.current(lake_key(contract.source)), _name(objects)
    place = lake_object_path(HomePaths(settings.home), contract.source, "rows", name, key.version)
    part = place.with_name(f".{name}.part")
    order = ", ".join([*([quoted(contract.event_time)] if contract.event_time else []), "_file_id", "_line"])
    con = connect(settings)
    try:
        con.execute("set preserve_insertion_order = true")
        rows = scan_objects_sql(con, keyring, objects, contract, settings=settings)
        options = copy_options(add_parquet_key(con, key))
        written = con.execute(
            f"copy (select * from ({rows}) order by {order}) to {text(str(part))} ({options})"
        ).fetchone()
    finally:
        con.close()
    expected = sum(o.rows for o in objects)
    if written is None or written[0] != expected:
        part.unlink(missing_ok=True)
        raise HomeError(
            f"Objects of {contract.source} do not hold the {expected} rows that the ledger knows of.",
            hint="Restore the home from its backup.",
        )
    size = part.stat().st_size
    durable_rename(part, place)
    return LakeObject(name, contract.source, "rows", key.version, expected, size, row_layout(contract))


def _name(objects: Sequence[LakeObject]) -> str:
    identity = "|".join(["merged", *sorted(o.name for o in objects)])
    return hashlib.sha256(identity.encode()).hexdigest()[:24]
