"""Writes a world as the files of the seven sources, day by day."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from shoplake.simulator import dirt_kinds, sales, stock
from shoplake.simulator.delays import Delays
from shoplake.simulator.dirt import CsvCodec, Dirt, JsonCodec
from shoplake.simulator.people import build_people
from shoplake.simulator.places import Places, build_places, store_rows, warehouse_rows
from shoplake.simulator.products import Products, build_products, product_rows
from shoplake.simulator.restate import restated, restated_day
from shoplake.simulator.sales import Tills
from shoplake.simulator.service import Service
from shoplake.simulator.stock import Stock
from shoplake.simulator.web import Web
from shoplake.simulator.world import World, Written

REFERENCE_MOST = 30
"""A reference file gets at most one spoiled row for this many good ones."""


def write_world(world: World, folder: Path, *, on_progress: Callable[[str], None] | None = None) -> Written:
    """Write the files of every source below ``folder``, one sub-folder a source.

    Files of the same names are replaced. One more file, ``later/pos/pos_<day>.csv``, restates a day of sales; it is
    meant to be landed after a first release. No more than a few days are held in memory at a time.

    Args:
        world: the settings; equal ones give equal bytes.
        folder: made if it is missing.
        on_progress: told a line of text after each day.

    """
    places, products, people = build_places(world), build_products(world), build_people(world)
    files = _Files(folder)
    _write_reference(files, places, products)
    shops = _Shops(world, places, products, files)
    streams = _Streams(world, Web(world, people, products), Service(world, people), files)
    for number in range(world.days):
        shops.write_day(number)
        streams.write_day(number)
        if on_progress:
            on_progress(f"{world.date(number)}: {sum(files.rows.values()):,} rows written")
    return files.written()


class _Files:
    """Writes files and counts their rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[str, list[Path]] = {}
        self.rows: dict[str, int] = {}

    def write(self, source: str, name: str, lines: Sequence[str], header: Sequence[str] = ()) -> None:
        paths = self.paths.setdefault(source, [])
        self.rows[source] = self.rows.get(source, 0) + len(lines)
        if not lines and not header:
            # A stream on which nothing happened has no file; a till that sold nothing sends its header.
            return
        path = self.folder / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = [",".join(header)] if header else []
        path.write_bytes("\n".join([*head, *lines, ""]).encode())
        paths.append(path)

    def written(self) -> Written:
        return Written({source: tuple(paths) for source, paths in self.paths.items()}, self.rows)


class _Shops:
    """Sales and the stock that they move."""

    def __init__(self, world: World, places: Places, products: Products, files: _Files) -> None:
        self.world, self.files = world, files
        self.tills, self.stock = Tills(world, places, products), Stock(world, places, products)
        self.pos_codec = CsvCodec(sales.COLUMNS)
        self.pos_delays = Delays(world, "pos", late=0.001, again=0.0003)
        self.pos_dirt = Dirt(world, "pos", self.pos_codec, dirt_kinds.POS)
        self.stock_delays = Delays(world, "inventory", late=0.001, furthest=5)
        self.stock_dirt = Dirt(world, "inventory", CsvCodec(stock.COLUMNS), dirt_kinds.INVENTORY)

    def write_day(self, number: int) -> None:
        day, last = self.tills.day(number, self.stock.is_out), self.world.days - 1
        lines = self.pos_delays.passed(number, self.tills.rendered(number, day), last=last)
        lines = self.pos_dirt.soiled(number, lines)
        if number == last and len(lines) > REFERENCE_MOST:
            # A connection that broke off; once in the world, for such a file is read with more care, and so slowly.
            lines.append(lines[-1].rpartition(",")[0])
        name = f"pos_{self.world.date(number)}.csv"
        self.files.write("pos", name, lines, sales.COLUMNS)
        if number == restated_day(self.world):
            self.files.write("later/pos", name, restated(self.world, self.pos_codec, lines), sales.COLUMNS)
        self._write_counts(number, self.stock.rendered(self.stock.day(number, day)))

    def _write_counts(self, number: int, hours: Iterable[list[str]]) -> None:
        last = self.world.days * stock.HOURS - 1
        for hour, lines in enumerate(hours):
            count = number * stock.HOURS + hour
            sent = self.stock_dirt.soiled(count, self.stock_delays.passed(count, lines, last=last))
            name = f"inventory_{self.world.date(number)}T{hour:02}.csv"
            self.files.write("inventory", name, sent, stock.COLUMNS)


class _Streams:
    """Web events and interactions."""

    def __init__(self, world: World, web: Web, service: Service, files: _Files) -> None:
        self.world, self.files = world, files
        self.days = {"web_events": web.day, "interactions": service.day}
        self.delays = {
            "web_events": Delays(world, "web_events", late=0.002, again=0.001),
            "interactions": Delays(world, "interactions", late=0.003),
        }
        self.dirt = {
            "web_events": Dirt(world, "web_events", JsonCodec(), dirt_kinds.WEB_EVENTS),
            "interactions": Dirt(world, "interactions", JsonCodec(), dirt_kinds.INTERACTIONS),
        }

    def write_day(self, number: int) -> None:
        for source, day in self.days.items():
            lines = self.delays[source].passed(number, day(number), last=self.world.days - 1)
            name = f"{source}_{self.world.date(number)}.jsonl"
            self.files.write(source, name, self.dirt[source].soiled(number, lines))


def _write_reference(files: _Files, places: Places, products: Products) -> None:
    spoiled = {
        "stores": {"store_id": "planned", "name": "Opening soon"},
        "warehouses": {"warehouse_id": "", "name": "Depot without a number"},
        "products": {"product_id": "9000001", "name": "Gift wrap", "unit_cost": "-1.5", "list_price": "2"},
    }
    rows = {"stores": store_rows(places), "warehouses": warehouse_rows(places), "products": product_rows(products)}
    for source, good in rows.items():
        given = [dict(row) for row in good]
        given[0]["name"] = f"  {given[0]['name']} "
        if len(given) >= REFERENCE_MOST:
            # Spoiled rows stand beside the good ones: a missing product would hide all of its sales.
            given += [good[-1], {**dict.fromkeys(good[0], ""), **spoiled[source]}]
        files.write(source, f"{source}.csv", [_csv_line(row.values()) for row in given], tuple(good[0]))


def _csv_line(values: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
