"""Writes a simulated world: ``python -m shoplake.simulator FOLDER --scale 0.01 --seed 7``."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from shoplake.simulator.world import World
from shoplake.simulator.write import write_world


def main(arguments: list[str] | None = None) -> int:
    """Write the world that the arguments describe; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shoplake.simulator", description="Write a simulated retail world.")
    parser.add_argument("folder", type=Path, help="where the files go, one sub-folder a source")
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the rows of the standard world")
    parser.add_argument("--seed", type=int, default=World.seed, help="another seed, another world")
    parser.add_argument("--quiet", action="store_true", help="do not tell the progress")
    given = parser.parse_args(arguments)
    try:
        world = replace(World(), seed=given.seed).scaled(given.scale)
    except ValueError as error:
        parser.error(str(error))
    tell = None if given.quiet else lambda line: print(line, file=sys.stderr)
    written = write_world(world, given.folder, on_progress=tell)
    for source, rows in written.rows.items():
        print(f"{source}: {rows:,} rows in {len(written.files[source]):,} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
