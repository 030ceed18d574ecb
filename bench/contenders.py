"""Who takes part, and how each is run on one data set: alone, in a folder that is gone afterwards."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.data import Truth
from bench.measure import measure
from bench.outcome import Outcome, heard

ROOT = Path(__file__).resolve().parent.parent


class WrongSumsError(Exception):
    """A contender's marts do not say what the data say; its seconds are worth nothing."""


@dataclass(frozen=True)
class DataSet:
    """Sale lines on disk, and what any right build must say of them."""

    folder: Path
    references: Path
    truth: Truth


@dataclass(frozen=True)
class Contender:
    """A module that is called with the folder of CSV files and a work folder, and prints an outcome."""

    name: str
    module: str
    python: Path = Path(sys.executable)
    takes_references: bool = False

    def run(self, data: DataSet, work: Path) -> Outcome:
        """Run it once and check its sums.

        Raises:
            ContenderError: it failed.
            WrongSumsError: its sums differ from the data's.

        """
        place = Path(tempfile.mkdtemp(dir=work))
        try:
            command: list[str | Path] = [self.python, "-m", self.module, data.folder, place]
            if self.takes_references:
                command.append(data.references)
            measured = measure(command, cwd=ROOT)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        outcome = heard(measured.output).with_peak(measured.peak_mb)
        said = Truth(lines=outcome.lines, transactions=outcome.transactions, net_total=outcome.net_total)
        if said != data.truth:
            raise WrongSumsError(f"{self.name} says {said}, but the data are {data.truth}")
        return outcome


FLOOR = Contender("floor", "bench.floor")
OURS = Contender("shoplake", "bench.ours", takes_references=True)


def peers(python: Path, *, with_spark: bool) -> list[Contender]:
    """Give the peers that take every size."""
    found = [
        Contender("Polars", "bench.peers.polars_peer", python),
        Contender("dlt (Arrow) + dbt", "bench.peers.dlt_arrow", python),
    ]
    return [*found, Contender("PySpark local", "bench.peers.spark_peer", python)] if with_spark else found


def row_peer(python: Path) -> Contender:
    """Give the peer that takes only a few lines, for its pace."""
    return Contender("dlt (rows) + dbt", "bench.peers.dlt_rows", python)
