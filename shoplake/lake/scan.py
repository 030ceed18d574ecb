"""The rows of a source as SQL: active files only, wherever their objects lie."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import add_parquet_key, scan_sql, text
from shoplake.lake.flags import CONFLICT, CONFLICT_CODE, flags_sql, row_layout
from shoplake.lake.objects import lake_key, lake_object_path

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.keys.keyring import Keyring
    from shoplake.settings import Settings
    from shoplake.store.ledger import ActiveFile, LakeObject, LedgerSnapshot, RowLayout


def lake_scan_sql(
    con: DuckDBPyConnection,
    keyring: Keyring,
    snapshot: LedgerSnapshot,
    contract: Contract,
    days: Collection[dt.date] | None,
    *,
    settings: Settings,
) -> str:
    """Give the SELECT of a source's rows in the lake.

    Its columns are the contract's fields, ``_file_id``, ``_line``, ``_landed_at``, ``_flags`` and ``_may_repeat``: true
    for rows that another file may hold too, or whose key landing found with other content.

    Args:
        con: the connection that will run it; it learns the keys.
        keyring: holds the source's keys.
        snapshot: which files count.
        contract: of the source.
        days: UTC days wanted; rows of other days may come along. None for all.
        settings: where the home is.

    """
    files = snapshot.active_files(contract.source)
    wanted = files if days is None else [file for file in files if not file.days.isdisjoint(days)]
    alone = [file for file in wanted if not file.is_merge]
    shown = [(alone, _may_repeat(alone, repeaters(contract, files)))]
    if len(alone) < len(wanted):
        # Batches that were merged overlap, as those of a stream do.
        shown.append(([file for file in wanted if file.is_merge], "true"))
    scans = []
    for some, may_repeat in shown:
        objects = [snapshot.objects[name] for name in sorted({name for file in some for name in file.objects})]
        rows = scan_objects_sql(con, keyring, objects, contract, settings=settings)
        where = _where(snapshot, contract, [o.name for o in objects], days)
        scans.append(f"select *, {may_repeat} as _may_repeat from ({rows}){where}")
    return " union all ".join(scans)


def _where(
    snapshot: LedgerSnapshot, contract: Contract, objects: Sequence[str], days: Collection[dt.date] | None
) -> str:
    conditions = []
    if gone := snapshot.retired_ids(objects):
        conditions.append(f"_file_id not in ({', '.join(text(file_id) for file_id in gone)})")
    if days and contract.event_time:
        first, last = min(days), max(days)
        conditions.append(f"\"{contract.event_time}\" >= timestamp '{first}'")
        conditions.append(f"\"{contract.event_time}\" < timestamp '{last + dt.timedelta(days=1)}'")
    return f" where {' and '.join(conditions)}" if conditions else ""


def scan_objects_sql(
    con: DuckDBPyConnection,
    keyring: Keyring,
    objects: Iterable[LakeObject],
    contract: Contract,
    *,
    settings: Settings,
) -> str:
    """Give the SELECT of all rows in some lake objects of a source, as rows of today's contract.

    A field that the contract has gained since a row landed is null in it.
    """
    alike: dict[tuple[tuple[str, str], ...], dict[str, list[Path]]] = {(): {}}
    layout = row_layout(contract)
    for o in objects:
        key = add_parquet_key(con, keyring.get(lake_key(o.source), o.key_version))
        place = lake_object_path(HomePaths(settings.home), o.source, o.kind, o.name, o.key_version)
        computed = _computed(contract, o.layout or layout, layout)
        alike.setdefault(tuple(computed.items()), {}).setdefault(key, []).append(place)
    columns = contract.lake_columns()
    scans = [scan_sql(files, columns, dict(computed)) for computed, files in alike.items() if files]
    return " union all ".join(scans) or scan_sql({}, columns)


def _computed(contract: Contract, was: RowLayout, now: RowLayout) -> dict[str, str]:
    """Give SQL of the columns that rows of an earlier contract hold otherwise, or not at all."""
    missing = {f.name: f"null::{f.lake_type}" for f in contract.fields if f.name not in was.fields}
    return missing if was.flags == now.flags else missing | {"_flags": flags_sql(was, now)}


def repeaters(contract: Contract, files: Sequence[ActiveFile]) -> frozenset[str]:
    """Name the files that may hold a key which another file, or another object of the same file, holds too.

    Rows of one key share a UTC day, and where the event time is part of the key they share the moment.
    """
    split = {file.file_id for file in files if len(file.objects) > 1}
    if contract.event_time is None:
        return frozenset(split if len(files) <= 1 else {file.file_id for file in files})
    if contract.event_time in contract.key:
        return frozenset(split | _overlapping(files))
    holders = Counter(day for file in files for day in file.days)
    return frozenset(split | {file.file_id for file in files if any(holders[day] > 1 for day in file.days)})


def _overlapping(files: Sequence[ActiveFile]) -> set[str]:
    """Name the files whose spans of event time meet another's."""
    spans = sorted(
        (file.min_event_at, file.max_event_at, file.file_id)
        for file in files
        if file.min_event_at is not None and file.max_event_at is not None
    )
    found: set[str] = set()
    furthest, holder = None, ""
    for first, last, file_id in spans:
        if furthest is not None and first <= furthest:
            found |= {holder, file_id}
        if furthest is None or last > furthest:
            furthest, holder = last, file_id
    return found


def _may_repeat(files: Sequence[ActiveFile], repeating: Collection[str]) -> str:
    """Give the condition on a row; where no row can repeat it is a plain false, which DuckDB plans away."""
    wanted = sorted(file.file_id for file in files if file.file_id in repeating)
    if wanted and len(wanted) == len(files):
        return "true"
    conditions = [f"_file_id in ({', '.join(text(file_id) for file_id in wanted)})"] if wanted else []
    if any(CONFLICT_CODE in file.warnings for file in files):
        conditions.append(f"(_flags >= {CONFLICT} and (_flags & {CONFLICT}) <> 0)")
    return f"({' or '.join(conditions)})" if conditions else "false"
