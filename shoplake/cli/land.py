"""`shoplake land`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows

COLUMNS = (
    "file",
    "status",
    "rows_read",
    "rows_landed",
    "rows_quarantined",
    "rows_duplicate",
    "rows_repaired",
    "warnings",
    "reasons",
)


@click.command()
@click.argument("source")
@click.argument("paths", nargs=-1, required=True)
@click.option("--accept", is_flag=True, help="Land the good rows of a file even above the quarantine limit.")
@format_option
@click.pass_obj
def land(home: Path | None, source: str, paths: tuple[str, ...], accept: bool, style: str) -> None:
    r"""Land files of SOURCE: files, folders or globs of CSV, TSV, JSON Lines or Parquet, also gzip or zstd.

    Ends with exit code 1 when a file was refused or failed.

    \b
    Example:
      shoplake land pos tills/2026-01-*.csv
    """
    from shoplake.garbage import collect_rarely
    from shoplake.lake.landing import land as land_files
    from shoplake.settings import load_settings

    collect_rarely()
    files = land_files(load_settings(home), source, list(paths), accept=accept)
    rows = [file.as_dict() for file in files]
    if style == "json":
        print_json(rows)
    else:
        print_rows(rows, style, columns=COLUMNS, empty="No file matched.")
    if any(file.status in {"refused", "failed"} for file in files):
        sys.exit(1)
