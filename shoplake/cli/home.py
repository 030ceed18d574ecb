"""`shoplake init`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.pass_obj
def init(home: Path | None) -> None:
    r"""Make a home: folders, keys and the operational store. A second call changes nothing.

    \b
    Example:
      SHOPLAKE_HOME=/srv/lake shoplake init
    """
    from shoplake.home import HomePaths
    from shoplake.pipeline.init import init_home
    from shoplake.settings import load_settings

    settings = load_settings(home)
    init_home(settings)
    paths = HomePaths(settings.home)
    click.echo(f"Home: {settings.home}")
    click.echo(f"Keys: {paths.keys} (back this folder up apart from the rest: without it nothing can be read)")
    click.echo(f"Drop files into {paths.landing}/<source>/ and call `shoplake run`.")
