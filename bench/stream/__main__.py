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
from pathlib import Path

from bench.machine import describe
from bench.stream.freshness import Freshness, at, measure_freshness
from bench.stream.history import RoundCost, measure_rounds

P99_SECONDS, HISTORY_RATIO, MEMORY_RATIO = 60, 1.3, 1.25


def main() -> int:
    """Measure and print; give 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.stream", description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=180, help="for how long events are sent")
    parser.add_argument("--every", type=float, default=20, help="seconds from round to round")
    parser.add_argument("--days", type=int, default=20, help="days of the shorter history; the longer has ten times")
    parser.add_argument("--rounds", type=int, default=5, help="rounds on each history; the median counts")
    parser.add_argument("--work", type=Path, help="folder for the homes (default: the system's temporary one)")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    met = []
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-", dir=given.work) as work:
        if given.seconds:
            met.append(_fresh(measure_freshness(Path(work), rate=given.rate, seconds=given.seconds, every=given.every)))
        if given.rounds:
            met.append(_history(*measure_rounds(Path(work), days=given.days, times=10, rounds=given.rounds)))
    return 0 if all(met) else 1


def _fresh(found: Freshness) -> bool:
    waits, rounds = found.seconds(), sorted(found.rounds)
    total, shown = sum(found.sent.events.values()), sum(found.in_marts.values())
    print(f"events: {total:,} acknowledged, {shown:,} in the marts; {found.sent.refused} requests refused")
    print(f"the sender was at most {found.sent.behind_seconds:.1f} s behind its rate")
    print(f"event to mart, {len(waits)} probes: p50 {at(waits, 0.5):.1f} s, p95 {at(waits, 0.95):.1f} s, ", end="")
    print(f"p99 {at(waits, 0.99):.1f} s (target {P99_SECONDS}), longest {at(waits, 1):.1f} s")
    print(f"rounds: {len(rounds)}, seconds p50 {at(rounds, 0.5):.1f}, longest {at(rounds, 1):.1f}; ", end="")
    print("each in order: " + ", ".join(f"{seconds:.1f}" for seconds in found.rounds))
    bytes_ = [size / 2**20 for _, size in found.memory]
    third = max(len(bytes_) // 3, 1)
    early, late = statistics.mean(bytes_[:third]), statistics.mean(bytes_[-third:])
    print(f"memory of the stream: {early:.0f} MiB in the first third, {late:.0f} MiB in the last ", end="")
    print(f"(ratio {late / early:.2f}, target {MEMORY_RATIO})")
    is_all_there = total == shown and not found.sent.refused
    return is_all_there and at(waits, 0.99) < P99_SECONDS and late <= MEMORY_RATIO * early


def _history(short: RoundCost, long: RoundCost) -> bool:
    for one in (short, long):
        each = ", ".join(f"{seconds:.1f}" for seconds in one.seconds)
        print(f"a round on {one.days} days ({one.events:,} events): median {one.median:.2f} s, ", end="")
        print(f"{one.cpu_median:.2f} s of processor time; each in order: {each}")
    ratio = long.cpu_median / short.cpu_median
    print(
        f"ten times the history: {long.median / short.median:.2f} by the clock, {ratio:.2f} in processor time ", end=""
    )
    print(f"(target {HISTORY_RATIO})")
    return ratio <= HISTORY_RATIO


if __name__ == "__main__":
    sys.exit(main())
