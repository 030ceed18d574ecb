"""Shoplake as a person runs it: a fresh home, `shoplake land pos`, `shoplake run`, each a process of its own.

Run as ``python -m bench.ours FOLDER WORK [REFERENCES]``. All checks are on: contract rules, quarantine, duplicates,
conflicts and ledger at landing; keys, relations, sums and row counts before publishing. Starting Python counts.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from decimal import Decimal
from pathlib import Path

from bench.measure import Measured, measure
from bench.outcome import say

ROOT = Path(__file__).resolve().parent.parent
SUMS = """
    select sum(sale_lines), sum(transactions), cast(sum(net_amount) as varchar) from sales.mart_sales__store_day
"""


class Shoplake:
    """The command line on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str | Path) -> Measured:
        """Run ``shoplake`` with ``arguments`` and measure it.

        Raises:
            ContenderError: the command failed.

        """
        return measure([sys.executable, "-m", "shoplake", "--home", self.home, *arguments], cwd=ROOT)


def main(folder: Path, work: Path, references: Path | None = None) -> None:
    """Build a release in a home below ``work`` and say how it went.

    Reference files are put in the home's landing folders, where `shoplake run` finds them.
    """
    shoplake = Shoplake(work / "home")
    init = shoplake("init")
    if references is not None:
        shutil.copytree(references, shoplake.home / "landing", dirs_exist_ok=True)
    land = shoplake("land", "pos", folder, "--format", "json")
    run = shoplake("run", "--format", "json")
    lines, transactions, net_total = json.loads(shoplake("sql", SUMS, "--format", "json").output)["rows"][0]
    report = json.loads(run.output)
    say(
        lines=lines,
        transactions=transactions,
        net_total=Decimal(net_total),
        seconds=(land.seconds, run.seconds),
        peak_mb=max(init.peak_mb, land.peak_mb, run.peak_mb),
        note=f"{report['tests']['passed']} tests passed; `shoplake init` before it took {init.seconds:.1f} s",
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
