"""Turns what was built into immutable partitions, and names each by its content."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.files import durable_rename, fsync_directory
from shoplake.home import HomePaths
from shoplake.pipeline.manifest import ALL, Partition, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.pipeline.manifest import Manifest
    from shoplake.pipeline.models import Model
    from shoplake.pipeline.workspace import Workspace
    from shoplake.settings import Settings

MONTH_LENGTH = len("2026-01")
FileDigests = Mapping[str, tuple[int, int, Any]]
"""Rows, sum of row hashes and latest span end by file."""


def collect_tables(
    workspace: Workspace, last: Manifest | None, compiled: Mapping[str, str], digests: Digests
) -> tuple[dict[str, Table], dict[str, int]]:
    """Move new partitions into place and describe every table of the coming release.

    Returns:
        The tables, and for each table the number of partitions that this run wrote.

    """
    tables: dict[str, Table] = {}
    written: dict[str, int] = {}
    for model in workspace.graph.tables():
        before = last.tables.get(model.name) if last else None
        plan, known_before = workspace.plan, before.partitions if before else ()
        kept = [
            p for p in known_before if not (plan.rebuilds(p.label, model.name) or plan.expires(p.label, model.name))
        ]
        fresh = _take(workspace, model, before, digests)
        fresh += _settle(workspace, model, kept)
        folder = HomePaths(workspace.settings.home).partitions / model.database / model.name
        if fresh and folder.is_dir():
            fsync_directory(folder)
        known = {p.content for p in before.partitions} if before else set()
        written[model.name] = sum(p.content not in known for p in fresh)
        settled = {p.label for p in fresh}
        kept = [p for p in kept if p.label not in settled and p.label[:MONTH_LENGTH] not in settled]
        tables[model.name] = Table(
            database=model.database,
            columns=dict(model.columns),
            partition_by=model.partition_by,
            partitions=tuple(sorted([*kept, *fresh], key=lambda p: p.label)),
            sql=compiled.get(model.name) or (before.sql if before else ""),
            key=model.key_name,
            since=plan.first_days.get(model.name),
        )
    return tables, {name: count for name, count in written.items() if count}


def _take(workspace: Workspace, model: Model, before: Table | None, digests: Digests) -> list[Partition]:
    """Hash, name and move the files that were written for a model."""
    files: dict[str, list[Path]] = {}
    for file in workspace.written(model.name):
        files.setdefault(file.parent.name.removeprefix("_partition="), []).append(file)
    if not files:
        return []
    known = {p.label: p for p in before.partitions} if before else {}
    found = digests.of(model)
    return [_place(workspace, model, label, group, found, known.get(label)) for label, group in files.items()]


class Digests:
    """Looks at what each model wrote, in a thread of its own, while other models are still built and tested."""

    def __init__(self, workspace: Workspace) -> None:
        """Look at the partitions of ``workspace``."""
        self._workspace = workspace
        self._thread = ThreadPoolExecutor(1, "digests")
        self._found: dict[str, Future[FileDigests]] = {}

    def __enter__(self) -> Digests:
        """Wait for models."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what has not begun."""
        self._thread.shutdown(cancel_futures=True)

    def begin(self, name: str) -> None:
        """Note that a model, or a view, is written."""
        if name in self._workspace.graph.models and self._workspace.graph[name].is_table:
            model = self._workspace.graph[name]
            self._found[name] = self._thread.submit(self._look, model)

    def of(self, model: Model) -> FileDigests:
        """Give what was found in each file of a model."""
        if model.name not in self._found:
            self.begin(model.name)
        return self._found[model.name].result()

    def _look(self, model: Model) -> FileDigests:
        if not self._workspace.written(model.name):
            return {}
        with self._workspace.connection.cursor() as con:
            return _digests(con, model, self._workspace.made(con, model))


def _digests(con: DuckDBPyConnection, model: Model, made: str) -> FileDigests:
    """Give (rows, sum of row hashes, latest span end) by file; a sum does not depend on the rows' order."""
    end = f'max("{model.span_end}")' if model.span_end else "null"
    columns = ", ".join(f'"{column}"' for column in model.columns)
    rows = con.execute(f"select _path, count(*), sum(hash({columns})::hugeint), {end} from {made} group by _path")
    return {row[0]: (row[1], int(row[2]), row[3]) for row in rows.fetchall()}


def _place(
    workspace: Workspace,
    model: Model,
    label: str,
    files: list[Path],
    digests: FileDigests,
    known: Partition | None,
) -> Partition:
    found = [digests[str(file)] for file in files]
    rows, total = sum(f[0] for f in found), sum(f[1] for f in found)
    ends = [f[2] for f in found if f[2] is not None]
    content = content_name(model, rows, total)
    version = workspace.keyring.current(model.key_name).version
    if known is not None and known.content == content and known.key_version == version:
        return known
    name = f"{model.database}/{model.name}/{label}-{content}-k{version}"
    stem = free_stem(workspace.settings, workspace.served_files, name)
    names = []
    for number, file in enumerate(files):
        name = f"{stem}{f'-{number}' if number else ''}.parquet"
        durable_rename(file, HomePaths(workspace.settings.home).partitions / name, is_last=False)
        names.append(name)
    end = max(ends).isoformat() if ends else None
    return Partition(label, content, rows, tuple(names), version, end)


def free_stem(settings: Settings, served: Collection[str], stem: str) -> str:
    """Leave a name to an earlier release that holds it while the served one does not: the content came back.

    So each file belongs to releases that follow one another, and can go with the last of them.
    """
    root, found = HomePaths(settings.home).partitions, stem
    for number in count(2):
        if f"{found}.parquet" in served or not (root / f"{found}.parquet").exists():
            break
        found = f"{stem}-again{number}"
    return found


def content_name(model: Model, rows: int, total: int) -> str:
    """Name a partition by its schema, its number of rows and the sum of their hashes."""
    text = f"{dict(model.columns)}|{rows}|{total}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _settle(workspace: Workspace, model: Model, kept: list[Partition]) -> list[Partition]:
    """Merge the day partitions of months that have settled since the last release."""
    limit = workspace.plan.settled_through
    if limit is None or model.partition_by is None or model.name in workspace.plan.first_days:
        return []
    months: dict[str, list[Partition]] = {}
    for partition in kept:
        is_day = partition.label != ALL and len(partition.label) > MONTH_LENGTH
        if is_day and dt.date.fromisoformat(partition.label) <= limit:
            months.setdefault(partition.label[:MONTH_LENGTH], []).append(partition)
    return [_merge(workspace, model, month, days) for month, days in months.items()]


def _merge(workspace: Workspace, model: Model, month: str, days: list[Partition]) -> Partition:
    con = workspace.connection
    folder = workspace.folder_of(model.name) / f"settled={month}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "data.parquet"
    scan = workspace.scan(con, model, days)
    con.execute(f"copy ({scan}) to '{file}' ({workspace.copy_options(con, model)})")
    digests = _digests(con, model, workspace.rows_of(con, model, [file]))
    return _place(workspace, model, month, [file], digests, None)


def discard(workspace: Workspace) -> None:
    """Remove what a build left in the scratch folder."""
    shutil.rmtree(workspace.folder, ignore_errors=True)
