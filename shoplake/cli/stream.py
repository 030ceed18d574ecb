"""`shoplake stream`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoplake.cli.output import format_option, print_json, print_rows
from shoplake.cli.stopping import stops_on_signals

if TYPE_CHECKING:
    from shoplake.errors import ShoplakeError
    from shoplake.pipeline.report import RunReport
    from shoplake.settings import Settings

COLUMNS = ("release", "name", "seconds", "rows")


@click.command()
@click.option(
    "--every",
    type=click.FloatRange(min=0, min_open=True),
    default=20,
    show_default=True,
    help="Seconds from the beginning of a round to that of the next.",
)
@click.option("--once", is_flag=True, help="Make one round and end.")
@format_option
@click.pass_obj
def stream(home: Path | None, every: float, once: bool, style: str) -> None:
    r"""Publish what streams bring, round after round, until stopped by Ctrl-C or SIGTERM.

    A round lands what the collector took, takes what `shoplake consume` landed, and makes, audits and publishes the
    tables of stream sources; all others stay as the last release has them. With nothing new it publishes nothing.
    A round whose audit fails publishes nothing, says why, and is tried again with the next. `shoplake run` may be
    called meanwhile: the two take turns.

    \b
    Example:
      shoplake stream --every 20
    """
    from shoplake.audit.recording import changing
    from shoplake.cli.publish import tell_publication
    from shoplake.pipeline.stream import Stream
    from shoplake.pipeline.stream import stream as run_stream
    from shoplake.publication.postgres import publish_after_release
    from shoplake.settings import load_settings

    is_stopping, settings = stops_on_signals(), load_settings(home)

    def tell(report: RunReport) -> None:
        _release_files(settings)
        if report.published or once:
            _print_round(report, style)
            tell_publication(publish_after_release(settings), style)

    with changing(settings, "stream", once=once or None):
        if not once:
            run_stream(settings, every_seconds=every, is_stopping=is_stopping, on_round=tell, on_failure=_say)
        elif (report := Stream(settings, is_stopping=is_stopping).round()) is not None:
            tell(report)


def _print_round(report: RunReport, style: str) -> None:
    result = report.as_dict()
    if style == "json":
        print_json(result)
    elif style == "csv":
        print_rows([{"release": report.release, **step} for step in result["steps"]], style, columns=COLUMNS)
    elif report.published:
        models = {step.name for step in report.steps if step.name.startswith("build ")} - {"build and audit"}
        seconds = sum(step.seconds for step in report.steps if step.name not in models)
        landed = sum(file.rows_landed for file in report.files)
        click.echo(
            f"Published release {report.release}: {landed:,} events landed, {report.tests.passed} tests passed, "
            f"{seconds:.1f} s."
        )
    else:
        click.echo(f"Nothing new; serving release {report.release}." if report.release else "Nothing has landed yet.")


def _release_files(settings: Settings) -> None:
    """Make files that users of a new kind need, as a run does at its end; with none missing it is a look."""
    from shoplake.access.releasing import apply
    from shoplake.errors import ShoplakeError

    try:
        apply(settings, wait_seconds=0)
    except ShoplakeError as error:  # the release stands; the next round tries again
        click.echo(f"Files for users are not made yet: {error.message}", err=True)


def _say(error: ShoplakeError) -> None:
    click.echo(f"This round published nothing: {error.message}", err=True)
    if error.hint:
        click.echo(f"Hint: {error.hint}", err=True)
