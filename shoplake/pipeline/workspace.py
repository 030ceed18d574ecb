"""The scratch database in which dbt builds: views over the lake and the last release, nothing kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

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
create table plan.touched_days (table_name varchar, day date);
create table plan.watermarks (source varchar, watermark timestamp);
create table plan.horizon (first_day date, last_day date);
create table plan.settled (settled_through date);
create table plan.targets (
    table_name varchar, folder varchar, copy_options varchar, read_options varchar, context_sql varchar, settles boolean
);
"""


@dataclass
class Workspace:
    """What one build may see and where it writes; made ready on dbt's own connection."""

    settings: Settings
    keyring: Keyring
    graph: ModelGraph
    plan: Plan
    snapshot: LedgerSnapshot
    folder: Path
    """Where new partitions are written before they are published."""
    vault: Vault
    """Opens the texts of persons that some models show."""

    def __post_init__(self) -> None:
        """Start unprepared: the database appears with dbt's first connection."""
        self._lock = Lock()
        self._con: DuckDBPyConnection | None = None

    @property
    def connection(self) -> DuckDBPyConnection:
        """Give a connection to the prepared scratch database."""
        if self._con is None:  # nothing was built, so that dbt has opened none
            import duckdb

            self.prepare(duckdb.connect())
        assert self._con is not None  # noqa: S101
        return self._con

    def prepare(self, database: DuckDBPyConnection) -> None:
        """Empty and fill the scratch database, once in the life of this workspace."""
        from shoplake.keys.duckdb_session import configure

        with self._lock:
            if self._con is not None:
                return
            con = database.cursor()
            configure(con, self.settings)
            _drop_everything(con)
            self._add_functions(con, database)
            con.execute(DDL)
            self._fill_plan(con)
            self._show_lake(con)
            self._show_tables(con)
            self._con = con

    def _add_functions(self, con: DuckDBPyConnection, database: DuckDBPyConnection) -> None:
        """Let models open texts; of a database that dbt kept open, an earlier build's function goes."""
        from shoplake.privacy.opening import FUNCTION, add_open_text

        if database is Current.database and Current.functions is not None:
            Current.functions.remove_function(FUNCTION)
        add_open_text(con, self.vault)
        Current.functions = con if database is Current.database else Current.functions

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
        days = [(table, day) for table, touched in plan.touched.items() for day in sorted(touched)]
        _insert(con, "plan.touched_days", days)
        _insert(con, "plan.watermarks", [(s, w.replace(tzinfo=None)) for s, w in plan.watermarks.items()])
        _insert(con, "plan.settled", [(plan.settled_through or dt.date.min,)])
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
        from shoplake.keys.duckdb_session import add_parquet_key

        for database in {model.database for model in self.graph.models.values()}:
            con.execute(f'create schema if not exists "{database}"')
        self.keyring.ensure([model.key_name for model in self.graph.tables()])
        for model in self.graph.tables():
            key = add_parquet_key(con, self.keyring.current(model.key_name))
            context = self.scan(con, model, self.plan.context.get(model.name, ()))
            row = (
                model.name,
                str(self.folder_of(model.name)),
                self.copy_options(con, model),
                f"encryption_config = {{footer_key: '{key}'}}",
                context,
                self.plan.settles(model.name),
            )
            _insert(con, "plan.targets", [row])
            con.execute(f'create view "{model.database}"."{model.name}" as {context}')
            before = self.scan(con, model, self.plan.previous.get(model.name, ()))
            con.execute(f'create view previous."{model.name}" as {before}')


def _insert(con: DuckDBPyConnection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    rows = list(rows)
    if not rows:
        return
    import pyarrow as pa

    columns = list(zip(*rows, strict=True))
    batch = pa.table({f"c{n}": list(values) for n, values in enumerate(columns)})  # noqa: F841 - read by name
    con.execute(f"insert into {table} select * from batch")


def _utc_days(days: Iterable[dt.date], timezone: str) -> frozenset[dt.date]:
    """Give the UTC days that business days may reach into."""
    if timezone == "UTC":
        return frozenset(days)
    return frozenset(day + dt.timedelta(days=n) for day in days for n in (-1, 0, 1))


def _drop_everything(con: DuckDBPyConnection) -> None:
    """Empty a database that dbt kept open from an earlier build in this process."""
    rows = con.execute("select schema_name from duckdb_schemas() where database_name = 'memory' and not internal")
    for (schema,) in rows.fetchall():
        if schema != "main":
            con.execute(f'drop schema "{schema}" cascade')


class Current:
    """The workspace of the build that runs in this process; dbt's plugin finds it here."""

    workspace: Workspace | None = None
    database: DuckDBPyConnection | None = None
    """dbt's own connection: the scratch database lives while it is open."""
    functions: DuckDBPyConnection | None = None
    """The connection through which the last build added functions to it."""


def columns_of(con: DuckDBPyConnection, database: str, table: str) -> Mapping[str, str]:
    """Give the columns and types of a view in the scratch database."""
    rows = con.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ? "
        "order by column_index",
        [database, table],
    )
    return dict(rows.fetchall())
