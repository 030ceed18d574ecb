"""`shoplake status`."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows


@click.command()
@format_option
@click.pass_obj
def status(home: Path | None, style: str) -> None:
    r"""Show what has landed, how fresh it is and what needs a person.

    \b
    Example:
      shoplake status
    """
    from shoplake.monitoring.status import status as describe
    from shoplake.settings import load_settings

    found = describe(load_settings(home))
    if style == "json":
        print_json(found)
        return
    print_rows(found["sources"], style)
    if style == "table":
        print_rows(found["restatements"], style, title="Restatements", empty="No restatement.")
        print_rows(found["waiting"], style, title="Files that wait for a person", empty="No file waits for a person.")
        click.echo(f"Release: {found['release'] or 'none yet'}")
        if publication := found["publication"]:
            failed = f"; failed at {publication['at']}: {publication['error']}" if publication["error"] else ""
            click.echo(f"In {publication['target'] or 'the database'}: {publication['release'] or 'none'}{failed}")
