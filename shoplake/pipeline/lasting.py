"""Tables whose rows last for some days, such as customers' words: from which day on, and which days once more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shoplake.pipeline.plan import ONE_DAY, Days

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.manifest import Manifest, Table
    from shoplake.pipeline.models import Model, ModelGraph
    from shoplake.privacy.vault import Vault
    from shoplake.settings import Settings


def business_day(settings: Settings) -> dt.date:
    """Give today in the time zone of the business day."""
    return dt.datetime.now(ZoneInfo(settings.timezone)).date()


def first_days(settings: Settings, graph: ModelGraph, today: dt.date) -> dict[str, dt.date]:
    """Give the first day that a release of today holds of each table whose rows last for some days."""
    found = {}
    for model in graph.tables():
        if model.lasts:
            days: int = getattr(settings, model.lasts)
            found[model.name] = today - (days - 1) * ONE_DAY if days else dt.date.max
    return found


def days_of_erased(
    settings: Settings, keyring: Keyring, graph: ModelGraph, vault: Vault, last: Manifest | None
) -> dict[str, Days]:
    """Give the days of a release's tables that show words of persons whom the vault no longer has.

    It reads pseudonyms of the days that last, and so costs as much as these hold, whatever came before.
    """
    found = {}
    for model in graph.tables():
        table = last.tables.get(model.name) if last else None
        if model.opens and table is not None and table.partitions:
            found[model.name] = _days_of_erased(settings, keyring, model, vault, table)
    return {name: days for name, days in found.items() if days}


def _days_of_erased(settings: Settings, keyring: Keyring, model: Model, vault: Vault, table: Table) -> Days:
    from shoplake.keys.duckdb_session import add_parquet_key, connect, quoted, scan_sql
    from shoplake.pipeline.releases import partition_files

    con = connect(settings)
    try:
        files = {
            add_parquet_key(con, keyring.get(model.key_name, version)): paths
            for version, paths in partition_files(settings, table.partitions).items()
        }
        shown: set[tuple[dt.date, str]] = set()
        for text, whose in model.opens.items():
            columns = {name: table.columns[name] for name in (str(model.partition_by), whose, text)}
            rows = con.execute(
                f"select distinct {quoted(str(model.partition_by))}, {quoted(whose)} "
                f"from ({scan_sql(files, columns)}) where {quoted(text)} is not null"
            )
            shown.update(rows.fetchall())
    finally:
        con.close()
    known = vault.known(name for _, name in shown)
    return frozenset(day for day, name in shown if name not in known)
