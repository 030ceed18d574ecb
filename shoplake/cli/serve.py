"""`shoplake serve`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 for a free one.")
@click.option("--no-collect", is_flag=True, help="Take no events at this address.")
@click.option("--no-stream", is_flag=True, help="Do not publish what streams bring; `shoplake stream` may do it.")
@click.pass_obj
def serve(home: Path | None, host: str, port: int, no_collect: bool, no_stream: bool) -> None:
    r"""Serve KPIs and SQL by HTTPS, each person within their rights; take events, and publish what they bring.

    Runs until it is stopped. Clients trust the file tls/ca.pem of the home.

    \b
    Example:
      shoplake serve --port 8443
    """
    from shoplake.home import require_home
    from shoplake.settings import load_settings

    settings = load_settings(home)
    require_home(settings)
    from shoplake.portal.serve import serve as run_service

    run_service(
        settings,
        host=host,
        port=port,
        on_ready=lambda url: click.echo(f"Serving on {url}"),
        with_collector=not no_collect,
        with_stream=not no_stream,
    )
