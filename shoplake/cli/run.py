"""`shoplake run`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows


@click.command()
@click.option("--full-audit", is_flag=True, help="Test every partition, not only those touched.")
@click.option("--rebuild", is_flag=True, help="Make every partition anew from the lake.")
@format_option
@click.pass_obj
def run(home: Path | None, full_audit: bool, rebuild: bool, style: str) -> None:
    r"""Land what is new in the landing folders, build, audit and publish a release.

    A failing audit publishes nothing, leaves the last release and ends with exit code 1.

    \b
    Example:
      shoplake run --format json
    """
    from shoplake.access.releasing import apply
    from shoplake.cli.publish import tell_publication
    from shoplake.pipeline.run import run as run_pipeline
    from shoplake.publication.postgres import publish_after_release
    from shoplake.settings import load_settings

    def announce(name: str) -> None:
        if style == "table" and sys.stderr.isatty():
            click.echo(f"… {name}", err=True)

    settings = load_settings(home)
    report = run_pipeline(settings, full_audit=full_audit, rebuild=rebuild, on_step=announce)
    apply(settings)
    result = report.as_dict()
    publication = publish_after_release(settings)
    if publication is not None:
        result["publication"] = publication
    if style == "json":
        print_json(result)
        tell_publication(publication, style)
        return
    print_rows(result["steps"], style, columns=["name", "seconds", "rows"])
    if style == "table":
        marks = ", ".join(f"{source} {mark}" for source, mark in result["watermarks"].items())
        click.echo(f"Tests: {report.tests.passed} passed, {report.tests.failed} failed. Data up to: {marks or '-'}")
        word = "Published release" if report.published else "Nothing new; serving release"
        click.echo(f"{word} {report.release}." if report.release else "Nothing has landed yet: there is no release.")
    tell_publication(publication, style)
