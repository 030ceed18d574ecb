"""Parts of tables in files of their own: made only for changed partitions, shared by releases and by equal rights."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shoplake.files import durable_rename, fsync_directory
from shoplake.home import TURN_SECONDS, HomePaths, home_lock
from shoplake.pipeline import releases
from shoplake.pipeline.manifest import Partition, Table, View
from shoplake.pipeline.publish import free_stem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

LABELS_AT_ONCE = 60
"""Partitions written by one statement: each keeps a file open."""


def refreshed(
    con: DuckDBPyConnection, settings: Settings, keyring: Keyring, tables: Mapping[str, Table]
) -> dict[str, View]:
    """Give the views of the served release over the tables of the coming one; write what has changed."""
    served = releases.current(settings)
    if served is None or not served.views:
        return {}
    return _Writer(con, settings, keyring, tables, served).views(served.views.values())


def show(settings: Settings, wanted: Iterable[View], *, wait_seconds: float = TURN_SECONDS) -> tuple[int, int]:
    """Give the served release exactly the ``wanted`` views: same rows, other files.

    Returns:
        The number of views made and the number dropped; their files go with the last release that holds them.

    Raises:
        LockedError: another process keeps changing the home.

    """
    views = {view.view_id: view for view in wanted}
    if not _differs(releases.current(settings), views):
        return 0, 0
    from shoplake.keys.duckdb_session import connect
    from shoplake.keys.keyring import Keyring

    with home_lock(settings, wait_seconds=wait_seconds):
        served = releases.current(settings)
        if served is None or not _differs(served, views):
            return 0, 0
        keyring, con = Keyring.open(settings), connect(settings)
        try:
            made = _Writer(con, settings, keyring, served.tables, served).views(views.values())
        finally:
            con.close()
        releases.replace_manifest(settings, msgspec.structs.replace(served, views=made))
    return len(made.keys() - served.views.keys()), len(served.views.keys() - made.keys())


def _differs(served: Manifest | None, wanted: Mapping[str, View]) -> bool:
    if served is None:
        return False
    possible = {name for name, view in wanted.items() if is_part_of(view, served.tables)}
    return possible != served.views.keys()


def is_part_of(view: View, tables: Mapping[str, Table]) -> bool:
    """Say whether a release's tables have all that the view shows."""
    table = tables.get(view.table)
    return table is not None and {*view.columns, *view.rows} <= table.columns.keys()


class _Writer:
    """Writes views of one release; what the served release holds already is taken over."""

    def __init__(
        self,
        con: DuckDBPyConnection,
        settings: Settings,
        keyring: Keyring,
        tables: Mapping[str, Table],
        served: Manifest,
    ) -> None:
        self._con, self._settings, self._keyring, self._tables = con, settings, keyring, tables
        self._known, self._served = served.views, releases.files_in([served])
        self._root = HomePaths(settings.home).partitions
        self._scratch = HomePaths(settings.home).build / "views"

    def views(self, wanted: Collection[View]) -> dict[str, View]:
        """Give the views with their partitions; those that the tables cannot show are left out."""
        self._keyring.ensure([view.key_name for view in wanted])
        found = [self._view(view) for view in wanted if is_part_of(view, self._tables)]
        return {view.view_id: view for view in found}

    def _view(self, view: View) -> View:
        table, known = self._tables[view.table], self._known.get(view.view_id)
        version = self._keyring.current(view.key_name).version
        have = {p.label: p for p in (known.partitions if known else ()) if p.key_version == version}
        missing = [p for p in table.partitions if p.label not in have or have[p.label].content != p.content]
        for first in range(0, len(missing), LABELS_AT_ONCE):
            have |= {p.label: p for p in self._write(view, table, missing[first : first + LABELS_AT_ONCE])}
        return msgspec.structs.replace(view, partitions=tuple(have[p.label] for p in table.partitions))

    def _write(self, view: View, table: Table, partitions: Sequence[Partition]) -> list[Partition]:
        from shoplake.keys.duckdb_session import add_parquet_key, copy_options

        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        key = self._keyring.current(view.key_name)
        name = add_parquet_key(self._con, key)
        try:
            for select in self._selects(view, table, partitions):
                self._con.execute(
                    f"copy ({select}) to '{self._scratch}' "
                    f"({copy_options(name)}, partition_by (_partition), overwrite_or_ignore true)"
                )
            files: dict[str, list[Path]] = {}
            for file in sorted(self._scratch.glob("_partition=*/*.parquet")):
                files.setdefault(file.parent.name.removeprefix("_partition="), []).append(file)
            rows = self._rows(name, [file for group in files.values() for file in group])
            return [self._place(view, table, p, files.get(p.label, []), rows, key.version) for p in partitions]
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _selects(self, view: View, table: Table, partitions: Sequence[Partition]) -> Iterable[str]:
        """Give a SELECT for each version of the table's key, with each row's partition beside it."""
        from shoplake.keys.duckdb_session import add_parquet_key, parquet_options, quoted, text

        columns = ", ".join(f"table_rows.{quoted(column)}" for column in view.columns)
        tests = [
            f"cast(table_rows.{quoted(column)} as varchar) in ({', '.join(text(value) for value in values)})"
            for column, values in view.rows.items()
        ]
        for version in sorted({p.key_version for p in partitions}):
            labels = {self._root / file: p.label for p in partitions if p.key_version == version for file in p.files}
            if not labels:
                continue
            key = add_parquet_key(self._con, self._keyring.get(table.key_name, version))
            names = ", ".join(text(str(file)) for file in labels)
            pairs = ", ".join(f"({text(str(file))}, {text(label)})" for file, label in labels.items())
            yield (
                f"select {columns}, labels.label as _partition from read_parquet([{names}], {parquet_options(key)}, "
                "hive_partitioning = false, filename = '_path') as table_rows "
                f"inner join (values {pairs}) as labels (file, label) on table_rows._path = labels.file "
                f"where {' and '.join(tests) or 'true'}"
            )

    def _rows(self, key_name: str, files: Sequence[Path]) -> dict[str, int]:
        from shoplake.keys.duckdb_session import parquet_options, text

        if not files:
            return {}
        names = ", ".join(text(str(file)) for file in files)
        found = self._con.execute(
            f"select _path, count(*) from read_parquet([{names}], {parquet_options(key_name)}, "
            "hive_partitioning = false, filename = '_path') group by _path"
        )
        return dict(found.fetchall())

    def _place(
        self, view: View, table: Table, base: Partition, files: Sequence[Path], rows: Mapping[str, int], version: int
    ) -> Partition:
        folder = f"{table.database}/{view.table}/views/{view.view_id}"
        stem, names = free_stem(self._settings, self._served, f"{folder}/{base.label}-{base.content}-k{version}"), []
        for number, file in enumerate(files):
            names.append(f"{stem}{f'-{number}' if number else ''}.parquet")
            durable_rename(file, self._root / names[-1], is_last=False)
        if names:
            fsync_directory((self._root / names[0]).parent)
        total = sum(rows[str(file)] for file in files)
        return Partition(base.label, base.content, total, tuple(names), version)
