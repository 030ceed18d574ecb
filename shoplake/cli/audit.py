"""`shoplake audit`: tail, search, export, verify."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from shoplake.audit.kinds import KINDS
from shoplake.cli.output import format_option, print_json, print_rows
from shoplake.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])
DAY = click.DateTime(["%Y-%m-%d"])
SHOWN = (
    "at",
    "actor",
    "role",
    "action",
    "outcome",
    "source",
    "tables",
    "release",
    "rows",
    "result_bytes",
    "ms",
    "what",
)
SHOWN_ROWS = 20


@click.group()
def audit() -> None:
    """See who was shown what and who changed what, and check that nothing of it is gone."""


def _narrowing(command: F) -> F:
    """Add the options by which records are looked for."""
    for option in reversed(
        (
            click.option("--user", help="Who acted, such as os:ada or ada."),
            click.option("--table", help="What was read, such as sales.mart_sales__store_day."),
            click.option("--person", help="A person's pseudonym that was asked for or shown."),
            click.option("--release", help="The release that was asked or published."),
            click.option("--source", help="The source that landed or was shown."),
            click.option("--role", help="The role of whoever acted."),
            click.option("--kpi", help="The KPI that was asked for or exported."),
            click.option("--kind", type=click.Choice(KINDS), help="The kind of act."),
            click.option("--outcome", type=click.Choice(["ok", "failed", "begun"]), help="What came of it."),
            click.option("--action", help="The command, or the step of one."),
            click.option("--text", help="A text anywhere in the record, such as a part of the SQL."),
            click.option("--from", "first", type=DAY, help="First UTC day."),
            click.option("--to", "last", type=DAY, help="Last UTC day."),
        )
    ):
        command = option(command)
    return command


@audit.command()
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN_ROWS, show_default=True, help="Newest records.")
@format_option
@click.pass_obj
def tail(home: Path | None, limit: int, style: str) -> None:
    r"""Show the newest records.

    \b
    Example:
      shoplake audit tail --limit 50
    """
    _print(_found(home, "audit tail", {}, limit), style)


@audit.command()
@_narrowing
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest of them.")
@format_option
@click.pass_obj
def search(home: Path | None, /, limit: int | None, style: str, **narrowing: Any) -> None:  # noqa: ANN401
    r"""Find what was ever shown or changed, by table, person, user, release or text.

    A record that showed too many persons to name them is found for every person.

    \b
    Example:
      shoplake audit search --table marketing.mart_marketing__sessions --from 2026-01-01
    """
    _print(_found(home, "audit search", narrowing, limit), style)


@audit.command()
@_narrowing
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write (.jsonl or .csv)."
)
@format_option
@click.pass_obj
def export(home: Path | None, /, output: Path, style: str, **narrowing: Any) -> None:  # noqa: ANN401
    r"""Write records to a file, in clear: it leaves the log.

    \b
    Example:
      shoplake audit export --from 2026-01-01 --output audit.jsonl
    """
    from shoplake.audit.export import write_rows
    from shoplake.home import require_home
    from shoplake.settings import load_settings

    require_home(load_settings(home))
    if output.exists() or output.suffix not in {".jsonl", ".csv"}:
        raise InputError(f"{output} cannot be written.", hint="Name a new file that ends in .jsonl or .csv.")
    rows = _found(home, "audit export", narrowing | {"output": str(output)}, None)
    write_rows(output, rows)
    print_rows([{"file": str(output), "rows": len(rows)}], style)


@audit.command()
@click.option("--log", "folder", type=click.Path(path_type=Path, exists=True), help="A copy of a log; needs no home.")
@click.option("--heads", help="Where signed heads are kept apart (default: the setting audit_heads).")
@click.option("--public-key", help="Public key that must have signed: a PEM file, or hex (default: the home's own).")
@format_option
@click.pass_obj
def verify(home: Path | None, folder: Path | None, heads: str | None, public_key: str | None, style: str) -> None:
    r"""Check that no record was changed, removed, added or put elsewhere; ends with exit code 1 if one was.

    \b
    Example:
      shoplake audit verify
      shoplake audit verify --log copy/audit --heads /srv/heads --public-key public.pem
    """
    from shoplake.audit.checking import checked
    from shoplake.audit.reading import check_copy, summary
    from shoplake.settings import load_settings

    if folder is not None:
        if not public_key:
            raise InputError("A copy is checked against a public key.", hint="Give --public-key.")
        report = check_copy(folder, heads or "", public_key)
    else:
        settings = load_settings(home)
        if heads:
            settings = settings.model_copy(update={"audit_heads": heads})
        report = checked(settings, public_key)
    found = summary(report)
    if style == "json":
        print_json(found)
    else:
        _print_check(found, style)
    if not report.is_whole:
        sys.exit(1)


def _print_check(found: Mapping[str, Any], style: str) -> None:
    print_rows(found["findings"], style, columns=("what", "chain", "segment", "sequence", "offset"), empty="Whole.")
    if style == "table":
        for note in found["notes"]:
            click.echo(f"Note: {note}.")
        click.echo(f"{found['records']:,} records in {found['chains']} chain(s), {found['heads']} signed heads.")
        click.echo(f"Public key: {found['public_key'] or '-'}")


def _found(home: Path | None, action: str, narrowing: dict[str, Any], limit: int | None) -> list[dict[str, Any]]:
    from shoplake.audit.reading import Wanted, as_row, find
    from shoplake.audit.recording import showing
    from shoplake.settings import load_settings

    settings = load_settings(home)
    wanted: dict[str, Any] = {
        k: v.date() if isinstance(v, dt.datetime) else v for k, v in narrowing.items() if k != "output"
    }
    asked = {("asked_" + k): str(v) for k, v in narrowing.items() if v}
    with showing(settings, action, **asked) as entry:
        found = find(settings, Wanted(**wanted), newest=limit)
        entry.show(found)
    return [as_row(each) for each in found]


def _print(rows: list[dict[str, Any]], style: str) -> None:
    if style == "table":
        for row in rows:
            row["at"] = row["at"].replace(tzinfo=None, microsecond=0)
            row["what"] = row["error"] or next((str(v) for v in (row["detail"] or {}).values()), "")
    print_rows(rows, style, columns=SHOWN if style == "table" else None, empty="No record.")
