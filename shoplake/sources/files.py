"""Finds the files that a person names: files, folders, globs."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shoplake.errors import InputError

COMPRESSIONS = (".gz", ".gzip", ".zst", ".zstd")


@dataclass(frozen=True)
class FoundFile:
    """A file to land, and the name by which it is known."""

    path: Path
    logical_name: str


def find_files(paths: Iterable[str | Path]) -> list[FoundFile]:
    """List the files that ``paths`` name, in natural order of their names, each once.

    A file inside a named folder is known by its path below that folder, any other by its own name; an ending that
    only says how it is compressed is no part of the name. Hidden files are left out of folders. Files of one name come
    in the order in which they were given, then in the natural order of their paths: a later one restates an earlier.

    Raises:
        InputError: a path names nothing.

    """
    found: dict[Path, str] = {}
    for given in paths:
        for path, name in sorted(_expand(str(given)), key=lambda item: natural_key(item[0].as_posix())):
            found.setdefault(path.absolute(), name)
    files = [FoundFile(path, logical_name(name)) for path, name in found.items()]
    return sorted(files, key=lambda file: natural_key(file.logical_name))


def logical_name(name: str) -> str:
    """Drop the ending of a compression from a file's name."""
    for ending in COMPRESSIONS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort numbers in names by their value: ``part9`` before ``part10``."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _expand(given: str) -> list[tuple[Path, str]]:
    path = Path(given).expanduser()
    if path.is_dir():
        inside = [p for p in path.rglob("*") if p.is_file() and not _is_hidden(p.relative_to(path))]
        return [(p, p.relative_to(path).as_posix()) for p in inside]
    if path.is_file():
        return [(path, path.name)]
    matches = [Path(match) for match in glob.glob(str(path), recursive=True)]
    if not matches:
        raise InputError(f"Nothing is at {given}.", hint="Give a file, a folder, or a glob in quotes.")
    return [item for match in matches for item in _expand(str(match))]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
