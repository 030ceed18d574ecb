"""`shoplake demo`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoplake.errors import InputError

if TYPE_CHECKING:
    from shoplake.settings import Settings

REFERENCE_FIRST = ("stores", "products", "warehouses", "pos", "inventory", "web_events", "interactions")


@click.command()
@click.option("--scale", type=float, default=1.0, show_default=True, help="Times the rows of the default world.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed makes another world.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the simulated files go [default: beside the home, its name with -files].",
)
@click.option(
    "--serve/--no-serve", "is_serving", default=None, help="Serve the portal in the end [default: on a terminal]."
)
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="Port of the portal.")
@click.pass_context
def demo(ctx: click.Context, scale: float, seed: int, files: Path | None, is_serving: bool | None, port: int) -> None:
    r"""Simulate a retail chain, land its files, build and audit a release, show every team's KPIs, serve the portal.

    A second call with the same seed and scale finds the same files and changes nothing, but for the password of the
    demo's users.

    \b
    Example:
      shoplake --home .demo demo --scale 0.1
    """
    from shoplake.cli.demo_people import make_people
    from shoplake.pipeline.init import init_home
    from shoplake.pipeline.run import run
    from shoplake.settings import load_settings

    settings = load_settings(ctx.obj)
    folder = files or settings.home.with_name(f"{settings.home.name}-files")
    started = time.perf_counter()
    with _step(f"Simulate a retail chain in {_short(folder)}"):
        _simulate(folder, scale, seed)
    init_home(settings)
    settings = _keeping_words(settings)
    people, password = make_people(settings)
    for source in REFERENCE_FIRST:
        with _step(f"Land {source}") as told:
            told.append(_land(settings, source, folder / source))
    with _step("Build, audit and publish a release") as told:
        report = run(settings)
        told.append(f"release {report.release}, {report.tests.passed} tests passed")
    from shoplake.cli.kpi import kpis

    ctx.invoke(kpis, from_=None, to=None, team=None, release=None, user=None, style="table")
    click.echo(f"From nothing to every KPI in {time.perf_counter() - started:.0f} s.\n")
    _say_what_next(settings, folder)
    click.echo(f"\nSign in to the portal as {', '.join(people)}\nwith the password {password}")
    if sys.stdout.isatty() if is_serving is None else is_serving:
        _serve(settings, port)


def _serve(settings: Settings, port: int) -> None:
    from shoplake.portal.serve import serve

    def say(url: str) -> None:
        ca = _short(settings.home) / "tls" / "ca.pem"
        click.echo(f"\nThe portal is at {url} until Ctrl-C. Its certificate is signed by {ca}.")

    serve(settings, host="127.0.0.1", port=port, on_ready=say)


def _simulate(folder: Path, scale: float, seed: int) -> None:
    from dataclasses import replace

    from shoplake.simulator import World, write_world

    try:
        world = replace(World(), seed=seed).scaled(scale)
    except ValueError as error:
        raise InputError(str(error).capitalize() + ".", hint="Give --scale 0.1, 1 or 10.") from error
    write_world(world, folder)


def _keeping_words(settings: Settings) -> Settings:
    """Let the demo's Support read messages: the simulated world lies in the past, where they would be too old."""
    from shoplake.settings import load_settings

    file = settings.home / "settings.toml"
    if not file.exists():
        file.write_text("# The simulated world lies in the past.\nmessage_text_days = 3650\n", encoding="utf-8")
    return load_settings(settings.home)


def _land(settings: Settings, source: str, folder: Path) -> str:
    from shoplake.lake.landing import land

    found = land(settings, source, [folder])
    read, landed = sum(f.rows_read for f in found), sum(f.rows_landed for f in found)
    held, twice = sum(f.rows_quarantined for f in found), sum(f.rows_duplicate for f in found)
    return f"{len(found):,} files, {read:,} rows: {landed:,} landed, {held:,} in quarantine, {twice:,} duplicates"


@contextmanager
def _step(name: str) -> Iterator[list[str]]:
    started, told = time.perf_counter(), list[str]()
    yield told
    click.echo(f"{name:<52} {time.perf_counter() - started:5.1f} s  {' '.join(told)}".rstrip())


def _say_what_next(settings: Settings, folder: Path) -> None:
    home, files = _short(settings.home), _short(folder)
    click.echo("Next:")
    for command, why in (
        ("kpi total_sales --by region --by category", "one KPI by its dimensions"),
        ("kpi bounce_rate --definition ga4", "the same question by another definition"),
        ('sql "SELECT * FROM operations.mart_operations__stockouts LIMIT 5"', "ask the release in SQL"),
        ("quarantine list pos", "rows that broke a rule, and why"),
        (f"land pos {files}/later/pos", "a day comes again with other content; then `run` and `releases diff`"),
        ("status", "freshness, quarantine, restatements"),
        ("serve", "the portal and the API, by HTTPS"),
    ):
        click.echo(f"  .venv/bin/shoplake --home {home} {command}\n      {why}")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
