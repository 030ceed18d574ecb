"""`shoplake publish`: the served release into a database for BI tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shoplake.cli.output import format_option, print_json, print_rows

if TYPE_CHECKING:
    from shoplake.settings import Settings


@click.group()
def publish() -> None:
    """Write the served release into a database for BI tools."""


@publish.command()
@click.option("--url", default="", help="The database, without a password (default: the setting publish_postgres_url).")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option("--all", "everything", is_flag=True, help="Load every row again, whatever the database says it holds.")
@format_option
@click.pass_obj
def postgres(home: Path | None, url: str, password_stdin: bool, everything: bool, style: str) -> None:
    r"""Bring a PostgreSQL database to the served release, and to the present policy and users, in one transaction.

    It gets a schema for each team, a role without login for each role of the policy, grants on tables and columns,
    row-level security and comments. Logins that have the name of a user become members of the user's role; passwords
    are the server's. Only parts of tables that have changed are loaded.

    \b
    Example:
      shoplake publish postgres --url "postgresql://publisher@db.example/shop?sslrootcert=ca.pem" --password-stdin < pw
    """
    from shoplake.publication.postgres import publish as publish_release
    from shoplake.settings import load_settings

    password = click.get_text_stream("stdin").readline().rstrip("\r\n") if password_stdin else ""
    report = publish_release(load_settings(home), url, password=password, everything=everything).as_dict()
    if style == "json":
        print_json(report)
        return
    print_rows([_counted(report)] if style == "table" else [report], style)
    if style == "table" and report["without_login"]:
        click.echo(f"Users without a login on the server: {', '.join(report['without_login'])}.")


def follow(settings: Settings, style: str) -> None:
    """Bring the database, where one is set, to a change of users or policy."""
    from shoplake.publication.postgres import publish_after_release

    tell_publication(publish_after_release(settings), style)


def tell_publication(result: dict[str, Any] | None, style: str) -> None:
    """Say what became of the publication that follows a release, beside what the command prints."""
    if result is None:
        return
    if error := result.get("error"):
        click.echo(f"The database for BI tools is behind: {error['message']}", err=True)
        click.echo(f"Hint: {error['hint']}", err=True)
    elif style == "table":
        click.echo(f"Published to {result['target']}: {result['rows']:,} rows, {len(result['loaded'])} tables loaded.")


def _counted(report: dict[str, Any]) -> dict[str, Any]:
    return {name: len(value) if isinstance(value, list | dict) else value for name, value in report.items()}
