"""What one more day costs on a long history and on a short one: the same files, the same command, two homes.

Run as ``python -m bench.history``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.data import write_references
from bench.days import write_day
from bench.measure import Measured
from bench.ours import Shoplake

LONG_DAYS = 365
SHORT_DAYS = 30
MEASURED_DAYS = 5
SALE_LINES_A_DAY = 5000


@dataclass(frozen=True)
class HistoryCost:
    """Median wall-clock and processor seconds of landing and publishing one more day, and the single ones in order."""

    long_days: int
    short_days: int
    long_seconds: float
    short_seconds: float
    long_cpu_seconds: float
    short_cpu_seconds: float
    long_each: tuple[float, ...]
    short_each: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How much longer the day takes on the long history."""
        return self.long_seconds / self.short_seconds

    @property
    def cpu_ratio(self) -> float:
        """How much more processor time the day takes on the long history."""
        return self.long_cpu_seconds / self.short_cpu_seconds


def measure_history(
    work: Path,
    *,
    long_days: int = LONG_DAYS,
    short_days: int = SHORT_DAYS,
    measured_days: int = MEASURED_DAYS,
    sale_lines: int = SALE_LINES_A_DAY,
) -> HistoryCost:
    """Build two homes whose histories end on the same day, then land the next days in each in turn.

    One day before the measured ones is landed in both and not counted: it fills what a home keeps between runs.
    Which home goes first alternates, so that neither always finds the machine's caches warm.
    """
    end = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=measured_days + 2)
    days = work / "days"
    long, short = Shoplake(work / "long"), Shoplake(work / "short")
    write_references(work / "references")
    for shoplake, count in ((long, long_days), (short, short_days)):
        shoplake("init")
        shutil.copytree(work / "references", shoplake.home / "landing", dirs_exist_ok=True)
        for back in range(count - 1, -1, -1):
            _offer(shoplake, days, end - dt.timedelta(days=back), sale_lines)
        shoplake("run", "--format", "json")
    spent: dict[Path, list[Measured]] = {long.home: [], short.home: []}
    for ahead in range(1, measured_days + 2):
        for shoplake in (long, short) if ahead % 2 else (short, long):
            _offer(shoplake, days, end + dt.timedelta(days=ahead), sale_lines)
            measured = shoplake("run", "--format", "json")
            if ahead > 1:
                spent[shoplake.home].append(measured)
    return HistoryCost(
        long_days=long_days,
        short_days=short_days,
        long_seconds=statistics.median(m.seconds for m in spent[long.home]),
        short_seconds=statistics.median(m.seconds for m in spent[short.home]),
        long_cpu_seconds=statistics.median(m.cpu_seconds for m in spent[long.home]),
        short_cpu_seconds=statistics.median(m.cpu_seconds for m in spent[short.home]),
        long_each=tuple(m.seconds for m in spent[long.home]),
        short_each=tuple(m.seconds for m in spent[short.home]),
    )


def _offer(shoplake: Shoplake, days: Path, date: dt.date, sale_lines: int) -> None:
    """Put a day's files in a home's landing folders."""
    for source, file in write_day(days, date, sale_lines).items():
        shutil.move(file, shoplake.home / "landing" / source / file.name)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", type=int, default=LONG_DAYS, help="days of the long history")
    parser.add_argument("--short", type=int, default=SHORT_DAYS, help="days of the short history")
    parser.add_argument("--measured", type=int, default=MEASURED_DAYS, help="days measured on each")
    parser.add_argument("--lines", type=int, default=SALE_LINES_A_DAY, help="sale lines a day")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        cost = measure_history(
            Path(work),
            long_days=given.long,
            short_days=given.short,
            measured_days=given.measured,
            sale_lines=given.lines,
        )
    for name, days, median, each in (
        ("long", cost.long_days, cost.long_seconds, cost.long_each),
        ("short", cost.short_days, cost.short_seconds, cost.short_each),
    ):
        singles = ", ".join(f"{s:.2f}" for s in each)
        sys.stdout.write(f"one more day on {days} days ({name}): {median:.2f} s, median of {singles}\n")
    sys.stdout.write(f"ratio: {cost.ratio:.2f} by the clock, {cost.cpu_ratio:.2f} in processor time\n")


if __name__ == "__main__":
    main()
