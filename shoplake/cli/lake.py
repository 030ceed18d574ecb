"""`shoplake lake`: list, show, export."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from shoplake.cli.output import format_option, print_rows

DAY = click.DateTime(["%Y-%m-%d"])
SHOWN_ROWS = 100


@click.group()
def lake() -> None:
    """List, show and export raw rows with where they came from."""


@lake.command("list")
@click.argument("source")
@click.option("--all-versions", is_flag=True, help="Also superseded, refused and failed files.")
@format_option
@click.pass_obj
def list_files(home: Path | None, source: str, all_versions: bool, style: str) -> None:
    r"""List the landed files of SOURCE.

    \b
    Example:
      shoplake lake list pos
    """
    from shoplake.lake import browse
    from shoplake.settings import load_settings

    files = browse.list_files(load_settings(home), source, every_version=all_versions)
    rows = [
        {
            "file": file.logical_name,
            "version": file.version,
            "status": file.status if file.is_active or file.status != "landed" else "superseded",
            "rows_landed": file.rows_landed,
            "rows_quarantined": file.rows_quarantined,
            "rows_duplicate": file.rows_duplicate,
            "first": file.min_event_at,
            "last": file.max_event_at,
            "landed_at": file.landed_at.replace(microsecond=0) if file.landed_at else None,
            "content_hash": file.content_hash[:16],
        }
        for file in files
    ]
    print_rows(rows, style, empty=f"Nothing of {source} has landed yet.")


@lake.command()
@click.argument("source")
@click.option("--from", "first", type=DAY, help="First UTC day of the event time.")
@click.option("--to", "last", type=DAY, help="Last UTC day of the event time.")
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN_ROWS, show_default=True, help="Most rows to show.")
@format_option
@click.pass_obj
def show(
    home: Path | None, source: str, first: dt.datetime | None, last: dt.datetime | None, limit: int, style: str
) -> None:
    r"""Show raw rows of SOURCE with file, line, repairs and warnings.

    \b
    Example:
      shoplake lake show pos --from 2026-01-05 --to 2026-01-05
    """
    from shoplake.lake import browse
    from shoplake.settings import load_settings

    found = browse.show_rows(load_settings(home), source, first=_day(first), last=_day(last), limit=limit)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    print_rows(rows, style, columns=found.columns, empty="No row of these days.")


@lake.command()
@click.argument("source")
@click.option("--from", "first", type=DAY, help="First UTC day of the event time.")
@click.option("--to", "last", type=DAY, help="Last UTC day of the event time.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write (.csv, .tsv, .jsonl, .parquet)."
)
@format_option
@click.pass_obj
def export(
    home: Path | None,
    source: str,
    first: dt.datetime | None,
    last: dt.datetime | None,
    output: Path | None,
    style: str,
) -> None:
    r"""Write raw rows of SOURCE to a file, or print them all.

    \b
    Example:
      shoplake lake export pos --from 2026-01-05 --output pos.parquet
    """
    from shoplake.lake import browse
    from shoplake.settings import load_settings

    settings = load_settings(home)
    if output is not None:
        count = browse.export_rows(settings, source, output.absolute(), first=_day(first), last=_day(last))
        print_rows([{"file": str(output), "rows": count}], style)
        return
    found = browse.show_rows(settings, source, first=_day(first), last=_day(last))
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    print_rows(rows, style, columns=found.columns, empty="No row of these days.")


def _day(moment: dt.datetime | None) -> dt.date | None:
    return moment.date() if moment else None
