"""One small world for all tests of the simulator, and its rows as they can be read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shoplake.simulator import World, Written, write_world

SMALL = World(
    days=6,
    stores=8,
    warehouses=3,
    products=60,
    sale_lines=9_000,
    inventory_rows=9_000,
    web_events=6_000,
    interactions=3_000,
    customers=300,
)


class Small(NamedTuple):
    """A written world."""

    world: World
    folder: Path
    written: Written

    def lines(self, source: str) -> dict[str, list[str]]:
        """Give the lines of each file without their header."""
        skipped = 0 if source in {"web_events", "interactions"} else 1
        return {p.name: p.read_text("utf-8").splitlines()[skipped:] for p in self.written.files[source]}

    def csv(self, source: str) -> list[dict[str, str]]:
        """Give the rows of all files as texts."""
        texts = [path.read_text("utf-8") for path in self.written.files[source]]
        return [row for text in texts for row in csv.DictReader(text.splitlines())]

    def json(self, source: str) -> list[dict[str, Any]]:
        """Give the objects of all files."""
        return [json.loads(line) for lines in self.lines(source).values() for line in lines]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("world")
    return Small(SMALL, folder, write_world(SMALL, folder))


@pytest.fixture(scope="session")
def counts(small: Small) -> list[tuple[int, int, int, int]]:
    """Give the plainly written counts as (product, warehouse, level, second), by pair and time."""
    rows = []
    for row in small.csv("inventory"):
        texts = (row["product_id"], row["warehouse_id"], row["stock_level"], row["last_updated"])
        if all(text.removeprefix("-").isdecimal() for text in texts) and len(texts[3]) == 10:
            rows.append((int(texts[0]), int(texts[1]), int(texts[2]), int(texts[3])))
    return sorted(rows, key=lambda row: (row[0], row[1], row[3]))


@pytest.fixture(scope="session")
def sessions(small: Small) -> list[list[dict[str, Any]]]:
    """Give the well-formed events of each session in the order of time, exact repeats once."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in small.json("web_events"):
        is_well_formed = all(isinstance(value, str | int | float | None) for value in row.values())
        if is_well_formed and isinstance(row["timestamp"], float) and 1e9 < row["timestamp"] < 3e9:
            found.setdefault(row["session_id"], {})[json.dumps(row)] = row
    return [sorted(rows.values(), key=lambda row: row["timestamp"]) for rows in found.values()]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[World, str], Small]]:
    """Give a function that writes another world into a folder of that name."""

    def written(world: World, name: str) -> Small:
        return Small(world, tmp_path / name, write_world(world, tmp_path / name))

    yield written
