"""Runs every benchmark in one go: ``python -m bench --sizes 1000000 5000000 20000000 [--no-peers]``."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import events
from bench.contenders import FLOOR, OURS, Contender, DataSet, WrongSumsError, peers, row_peer
from bench.data import write_references, write_sales
from bench.help_time import help_seconds
from bench.history import measure_history
from bench.machine import NoRoomError, check_room, describe, own_versions
from bench.measure import ContenderError
from bench.outcome import Outcome
from bench.peers import environment
from bench.report import page, table
from bench.results import Entry, Results, SizeResult, targets
from bench.section import with_rest

SIZES = (1_000_000, 5_000_000, 20_000_000)
WARM_UP_LINES = 15_000
ROW_MODE_LINES = 100_000
REPEATS = 3
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    """Measure, print and write the page; give 1 if a target was measured and missed or a contender's sums are wrong."""
    given = _arguments()
    if given.events:
        return events.run(events.WEB_EVENTS, events.ROUNDS)
    # As with Ctrl-C, a request to end must pass through the clean-up: data and homes take gigabytes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if given.work is not None:
        given.work.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="shoplake-bench-", dir=given.work))
    try:
        check_room(work, max(given.sizes))
        results = _measure(given, work)
    except (ContenderError, NoRoomError, events.LostRowsError, WrongSumsError, subprocess.CalledProcessError) as error:
        _tell(f"The benchmark stopped: {error}")
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _show(results)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    before = given.output.read_text(encoding="utf-8") if given.output.exists() else ""
    given.output.write_text(with_rest(page(results), before), encoding="utf-8")
    _tell(f"Written to {given.output}.")
    return 1 if any(target.is_met is False for target in targets(results)) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of sale lines")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs of the floor and of shoplake on each size")
    parser.add_argument("--no-peers", action="store_true", help="only the floor and shoplake")
    parser.add_argument("--no-history", action="store_true", help="leave out the days on a long and a short history")
    parser.add_argument("--no-events", action="store_true", help="leave out the landing of events")
    parser.add_argument("--events", action="store_true", help="only events a second into the lake, and what protects")
    parser.add_argument("--work", type=Path, help="folder for data and homes (default: the system's temporary one)")
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write (default: docs/benchmarks.md)")
    return parser.parse_args()


def _measure(given: argparse.Namespace, work: Path) -> Results:
    machine = describe()
    others, rows, left_out = _peers(given.no_peers)
    references = work / "references"
    write_references(references)
    warm_up = [FLOOR, OURS, *others]
    with _Data(work, references, WARM_UP_LINES) as data:
        for contender in warm_up:
            _tell(f"Warming up: {contender.name}")
            _attempt(contender, data, work)
    sizes = tuple(_size(lines, others, given.repeats, references, work) for lines in given.sizes)
    row_entry = None
    if rows is not None:
        _tell(f"{ROW_MODE_LINES:,} lines: {rows.name}")
        with _Data(work, references, ROW_MODE_LINES) as data:
            row_entry = _attempt(rows, data, work)
    _tell("Timing shoplake --help")
    help_took = help_seconds()
    history = None
    if not given.no_history:
        _tell("One more day on a long and on a short history")
        history = measure_history(work / "history")
    event_cost = None
    if not given.no_events:
        _tell("Events with personal fields protected, and without")
        event_cost = events.measure_events(work / "events")
    return Results(
        sizes=sizes,
        events=event_cost,
        repeats=given.repeats,
        help_seconds=help_took,
        history=history,
        rows=row_entry,
        left_out=tuple(left_out),
        machine=machine,
        versions=own_versions() | (environment.versions() if others else {}),
    )


def _peers(leave_out: bool) -> tuple[list[Contender], Contender | None, list[str]]:
    if leave_out:
        return [], None, ["all peers, as asked"]
    python = environment.peers_python(_tell)
    with_spark = environment.has_java(_tell)
    if not with_spark:
        _tell("PYSPARK IS LEFT OUT: there is no `java` on this machine; install a Java 17 runtime to compare with it.")
    left_out = [] if with_spark else ["PySpark, as this machine has no Java"]
    return peers(python, with_spark=with_spark), row_peer(python), left_out


def _size(lines: int, others: Sequence[Contender], repeats: int, references: Path, work: Path) -> SizeResult:
    with _Data(work, references, lines) as data:
        outcomes: dict[str, list[Outcome]] = {FLOOR.name: [], OURS.name: []}
        for turn in range(repeats):
            for contender in (FLOOR, OURS) if turn % 2 == 0 else (OURS, FLOOR):
                _tell(f"{lines:,} lines, run {turn + 1} of {repeats}: {contender.name}")
                outcomes[contender.name].append(contender.run(data, work))
        entries = [Entry(name, tuple(each)) for name, each in outcomes.items()]
        for contender in others:
            _tell(f"{lines:,} lines: {contender.name}")
            entries.append(_attempt(contender, data, work))
    return SizeResult(lines, tuple(entries))


def _attempt(contender: Contender, data: DataSet, work: Path) -> Entry:
    """Run a contender once; a peer that fails is reported as such and stops nothing."""
    try:
        return Entry(contender.name, (contender.run(data, work),))
    except (ContenderError, WrongSumsError) as error:
        if contender in {FLOOR, OURS}:
            raise
        _tell(f"{contender.name.upper()} FAILED: {error}")
        return Entry(contender.name, (), failure="failed: " + str(error).strip().splitlines()[-1])


class _Data:
    """Sale lines that lie on disk for as long as they are needed."""

    def __init__(self, work: Path, references: Path, lines: int) -> None:
        self._folder = work / f"sales-{lines}"
        self._references = references
        self._lines = lines

    def __enter__(self) -> DataSet:
        _tell(f"Writing {self._lines:,} sale lines")
        return DataSet(self._folder, self._references, write_sales(self._folder, self._lines))

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _show(results: Results) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for size in results.sizes:
        console.print(table(size))
    for target in targets(results):
        console.print(target.sentence(), markup=False)


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
