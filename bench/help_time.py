"""How long `shoplake --help` takes. Run as ``python -m bench.help_time``."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from bench.measure import measure

ROOT = Path(__file__).resolve().parent.parent
TIMES = 10


def help_seconds(times: int = TIMES) -> float:
    """Give the median wall-clock seconds of the installed command, after one call that warms the file cache."""
    command: list[str | Path] = [Path(sys.executable).with_name("shoplake"), "--help"]
    measure(command, cwd=ROOT)
    return statistics.median(measure(command, cwd=ROOT).seconds for _ in range(times))


if __name__ == "__main__":
    sys.stdout.write(f"shoplake --help: {help_seconds():.3f} s, median of {TIMES}\n")
