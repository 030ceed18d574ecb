"""`shoplake releases`: list, show, compare, prune."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.output import format_option, print_json, print_rows


@click.group()
def releases() -> None:
    """List, show, compare and prune releases."""


@releases.command("list")
@format_option
@click.pass_obj
def list_releases(home: Path | None, style: str) -> None:
    r"""List the kept releases, newest first.

    \b
    Example:
      shoplake releases list
    """
    from shoplake.audit.recording import showing
    from shoplake.pipeline import releases as kept
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with showing(settings, "releases list") as entry:
        served, found = kept.current(settings), list(kept.kept(settings))
        entry.rows = len(found)
    rows = [
        {
            "release": manifest.release_id,
            "is_current": served is not None and served.release_id == manifest.release_id,
            "created_at": manifest.created_at.replace(tzinfo=None, microsecond=0),
            "tests_passed": manifest.tests.passed,
            "partitions_written": sum(manifest.changed.values()),
            "restatements": len(manifest.restatements),
            "watermarks": {s: f"{m:%Y-%m-%d %H:%M}" for s, m in sorted(manifest.watermarks.items())},
        }
        for manifest in found
    ]
    print_rows(rows, style, empty="Nothing has been released yet.")


@releases.command()
@click.argument("release", required=False)
@format_option
@click.pass_obj
def show(home: Path | None, release: str | None, style: str) -> None:
    r"""Show the tables of a release (default: the current one).

    \b
    Example:
      shoplake releases show
    """
    from shoplake.audit.recording import showing
    from shoplake.pipeline.releases import required
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with showing(settings, "releases show", release=release) as entry:
        manifest = required(settings, release)
        entry.release, entry.rows = manifest.release_id, len(manifest.tables)
    rows = [
        {
            "table": f"{table.database}.{name}",
            "rows": table.rows,
            "partitions": len(table.partitions),
            "written": manifest.changed.get(name, 0),
            "columns": list(table.columns),
        }
        for name, table in manifest.tables.items()
    ]
    print_rows(rows, style, title=f"Release {manifest.release_id}")


@releases.command()
@click.argument("before")
@click.argument("after", required=False)
@format_option
@click.pass_obj
def diff(home: Path | None, before: str, after: str | None, style: str) -> None:
    r"""Say what differs between two releases (default for AFTER: the current one).

    \b
    Example:
      shoplake releases diff 20260105T081500Z-3f2a91
    """
    from shoplake.audit.recording import showing
    from shoplake.pipeline.diff import compare
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with showing(settings, "releases diff", before=before) as entry:
        result = compare(settings, before, after)
        entry.release, entry.rows = result.after, len(result.tables)
    if style == "json":
        print_json(result.as_dict())
        return
    print_rows(result.tables, style, title=f"{result.before} -> {result.after}", empty="The tables are the same.")
    if style == "table" and result.restatements:
        print_rows(result.restatements, style, title="Restated files")


@releases.command()
@click.option("--keep", type=click.IntRange(min=1), default=10, show_default=True, help="Releases to keep.")
@format_option
@click.pass_obj
def prune(home: Path | None, keep: int, style: str) -> None:
    r"""Forget old releases and remove the partitions that no kept release uses.

    \b
    Example:
      shoplake releases prune --keep 5
    """
    from shoplake.home import TURN_SECONDS, home_lock
    from shoplake.pipeline import releases as kept
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with home_lock(settings, wait_seconds=TURN_SECONDS):
        removed, files = kept.prune(settings, keep=keep)
    if style == "json":
        print_json({"removed": removed, "files_removed": files})
    else:
        print_rows([{"release": r} for r in removed], style, title="Removed", empty="No release was old enough.")
