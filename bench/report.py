"""Shows results: a table for the terminal and the page docs/benchmarks.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.events import EventCost, report
from bench.results import Entry, Results, SizeResult, targets

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("", "landing s", "build s", "total s", "landing / floor", "total / floor", "peak MB", "lines / s", "note")

INTRODUCTION = """# Benchmarks

Written by `make bench`. The sections up to "Events" come from one run on one machine; each of those that follow is
measured apart, and says how. In that run each contender worked alone and in turn on the same files. A contender's
seconds count only if its store-days give the data's own number of lines and transactions and its net sales to the cent.

- **floor**: one DuckDB script, CSV -> encrypted Parquet -> sale lines -> store-day and product-day marts, with no
  checks (`bench/floor.py`).
- **shoplake**: `shoplake land pos`, then `shoplake run`, in a fresh home: every contract rule, quarantine, duplicate
  and conflict check, the ledger, all models that sales feed, all audits, a published release, all encrypted. Starting
  Python twice and landing the reference files count as well.
- **Polars**, **PySpark local**, **dlt + dbt**: the same two marts, without encryption and without checks, from
  packages of their own (`bench/peers/`). dlt loads into a DuckDB file, from Arrow tables, or from rows as dicts.

*Landing* is from CSV to what the marts are built on, *build* the rest. Floor and shoplake: the run with the median
total of {repeats} (least and most in brackets), taken in turn; each peer ran once. *Peak* is resident memory of all
processes of a contender together, at its highest over all its runs; files that a contender maps into memory count.
"""


def page(results: Results) -> str:
    """Give docs/benchmarks.md."""
    parts = [INTRODUCTION.format(repeats=results.repeats), "## Targets\n"]
    parts.append("\n".join(f"- {target.sentence()}" for target in targets(results)) + "\n")
    for size in results.sizes:
        parts.append(f"## {size.lines:,} sale lines\n")
        parts.append(_markdown(HEADINGS, rows(size)))
    if results.rows is not None:
        parts.append("## dlt with rows as dicts\n")
        parts.append(_row_words(results.rows) + "\n")
    if results.history is not None:
        parts.append("## One more day\n")
        parts.append(_history_words(results) + "\n")
    if results.events is not None:
        parts.append("## Events\n")
        parts.append(_event_words(results.events) + "\n")
    parts.append("## Where and when\n")
    parts.append(_markdown(("", ""), [(name, value) for name, value in results.machine.items()]))
    parts.append(_markdown(("package", "version"), sorted(results.versions.items())))
    if results.left_out:
        parts.append("Left out: " + "; ".join(results.left_out) + ".\n")
    return "\n".join(parts)


def table(size: SizeResult) -> Table:
    """Give one size for the terminal."""
    from rich import box
    from rich.table import Table

    shown = Table(title=f"{size.lines:,} sale lines", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading in {"", "note"} else "right")
    for row in rows(size):
        shown.add_row(*row)
    return shown


def rows(size: SizeResult) -> list[tuple[str, ...]]:
    """Give the cells of one size: one row a contender, the floor first."""
    return [_row(entry, size) for entry in size.entries]


def _row(entry: Entry, size: SizeResult) -> tuple[str, ...]:
    if not entry.outcomes:
        return (entry.name, *["-"] * (len(HEADINGS) - 2), entry.failure)
    middle, floor = entry.middle, size.floor
    total = f"{middle.total_seconds:.1f}"
    if len(entry.outcomes) > 1:
        totals = [outcome.total_seconds for outcome in entry.outcomes]
        total += f" ({min(totals):.1f}-{max(totals):.1f})"
    return (
        entry.name,
        f"{middle.land_seconds:.1f}",
        f"{middle.build_seconds:.1f}",
        total,
        f"{middle.land_seconds / floor.land_seconds:.2f}",
        f"{middle.total_seconds / floor.total_seconds:.2f}",
        f"{entry.peak_mb:,.0f}",
        f"{size.lines / middle.total_seconds:,.0f}",
        middle.note,
    )


def _row_words(entry: Entry) -> str:
    if not entry.outcomes:
        return f"{entry.name} gave nothing: {entry.failure}"
    outcome = entry.middle
    pace = outcome.lines / outcome.land_seconds
    return (
        f"{entry.name} was given {outcome.lines:,} lines only. It landed them in {outcome.land_seconds:.1f} s, "
        f"{pace:,.0f} lines a second, and dbt built the marts in {outcome.build_seconds:.1f} s; peak memory was "
        f"{outcome.peak_mb:,.0f} MB. At that pace a million lines land in {1_000_000 / pace:,.0f} s."
    )


def _history_words(results: Results) -> str:
    cost = results.history
    if cost is None:
        return ""
    singles = "; ".join(
        f"{days} days: {', '.join(f'{seconds:.1f}' for seconds in each)} s"
        for days, each in ((cost.long_days, cost.long_each), (cost.short_days, cost.short_each))
    )
    return (
        "The same files of one more day (tills, stock counts, web traffic, interactions) were landed, built, audited "
        f"and published by `shoplake run` on two homes in turn. Median on {cost.long_days} days of history: "
        f"{cost.long_seconds:.2f} s ({cost.long_cpu_seconds:.2f} s of processor time); on {cost.short_days} days: "
        f"{cost.short_seconds:.2f} s ({cost.short_cpu_seconds:.2f} s). Ratio {cost.ratio:.2f} by the clock and "
        f"{cost.cpu_ratio:.2f} in processor time. Each day in order: {singles}."
    )


def _event_words(cost: EventCost) -> str:
    rounds = "\n".join(f"- {line}" for line in report(cost).splitlines())
    return (
        "`shoplake land` of JSON Lines in two homes in turn: one protects personal fields, the other has contracts "
        f"that call no field personal. Each round brings other events of the same customers.\n\n{rounds}"
    )


def _markdown(headings: tuple[str, ...], cells: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"
