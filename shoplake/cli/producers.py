"""`shoplake producers`: who may send events over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoplake.cli.output import format_option, print_json, print_rows

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.producers import Producers

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
    from shoplake.audit.recording import changing
    from shoplake.errors import InputError
    from shoplake.lake.streaming import stream_contract
    from shoplake.settings import load_settings
    from shoplake.store.producers import READS_LIVE

    settings = load_settings(home)
    asked = {"producer": name, "sources": sorted(sources), "reads_live": reads_live or None, "rate_limit": rate_limit}
    with changing(settings, "producers add", **asked), _producers(settings) as known:
        if not sources and not reads_live:
            raise InputError("The key would be for nothing.", hint="Name a --source that it may send, or --reads-live.")
        for source in sources:
            stream_contract(settings, source)
        scopes = [*sources, *([READS_LIVE] if reads_live else [])]
        key = known.add(name, scopes, rate_limit=rate_limit)
    if style == "table":
        click.echo(f"Key of {name} (shown this once): {key}")
    else:
        row = {"name": name, "sources": sorted(set(scopes)), "rate_limit": rate_limit, "key": key}
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
    from shoplake.audit.recording import showing
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with showing(settings, "producers list") as entry, _producers(settings) as known:
        rows = [{name: getattr(p, name) for name in COLUMNS} for p in known.list()]
        entry.rows = len(rows)
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
    from shoplake.audit.recording import changing
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with changing(settings, "producers revoke", producer=name), _producers(settings) as known:
        known.revoke(name)
    if style == "table":
        click.echo(f"The key of {name} is revoked.")
    else:
        row = {"name": name, "status": "revoked"}
        print_json(row) if style == "json" else print_rows([row], style)


@contextmanager
def _producers(settings: Settings) -> Iterator[Producers]:
    from shoplake.home import require_home
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store
    from shoplake.store.producers import Producers

    require_home(settings)
    store = open_store(settings, Keyring.open(settings))
    try:
        yield Producers(store)
    finally:
        store.close()
