"""Says on what the figures were measured."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

BYTES_A_LINE = 400
"""Room that a sale line takes at most at once: its CSV, and the files and spill of whoever works on it."""
SPARE_BYTES = 2 * 2**30
OURS = ("shoplake", "duckdb", "duckdb-extension-httpfs", "dbt-core", "dbt-duckdb", "pyarrow")


class NoRoomError(Exception):
    """The disk is too small for the sizes asked for."""


def describe() -> dict[str, str]:
    """Give date, processor, memory and how busy the machine was already."""
    load = os.getloadavg()[0]
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load before the start": f"{load:.1f} (0 means that nothing else ran)",
    }


def own_versions() -> dict[str, str]:
    """Give the versions of shoplake and of what it computes with."""
    return {name: version(name) for name in OURS}


def check_room(folder: Path, lines: int) -> None:
    """Make sure that ``folder`` has room for the largest size.

    Raises:
        NoRoomError: it has not.

    """
    needed, free = lines * BYTES_A_LINE + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"{folder} has {free / 2**30:.1f} GiB free; {lines:,} lines need {needed / 2**30:.1f} GiB. "
            "Give smaller --sizes, or another --work folder."
        )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
