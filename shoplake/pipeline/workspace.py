"""The scratch database of a build: views over the lake and the last release, nothing kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.pipeline.manifest import ALL

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.manifest import Partition
    from shoplake.pipeline.models import Model, ModelGraph
    from shoplake.pipeline.plan import Plan
    from shoplake.privacy.vault import Vault
    from shoplake.settings import Settings
    from shoplake.store.ledger import LedgerSnapshot

DDL = """
create schema plan;
create schema lake;
create schema previous;
create schema made;
create table plan.touched_days (table_name varchar, day date);
create table plan.watermarks (source varchar, watermark timestamp);
create table plan.horizon (first_day date, last_day date);
"""

READ_BACK_ROWS = 250_000
"""Up to so many new rows of a table are read back once, for its tests and for what is made of it: each look at files
decrypts every footer again."""


@dataclass
class Workspace:
    """What one build may see and where it writes."""

    settings: Settings
    keyring: Keyring
    graph: ModelGraph
    plan: Plan
    snapshot: LedgerSnapshot
    folder: Path
    """Where new partitions are written before they are published."""
    vault: Vault
    """Opens the texts of persons that some models show."""
    _read_back: set[str] = field(default_factory=set)

    @cached_property
    def connection(self) -> DuckDBPyConnection:
        """Give the connection to the scratch database, which is made ready when first asked for."""
        from shoplake.keys.duckdb_session import connect
        from shoplake.privacy.opening import add_open_text

        con = connect(self.settings)
        add_open_text(con, self.vault)
        con.execute(DDL)
        self._fill_plan(con)
        self._show_lake(con)
        self._show_tables(con)
        return con

    def close(self) -> None:
        """Forget the scratch database."""
        if "connection" in self.__dict__:
            self.connection.close()

    @cached_property
    def served_files(self) -> frozenset[str]:
        """Name the partition files of the release that is served, if they are under the keys of today.

        Files under a database's key, as they once were, keep their names to themselves: new ones are under other keys.
        """
        from shoplake.pipeline.releases import current

        served = current(self.settings)
        tables = served.tables.values() if served else ()
        return frozenset(name for table in tables if table.key for p in table.partitions for name in p.files)

    def folder_of(self, model: str) -> Path:
        """Give the folder that a model's new partitions are written to."""
        return self.folder / model

    def copy_options(self, con: DuckDBPyConnection, model: Model) -> str:
        """Give the COPY options that encrypt for a model's table."""
        from shoplake.keys.duckdb_session import add_parquet_key, copy_options

        return copy_options(add_parquet_key(con, self.keyring.current(model.key_name)))

    def scan(self, con: DuckDBPyConnection, model: Model, partitions: Iterable[Partition]) -> str:
        """Give the SELECT over released partitions of a model's table."""
        from shoplake.keys.duckdb_session import add_parquet_key, scan_sql
        from shoplake.pipeline.releases import partition_files

        files = {
            add_parquet_key(con, self.keyring.get(model.key_name, version)): paths
            for version, paths in partition_files(self.settings, partitions).items()
        }
        return scan_sql(files, model.columns)

    def _fill_plan(self, con: DuckDBPyConnection) -> None:
        plan = self.plan
        for table, days in plan.touched.items():
            _insert(con, "plan.touched_days", [(table, day) for day in sorted(days)])
        _insert(con, "plan.watermarks", [(s, w.replace(tzinfo=None)) for s, w in plan.watermarks.items()])
        _insert(con, "plan.horizon", [plan.horizon] if plan.horizon else [])

    def _show_lake(self, con: DuckDBPyConnection) -> None:
        from shoplake.contracts import load_contracts
        from shoplake.lake.scan import lake_scan_sql

        contracts = load_contracts(self.settings)
        for source in self.graph.lake_sources():
            is_reference = contracts[source].event_time is None
            days = None if is_reference else _utc_days(self.plan.lake_days[source], self.settings.timezone)
            scan = lake_scan_sql(con, self.keyring, self.snapshot, contracts[source], days, settings=self.settings)
            con.execute(f'create view lake."{source}" as {scan}')

    def _show_tables(self, con: DuckDBPyConnection) -> None:
        for database in sorted({model.database for model in self.graph.models.values()}):
            con.execute(f'create schema "{database}"')
        self.keyring.ensure([model.key_name for model in self.graph.tables()])
        continued = {name for model in self.graph.tables() for name in model.previous}
        for model in self.graph.tables():
            con.execute(f'create view "{model.database}"."{model.name}" as {self._context(con, model)}')
            if model.name in continued:
                before = self.scan(con, model, self.plan.previous.get(model.name, ()))
                con.execute(f'create view previous."{model.name}" as {before}')

    def _context(self, con: DuckDBPyConnection, model: Model) -> str:
        return self.scan(con, model, self.plan.context.get(model.name, ()))

    def write(self, con: DuckDBPyConnection, model: Model, sql: str) -> None:
        """Write a model's rows as one encrypted Parquet file a partition, and show them with those kept in sight."""
        folder = self.folder_of(model.name)
        written = con.execute(
            f"copy (select model_rows.*, {self._label(model)} as _partition from ({sql}\n) as model_rows) "
            f"to '{folder}' ({self.copy_options(con, model)}, partition_by (_partition), overwrite_or_ignore true)"
        ).fetchone()
        shown = self._context(con, model)
        if files := self.written(model.name):
            if written and written[0] <= READ_BACK_ROWS:
                made = self.rows_of(con, model, files)
                con.execute(f'create table made."{model.name}" as select * from {made}')
                self._read_back.add(model.name)
            columns = ", ".join(f'"{column}"' for column in model.columns)
            shown += f" union all select {columns} from {self.made(con, model)}"
        con.execute(f'create or replace view "{model.database}"."{model.name}" as {shown}')

    def written(self, model: str) -> list[Path]:
        """List the files of a model's new partitions."""
        return sorted(self.folder_of(model).glob("_partition=*/*.parquet"))

    def made(self, con: DuckDBPyConnection, model: Model) -> str:
        """Give SQL for the rows that were written for a model, each with its file as ``_path``."""
        if model.name in self._read_back:
            return f'made."{model.name}"'
        return self.rows_of(con, model, self.written(model.name))

    def rows_of(self, con: DuckDBPyConnection, model: Model, files: Iterable[Path]) -> str:
        """Give SQL for the rows of files under the model's key of today, each with its file as ``_path``."""
        from shoplake.keys.duckdb_session import add_parquet_key, parquet_options, text

        key = add_parquet_key(con, self.keyring.current(model.key_name))
        names = ", ".join(text(str(file)) for file in files)
        return f"read_parquet([{names}], {parquet_options(key)}, hive_partitioning = false, filename = '_path')"

    def _label(self, model: Model) -> str:
        """Give SQL for the partition that a row belongs to: its day, or its month once months up to it are settled.

        Where no day of the build has settled, the day itself serves: writing a date as text costs as much as encrypting
        the row.
        """
        column, settled = f'model_rows."{model.partition_by}"', self.plan.settled_through
        if model.partition_by is None:
            return f"'{ALL}'"
        if not self.plan.settles(model.name):
            return column
        return (
            f"case when {column} <= date '{settled}' then strftime({column}, '%Y-%m') "
            f"else strftime({column}, '%Y-%m-%d') end"
        )


def _insert(con: DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]) -> None:
    from shoplake.keys.duckdb_session import text

    if rows:
        values = ", ".join(f"({', '.join(text(str(value)) for value in row)})" for row in rows)
        con.execute(f"insert into {table} values {values}")


def _utc_days(days: Iterable[dt.date], timezone: str) -> frozenset[dt.date]:
    """Give the UTC days that business days may reach into."""
    if timezone == "UTC":
        return frozenset(days)
    return frozenset(day + dt.timedelta(days=n) for day in days for n in (-1, 0, 1))
