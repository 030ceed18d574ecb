"""`shoplake producers`: who may send events over HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows

COLUMNS = ("name", "key_id", "sources", "rate_limit", "created_at", "revoked_at")


@click.group()
def producers() -> None:
    """Say who may send events over HTTP."""


@producers.command()
@click.argument("name")
@click.option("--source", "sources", multiple=True, help="A stream source that it may send; repeatable.")
@click.option("--reads-live", is_flag=True, help="May read the live window of the collector (GET /v1/live).")
@click.option("--rate-limit", type=click.IntRange(min=1), help="Most events a second (default: no limit).")
@format_option
@click.pass_obj
def add(
    home: Path | None, name: str, sources: tuple[str, ...], reads_live: bool, rate_limit: int | None, style: str
) -> None:
    r"""Make a producer NAME and print its key, this once; only a hash of it is kept.

    \b
    Example:
      shoplake producers add shop-web --source web_events --rate-limit 5000
      shoplake producers add wall-screen --reads-live
    """
    from shoplake.access.producer_keys import add_producer
    from shoplake.settings import load_settings

    settings = load_settings(home)
    key, scopes = add_producer(settings, name, sources, reads_live=reads_live, rate_limit=rate_limit)
    if style == "table":
        click.echo(f"Key of {name} (shown this once): {key}")
    else:
        row = {"name": name, "sources": scopes, "rate_limit": rate_limit, "key": key}
        print_json(row) if style == "json" else print_rows([row], style)


@producers.command("list")
@format_option
@click.pass_obj
def list_(home: Path | None, style: str) -> None:
    r"""List the producers, revoked ones too.

    \b
    Example:
      shoplake producers list
    """
    from shoplake.access.producer_keys import list_producers
    from shoplake.settings import load_settings

    rows = [{name: getattr(p, name) for name in COLUMNS} for p in list_producers(load_settings(home))]
    print_rows(rows, style, columns=COLUMNS, empty="There is no producer yet.")


@producers.command()
@click.argument("name")
@format_option
@click.pass_obj
def revoke(home: Path | None, name: str, style: str) -> None:
    r"""End the key of producer NAME; a running collector refuses it within seconds.

    \b
    Example:
      shoplake producers revoke shop-web
    """
    from shoplake.access.producer_keys import revoke_producer
    from shoplake.settings import load_settings

    revoke_producer(load_settings(home), name)
    if style == "table":
        click.echo(f"The key of {name} is revoked.")
    else:
        row = {"name": name, "status": "revoked"}
        print_json(row) if style == "json" else print_rows([row], style)
