"""`shoplake collect` and `shoplake drain`: events over HTTP, and from the spool into the lake."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows

COLUMNS = ("source", "file", "rows_read", "rows_landed", "rows_quarantined", "rows_duplicate", "warnings", "reasons")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 for a free one.")
@click.option(
    "--drain-seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds between two drains into the lake (default: the setting collector_drain_seconds).",
)
@click.option("--no-tls", is_flag=True, help="Speak plain HTTP, on the loopback only.")
@click.option("--behind-proxy", is_flag=True, help="With --no-tls: on any address, for a proxy before it encrypts.")
@click.pass_obj
def collect(
    home: Path | None, host: str, port: int, drain_seconds: float | None, no_tls: bool, behind_proxy: bool
) -> None:
    r"""Take events of stream sources over HTTPS; an answer of 200 means that they are on disk, encrypted.

    Runs until it is stopped, and drains what it took into the lake meanwhile.

    \b
    Example:
      shoplake producers add shop-web --source web_events
      shoplake collect --port 8400
    """
    from shoplake.home import require_home
    from shoplake.settings import load_settings

    settings = load_settings(home)
    require_home(settings)
    if drain_seconds is not None:
        settings = settings.model_copy(update={"collector_drain_seconds": drain_seconds})
    if no_tls:
        settings = settings.model_copy(update={"collector_tls": False})
    from shoplake.collector.serve import collect as run_collector

    run_collector(
        settings,
        host=host,
        port=port,
        on_ready=lambda url: click.echo(f"Collecting on {url}"),
        behind_proxy=behind_proxy,
    )


@click.command()
@format_option
@click.pass_obj
def drain(home: Path | None, style: str) -> None:
    r"""Land now what the collector took and has not landed yet.

    \b
    Example:
      shoplake drain
    """
    from shoplake.home import require_home
    from shoplake.settings import load_settings

    settings = load_settings(home)
    require_home(settings)
    from shoplake.collector.drain import drain as run_drain

    files = run_drain(settings)
    rows = [{"source": file.source, **file.as_dict()} for file in files]
    if style == "json":
        print_json([{name: row[name] for name in COLUMNS} for row in rows])
    else:
        print_rows(rows, style, columns=COLUMNS, empty="Nothing waits.")
