"""`shoplake quarantine`: list, show, replay."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import click

from shoplake.cli.output import format_option, print_rows
from shoplake.errors import InputError

SHOWN_ROWS = 100


@click.group()
def quarantine() -> None:
    """List, show and replay rows that broke a rule."""


@quarantine.command("list")
@click.argument("source", required=False)
@click.option("--all", "every", is_flag=True, help="Also rows that were replayed or superseded.")
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN_ROWS, show_default=True, help="Most rows to list.")
@format_option
@click.pass_obj
def list_rows(home: Path | None, source: str | None, every: bool, limit: int, style: str) -> None:
    r"""List rows in quarantine (of SOURCE): id, file, line and every reason.

    \b
    Example:
      shoplake quarantine list pos
    """
    from shoplake.lake.quarantine import list_rows as find
    from shoplake.settings import load_settings

    rows = find(load_settings(home), source, status=None if every else "open", limit=limit)
    shown = [{k: v for k, v in asdict(row).items() if k != "raw"} for row in rows]
    print_rows(shown, style, empty="Nothing is in quarantine.")


@quarantine.command()
@click.argument("ids", nargs=-1, required=True, type=int)
@format_option
@click.pass_obj
def show(home: Path | None, ids: tuple[int, ...], style: str) -> None:
    r"""Show quarantined rows with the line as it came (it may hold personal data).

    \b
    Example:
      shoplake quarantine show 17 18
    """
    from shoplake.lake.quarantine import show_rows
    from shoplake.settings import load_settings

    print_rows([asdict(row) for row in show_rows(load_settings(home), ids)], style)


@quarantine.command()
@click.argument("source", required=False)
@click.option("--file", "file", help="Only rows of the file of this name.")
@click.option("--id", "ids", multiple=True, type=int, help="Only this row; may be given several times.")
@click.option("--edit", "edits", multiple=True, metavar="ID=LINE", help="Land LINE in the place of row ID.")
@click.option(
    "--edits",
    "edits_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file of corrected lines with the columns id and raw.",
)
@click.option("--accept", is_flag=True, help="Land the good rows of a failed file whatever its share of bad ones.")
@format_option
@click.pass_obj
def replay(  # noqa: PLR0913 - one parameter an option
    home: Path | None,
    source: str | None,
    file: str | None,
    ids: tuple[int, ...],
    edits: tuple[str, ...],
    edits_file: Path | None,
    accept: bool,
    style: str,
) -> None:
    r"""Check rows again under today's contracts, or as a person corrected them; land the good ones, once.

    \b
    Example:
      shoplake quarantine replay pos --edit "17=T-9,1,4711,2,9.80,,1767571200"
    """
    from shoplake.lake.quarantine import replay as replay_rows
    from shoplake.settings import load_settings

    corrected = dict(_edit(edit) for edit in edits)
    if edits_file is not None:
        with edits_file.open(encoding="utf-8", newline="") as lines:
            corrected |= {int(row["id"]): row["raw"] for row in csv.DictReader(lines)}
    chosen = set(ids) | corrected.keys()
    found = replay_rows(
        load_settings(home), source=source, file=file, ids=chosen or None, edits=corrected, accept=accept
    )
    print_rows([asdict(row) for row in found], style, empty="Nothing is in quarantine.")


def _edit(given: str) -> tuple[int, str]:
    number, separator, line = given.partition("=")
    if not separator or not number.strip().isdigit():
        raise InputError(
            f"--edit {given!r} is not ID=LINE.", hint='For example --edit "17=T-9,1,4711,2,9.80,,1767571200".'
        )
    return int(number), line
