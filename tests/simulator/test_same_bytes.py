"""The same settings give the same bytes, wherever and whenever."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from shoplake.simulator import World
from tests.simulator.conftest import Small

TINY = World(
    days=2,
    stores=3,
    warehouses=2,
    products=12,
    sale_lines=600,
    inventory_rows=400,
    web_events=300,
    interactions=200,
    customers=40,
)
SCRIPT = """
import pathlib, sys
from shoplake.simulator import World, write_world
write_world(World(days=2, stores=3, warehouses=2, products=12, sale_lines=600, inventory_rows=400, web_events=300,
                  interactions=200, customers=40), pathlib.Path(sys.argv[1]))
"""


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_processes_with_other_hash_seeds_write_the_same_bytes(
    tmp_path: Path, write: Callable[[World, str], Small]
) -> None:
    here = write(TINY, "here")
    for hash_seed in ("1", "20"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo"}
        subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / hash_seed)], check=True, env=environment)
    found = digests(here.folder)
    assert len(found) == 2 + 48 + 2 + 2 + 3 + 1
    assert digests(tmp_path / "1") == found
    assert digests(tmp_path / "20") == found


def test_writing_again_over_the_same_folder_changes_nothing(write: Callable[[World, str], Small]) -> None:
    before = digests(write(TINY, "again").folder)
    assert digests(write(TINY, "again").folder) == before


def test_another_seed_gives_another_world(write: Callable[[World, str], Small]) -> None:
    one, other = digests(write(TINY, "one").folder), digests(write(replace(TINY, seed=8), "other").folder)
    assert one.keys() == other.keys()
    same = {name for name in one if one[name] == other[name]}
    # Warehouses are the same places in every world; an hour with no row holds a header only.
    assert not {name for name in same if not name.startswith(("warehouses/", "stores/", "inventory/"))}
    assert len(same) < len(one) / 2
