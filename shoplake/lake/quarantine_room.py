"""What reading the quarantine needs: the ledger, a DuckDB session with the keys, and the raw lines."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoplake.errors import NotFoundError
from shoplake.home import HomePaths, require_home
from shoplake.keys.duckdb_session import add_parquet_key, parquet_options, text
from shoplake.lake.batch import Lander
from shoplake.lake.objects import lake_key, lake_object_path
from shoplake.sources.lexers import TextRows, cut_csv, cut_json
from shoplake.store.held_rows import HeldRows

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.ledger import Ledger


@dataclass(frozen=True)
class Line:
    """A line as it came, and how it is cut into fields."""

    line: int
    raw: str
    layout: dict[str, Any]


@dataclass
class Room:
    """What reading the quarantine needs."""

    settings: Settings
    ledger: Ledger
    lander: Any

    def of(self, source: str, now: dt.datetime) -> Lander:
        """Give what lands rows of a source, under its contract of today."""
        from shoplake.contracts import load_contracts

        lander: Lander = replace(self.lander, contract=load_contracts(self.settings)[source], now=now)
        return lander

    def lines(self, object_name: str, file_id: str, wanted: Sequence[int] | None = None) -> list[Line]:
        """Read the raw lines of a file out of a quarantine object: all of them, or those of the ``wanted`` numbers.

        Raises:
            NotFoundError: the ledger knows no such object.

        """
        held = HeldRows(self.ledger.store).object_named(object_name)
        if held is None:
            raise NotFoundError(f"The ledger knows no object {object_name!r}.")
        lander: Lander = self.lander
        key = add_parquet_key(lander.con, lander.keyring.get(lake_key(held.source), held.key_version))
        place = lake_object_path(HomePaths(self.settings.home), held.source, held.kind, held.name, held.key_version)
        held_rows = f"read_parquet({text(str(place))}, {parquet_options(key)})"
        query, given = f"select _line, raw, layout from {held_rows} where _file_id = ?", list[Any]([file_id])
        if wanted is not None:
            query, given = f"{query} and list_contains(?::bigint[], _line)", [file_id, sorted(wanted)]
        rows = lander.con.execute(f"{query} order by _line", given).fetchall()
        return [Line(line, raw, json.loads(layout)) for line, raw, layout in rows]


@contextmanager
def opened_room(settings: Settings) -> Iterator[Room]:
    """Open the quarantine of a home.

    Raises:
        HomeError: there is no such home.

    """
    from shoplake.keys.duckdb_session import connect
    from shoplake.keys.keyring import Keyring
    from shoplake.privacy.vault import Vault
    from shoplake.store.engine import open_store
    from shoplake.store.ledger import Ledger

    require_home(settings)
    keyring = Keyring.open(settings)
    store = open_store(settings, keyring)
    con = connect(settings)
    try:
        lander = Lander(settings, None, keyring, Vault(store, keyring), con, dt.datetime.min)  # type: ignore[arg-type] # `of` gives the contract
        yield Room(settings, Ledger(store), lander)
    finally:
        con.close()
        store.close()


def cut(lines: Sequence[Line], names: Sequence[str]) -> Iterator[TextRows]:
    """Cut each line as its file was cut, and give it its own number again."""
    for line in lines:
        if line.layout["format"] == "csv":
            rows = cut_csv(line.raw, line.layout["delimiter"], line.layout["header"], names)
        else:
            rows = cut_json(line.raw, names)
        rows.lines[:] = [line.line] * len(rows.lines)
        yield rows
