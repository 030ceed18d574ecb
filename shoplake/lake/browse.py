"""Looking into the lake: its files, and its raw rows with where they came from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoplake.audit.recording import changing, showing
from shoplake.errors import InputError
from shoplake.home import require_home
from shoplake.keys.duckdb_session import quoted, text
from shoplake.keys.rereading import rereads
from shoplake.lake.flags import decode, repair_codes, warning_codes
from shoplake.lake.scan import lake_scan_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shoplake.contracts import Contract
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger, SourceFile

EXPORTS = {
    ".csv": "format csv, header",
    ".tsv": "format csv, header, delimiter '\t'",
    ".jsonl": "format json",
    ".parquet": "format parquet, compression zstd",
}


@dataclass(frozen=True)
class LakeRows:
    """Raw rows of a source."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def list_files(settings: Settings, source: str, *, every_version: bool = False) -> list[SourceFile]:
    """List the files of a source: those whose rows count, or every version that was offered.

    Raises:
        InputError: no such source.

    """
    with showing(settings, "lake list", source=source) as entry:
        found = _files(settings, source, every_version)
        entry.rows = len(found)
    return found


@rereads
def _files(settings: Settings, source: str, every_version: bool) -> list[SourceFile]:
    with _opened(settings, source) as (_, ledger, _con):
        return ledger.files(source, only_active=not every_version)


def show_rows(
    settings: Settings,
    source: str,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
    limit: int | None = None,
) -> LakeRows:
    """Give raw rows of a source with file, line, landing time and notes (repairs, warnings).

    Args:
        settings: the home.
        source: which source.
        first: from this UTC day of the event time on.
        last: up to and including this day.
        limit: most rows to give.

    Raises:
        InputError: no such source, or it has no event time and a day was asked for.

    """
    with showing(settings, "lake show", source=source, days=[str(first or ""), str(last or "")]) as entry:
        found = _rows(settings, source, first, last, limit)
        entry.show(found.rows)
    return found


@rereads
def _rows(settings: Settings, source: str, first: dt.date | None, last: dt.date | None, limit: int | None) -> LakeRows:
    with _opened(settings, source) as (contract, ledger, con):
        scan = _scan(settings, con, contract, ledger, first, last)
        cursor = con.execute(f"{scan} limit {limit}" if limit is not None else scan)
        names = [column[0] for column in cursor.description or []]
        codes = repair_codes(contract) | warning_codes(contract)
        rows = [(*row[:-1], decode(row[-1], codes)) for row in cursor.fetchall()]
    return LakeRows((*names[:-1], "_notes"), rows)


def export_rows(
    settings: Settings,
    source: str,
    target: Path,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> int:
    """Write raw rows to a file (in clear: it leaves the lake); its ending says the format. Give the number of rows.

    Raises:
        InputError: an ending that is not known, or the file exists.

    """
    if target.suffix not in EXPORTS:
        raise InputError(f"{target.name} has no known ending.", hint=f"Use one of {', '.join(EXPORTS)}.")
    if target.exists():
        raise InputError(f"{target} exists already.", hint="Name another file.")
    days = [str(first or ""), str(last or "")]
    try:
        with changing(settings, "lake export", source=source, days=days, file=str(target)) as entry:
            entry.rows = _export(settings, source, target, first, last)
            entry.result_bytes = target.stat().st_size
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return entry.rows


@rereads
def _export(settings: Settings, source: str, target: Path, first: dt.date | None, last: dt.date | None) -> int:
    with _opened(settings, source) as (contract, ledger, con):
        scan = _scan(settings, con, contract, ledger, first, last)
        row = con.execute(f"copy ({scan}) to {text(str(target))} ({EXPORTS[target.suffix]})").fetchone()
    return int(row[0]) if row else 0


def _scan(
    settings: Settings,
    con: DuckDBPyConnection,
    contract: Contract,
    ledger: Ledger,
    first: dt.date | None,
    last: dt.date | None,
) -> str:
    from shoplake.keys.keyring import Keyring

    snapshot = ledger.snapshot()
    days = None
    if first or last:
        if contract.event_time is None:
            raise InputError(f"{contract.source} has no event time.", hint="Leave --from and --to out.")
        days = {
            day
            for day in snapshot.days(contract.source)
            if (first is None or day >= first) and (last is None or day <= last)
        }
    scan = lake_scan_sql(con, Keyring.open(settings), snapshot, contract, days, settings=settings)
    _name_files(con, ledger.file_names(source=contract.source))
    fields = ", ".join(f"r.{quoted(f.name)}" for f in contract.fields)
    order = f"r.{quoted(contract.event_time)}, " if contract.event_time else ""
    return (
        f"select {fields}, n.name as _file, r._line, r._landed_at, r._flags from ({scan}) as r "
        f"inner join file_names as n on r._file_id = n.file_id order by {order}n.name, r._line"
    )


def _name_files(con: DuckDBPyConnection, names: dict[str, str]) -> None:
    import pyarrow as pa

    columns: dict[str, Sequence[str]] = {"file_id": list(names), "name": list(names.values())}
    found = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})  # noqa: F841 - by name
    con.execute("create or replace temp table file_names as select * from found")


@contextmanager
def _opened(settings: Settings, source: str) -> Iterator[tuple[Contract, Ledger, DuckDBPyConnection]]:
    from shoplake.contracts import load_contracts
    from shoplake.keys.duckdb_session import connect
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    require_home(settings)
    contracts = load_contracts(settings)
    if source not in contracts:
        raise InputError(f"There is no source {source!r}.", hint=f"Sources with a contract: {', '.join(contracts)}.")
    store = open_store(settings, Keyring.open(settings))
    con = connect(settings)
    try:
        yield contracts[source], Ledger(store), con
    finally:
        con.close()
        store.close()
