"""Makes a process that others are forked from cheap to fork: few modules, and large pages.

A fork copies the tables of all private pages and leaves the rest to faults: a page of a library's code is looked up
when it is first run, and a page of data is copied when it is first written to. Where code lies in large pages of its
own instead of the file's, one entry stands for 512 pages, and no fault is left.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from shoplake.access.sandbox.inside.system import large_pages, move_pages, protect, release

LARGE = 2 << 20
"""Bytes of a large page, both on x86-64 and (of pages of 4 KiB) on aarch64."""
LEAST = 1 << 17
LIBRARY = re.compile(r"/(?!.*/lib(arrow_|parquet))")
"""Not those parts of Arrow that it is linked to, and that no query runs."""
UNUSED = ("numpy", "typing_extensions")
"""Modules that others load if they are there."""


def leave_out_modules() -> None:
    """Keep modules out of this process that no query needs: every library and every object makes each fork dearer."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]
    # DuckDB's package asks it for its own version alone, and it would load sixty modules; the engine knows it as well.
    metadata = ModuleType("importlib.metadata")
    metadata.version = _version  # type: ignore[attr-defined]
    sys.modules["importlib.metadata"] = metadata


def _version(_package: str) -> str:
    import _duckdb

    return str(_duckdb.__version__)


class _Segment(NamedTuple):
    """A part of a library that is mapped to be read."""

    start: int
    end: int
    is_code: bool


def use_large_pages() -> None:
    """Put the code and the constants of libraries into large pages, where the kernel has any to give."""
    for segment in list(_segments()):
        with suppress(OSError):
            _enlarge(segment)


def _segments() -> Iterator[_Segment]:
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights not in {"r-xp", "r--p"} or not name or not LIBRARY.match(name[0]):
            continue
        start, end = (int(edge, 16) for edge in place.split("-"))
        if end - start >= LEAST:
            yield _Segment(start, end, is_code=rights == "r-xp")


def _enlarge(segment: _Segment) -> None:
    """Lay a copy over a part of a library; it is the same to whoever runs there, this function included."""
    size, before = segment.end - segment.start, segment.start % LARGE
    whole = -(-(before + size) // LARGE) * LARGE
    pages = large_pages(whole, LARGE)
    copy, done = pages + before, False
    try:
        ctypes.memmove(copy, segment.start, size)
        protect(copy, size, is_code=segment.is_code)
        move_pages(copy, size, segment.start)
        done = True
    finally:
        release(pages, before if done else whole)
        if done:
            release(copy + size, whole - before - size)
