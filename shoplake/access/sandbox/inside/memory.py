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

from shoplake.access.sandbox.inside.system import allocate, gather, large_pages, move_pages, protect, release

LARGE = 2 << 20
"""Bytes of a large page, both on x86-64 and (of pages of 4 KiB) on aarch64."""
LEAST, MOST_ALLOCATED = 1 << 17, 64 << 20
"""Bytes of the smallest allocated part that is worth it, and of the largest that is not just a reserve of addresses."""
CODE, WRITABLE, HEAP = "r-xp", "rw-p", "[heap]"
READ_ONLY = {CODE, "r--p"}
LIBRARY = re.compile(r"/(?!.*/lib(arrow_|parquet))")
"""A file's name; not those parts of Arrow that it is linked to, and that no query runs."""
MOST_FILLED, TOGETHER = 8 << 20, 4
"""So many bytes of gaps are filled at most; so many pieces in a row show that there are no more of their size."""
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


def fill_gaps() -> None:
    """Take the small pieces of free memory that lie between used ones.

    What a forked process then allocates lies together, instead of a piece in each of a hundred pages that are copied.
    """
    left = MOST_FILLED
    for size in range(24, 2048, 16):
        last, in_row = 0, 0
        while in_row < TOGETHER and left > 0:
            place, left = allocate(size), left - size
            in_row = in_row + 1 if place - last == size + 8 else 0
            last = place


class _Segment(NamedTuple):
    """A part of this process' memory."""

    start: int
    end: int
    rights: str
    name: str = ""


def use_large_pages() -> None:
    """Put code and constants of libraries, and what has been allocated, into large pages, if the kernel has any.

    A worker writes to few of the allocated ones. The others stay together, and a fork passes them on as one.
    """
    for segment in list(_segments()):
        with suppress(OSError):
            if segment.rights == WRITABLE:
                gather(segment.start, segment.end - segment.start)
            else:
                _enlarge(segment)


def _segments() -> Iterator[_Segment]:
    """Give what is worth it; of a library all that is not written to as one.

    Constants then lie with the code, as older linkers had it. A fork copies one mapping instead of three, and small
    pages are left at both ends of the library only.
    """
    joined: list[_Segment] = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        place, rights, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(edge, 16) for edge in place.split("-"))
        here = _Segment(start, end, rights, name[0] if name else "")
        last = joined[-1] if joined else None
        if last and _is_library(last) and _is_library(here) and (last.end, last.name) == (start, here.name):
            joined[-1] = last._replace(end=end, rights=CODE if CODE in {last.rights, rights} else rights)
        else:
            joined.append(here)
    for one in joined:
        size = one.end - one.start
        is_allocated = one.rights == WRITABLE and one.name in {"", HEAP} and LEAST <= size <= MOST_ALLOCATED
        if is_allocated or _is_library(one):
            yield one


def _is_library(segment: _Segment) -> bool:
    return segment.rights in READ_ONLY and LIBRARY.match(segment.name) is not None


def _enlarge(segment: _Segment) -> None:
    """Lay a copy over a part of a library; it is the same to whoever runs there, this function included."""
    size, before = segment.end - segment.start, segment.start % LARGE
    whole = -(-(before + size) // LARGE) * LARGE
    pages = large_pages(whole, LARGE)
    copy, done = pages + before, False
    try:
        ctypes.memmove(copy, segment.start, size)
        protect(copy, size, is_code=segment.rights == CODE)
        move_pages(copy, size, segment.start)
        done = True
    finally:
        release(pages, before if done else whole)
        if done:
            release(copy + size, whole - before - size)
