"""How commands print: a table for people, JSON and CSV for programs."""

from __future__ import annotations

import decimal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from shoplake.access.rendering import csv_text, json_text, plain

F = TypeVar("F", bound=Callable[..., Any])


def format_option(command: F) -> F:
    """Add ``--format table|json|csv`` to a command."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(["table", "json", "csv"]),
        default="table",
        show_default=True,
        help="How to print.",
    )(command)


def as_option(command: F) -> F:
    """Add ``--as USER`` to a command that reads a release."""
    return click.option("--as", "user", metavar="USER", help="Show what this user may see, from their own files.")(
        command
    )


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(json_text(value, indent=None if not sys.stdout.isatty() else 2))


def print_rows(
    rows: Sequence[Mapping[str, Any]] | Iterable[Mapping[str, Any]],
    style: str,
    *,
    columns: Sequence[str] | None = None,
    title: str = "",
    empty: str = "Nothing to show.",
) -> None:
    """Print rows as a table, a JSON array or CSV; columns default to the first row's keys."""
    rows = list(rows)
    names = list(columns or (rows[0].keys() if rows else []))
    if style == "json":
        print_json([{name: row.get(name) for name in names} for row in rows])
    elif style == "csv":
        click.echo(csv_text(rows, names), nl=False)
    elif not rows:
        click.echo(empty)
    else:
        _print_table(rows, names, title)


def _print_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in names:
        is_number = all(isinstance(r.get(name), int | float | decimal.Decimal | None) for r in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | decimal.Decimal):
        return _number(value)
    if isinstance(value, dict):
        value = [f"{k}: {v}" for k, v in value.items()]
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value) or "-"
    return str(value if isinstance(value, str) else plain(value))


def _number(value: float | decimal.Decimal) -> str:
    """Group thousands; show at most four decimals of a float, and money as it is."""
    text = f"{value:,.4f}" if isinstance(value, float) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if isinstance(value, float) else text
