"""`shoplake keys`: status and rotation."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows


@click.group()
def keys() -> None:
    """Show and rotate the encryption keys."""


@keys.command()
@format_option
@click.pass_obj
def status(home: Path | None, style: str) -> None:
    r"""List the data keys, their versions and how many files are under each.

    \b
    Example:
      shoplake keys status
    """
    from shoplake.pipeline.rotation import key_status
    from shoplake.settings import load_settings

    print_rows(key_status(load_settings(home)), style)


@keys.command()
@format_option
@click.pass_obj
def rotate(home: Path | None, style: str) -> None:
    r"""Wrap all keys anew, make new data keys, and encrypt every file again under them.

    Readers go on meanwhile. If it is cut off, call it again: it goes on where it stopped.

    \b
    Example:
      shoplake keys rotate
    """
    from shoplake.pipeline.rotation import rotate as rotate_keys
    from shoplake.settings import load_settings

    report = rotate_keys(load_settings(home))
    if style == "json":
        print_json(report)
    else:
        print_rows([report], style)
