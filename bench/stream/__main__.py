"""Measures `shoplake stream`: ``python -m bench.stream [--rate 2000] [--seconds 180]``.

A collector and a stream run on a home of their own while events come at a fixed rate; every second two of them are
followed from the collector's answer to the mart that shows them. Then rounds with the same new events are made on a
short and on a ten times longer history, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from bench.machine import describe
from bench.section import with_section
from bench.stream.freshness import Freshness, at, measure_freshness
from bench.stream.history import BATCHES_A_DAY, RoundCost, measure_rounds

P99_SECONDS, HISTORY_RATIO, MEMORY_RATIO = 60, 1.3, 1.25


def main() -> int:
    """Measure and print; give 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.stream", description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=180, help="for how long events are sent")
    parser.add_argument("--every", type=float, default=20, help="seconds from round to round")
    parser.add_argument("--days", type=int, default=35, help="days of the shorter history; the longer has ten times")
    parser.add_argument("--batches", type=int, default=BATCHES_A_DAY, help="batches a day and source of the histories")
    parser.add_argument("--rounds", type=int, default=5, help="rounds on each history; the median counts")
    parser.add_argument("--output", type=Path, help="page whose section is replaced, such as docs/benchmarks.md")
    parser.add_argument("--note", default="", help="what to say of the machine")
    parser.add_argument("--work", type=Path, help="folder for the homes (default: the system's temporary one)")
    given = parser.parse_args()
    machine = describe()
    lines, met = list[str](), list[bool]()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-", dir=given.work) as work:
        if given.seconds:
            found = measure_freshness(Path(work), rate=given.rate, seconds=given.seconds, every=given.every)
            lines += [
                f"{given.rate:,} events a second for {given.seconds:.0f} s, a round every {given.every:.0f} s:",
                "",
            ]
            met.append(_fresh(found, lines))
        if given.rounds:
            more = {"times": 10, "rounds": given.rounds, "batches": given.batches}
            lines += ["", "The same new events (2,000 of web traffic, 100 interactions) on two homes in turn:", ""]
            met.append(_history(*measure_rounds(Path(work), days=given.days, **more), lines))
    load = f"Load before the start {machine['load before the start']}. {given.note}".strip()
    text = "\n".join(["## Streams", "", *lines, "", f"{machine['date']}, {machine['processor']}. {load}"]) + "\n"
    print(text)
    if given.output:
        page = given.output.read_text(encoding="utf-8")
        given.output.write_text(with_section(page, text), encoding="utf-8")
    return 0 if all(met) else 1


def _fresh(found: Freshness, lines: list[str]) -> bool:
    """Say how fresh the marts were; give whether the targets were met."""
    waits, rounds = found.seconds(), sorted(found.rounds)
    total, shown = sum(found.sent.events.values()), sum(found.in_marts.values())
    sizes = [sample.resident_bytes / 2**20 for sample in found.samples]
    used = [sample.cpu_seconds for sample in found.samples]
    per_round = sorted(later - before for before, later in pairwise(used))
    third = max(len(sizes) // 3, 1)
    early, late = statistics.mean(sizes[:third]), statistics.mean(sizes[-third:])
    lines += [
        f"- event to mart, {len(waits)} events followed from the collector's 200 to the release that shows them: "
        f"p50 {at(waits, 0.5):.1f} s, p95 {at(waits, 0.95):.1f} s, p99 {at(waits, 0.99):.1f} s "
        f"(target {P99_SECONDS} s), longest {at(waits, 1):.1f} s",
        f"- {len(rounds)} rounds, median {at(rounds, 0.5):.1f} s; each in order: "
        + ", ".join(f"{seconds:.1f}" for seconds in found.rounds)
        + f"; processor time of a round, landing included: median {at(per_round, 0.5):.1f} s, "
        f"most {at(per_round, 1):.1f} s",
        f"- {total:,} events acknowledged, {shown:,} of them in the marts at the end; {found.sent.refused} requests "
        f"refused; the sender was at most {found.sent.behind_seconds:.1f} s behind its rate",
        f"- memory of the stream's process: {early:.0f} MiB in the first third, {late:.0f} MiB in the last "
        f"(ratio {late / early:.2f}, target {MEMORY_RATIO})",
    ]
    is_all_there = total == shown and not found.sent.refused
    return is_all_there and at(waits, 0.99) < P99_SECONDS and late <= MEMORY_RATIO * early


def _history(short: RoundCost, long: RoundCost, lines: list[str]) -> bool:
    """Say what rounds cost; give whether the target was met."""
    for one in (short, long):
        each = ", ".join(f"{seconds:.1f}" for seconds in one.seconds)
        lines.append(
            f"- {one.days} days of history ({one.events:,} events): a round takes {one.median:.2f} s "
            f"({one.cpu_median:.2f} s of processor time); each in order: {each}"
        )
    ratio = long.cpu_median / short.cpu_median
    lines.append(
        f"- ten times the history: {long.median / short.median:.2f} by the clock, {ratio:.2f} in processor time "
        f"(target {HISTORY_RATIO})"
    )
    return ratio <= HISTORY_RATIO


if __name__ == "__main__":
    sys.exit(main())
