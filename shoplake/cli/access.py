"""`shoplake access`: who may see and do what, and by which line of the policy."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from shoplake.cli.audited import AuditedGroup
from shoplake.cli.output import format_option, print_json, print_rows
from shoplake.cli.publish import follow


@click.group(cls=AuditedGroup)
def access() -> None:
    """Explain, check and apply who may see and do what."""


@access.command()
@click.argument("user")
@click.argument("what", required=False)
@format_option
@click.pass_obj
def explain(home: Path | None, user: str, what: str | None, style: str) -> None:
    r"""Say what USER may see and do, or whether they may WHAT: a table, a column (table.column), a command.

    Every answer names the line of the policy that it comes from.

    \b
    Example:
      shoplake access explain maria
      shoplake access explain maria warehouse.dim_product.unit_cost_amount
      shoplake access explain maria sql
    """
    from shoplake.access.administration import explained
    from shoplake.settings import load_settings

    rows = explained(load_settings(home), user, what)
    if style == "json" and what:
        print_json(rows[0])
    else:
        print_rows(rows, style, title=f"What {user} may see and do")


@access.command()
@format_option
@click.pass_obj
def check(home: Path | None, style: str) -> None:
    r"""Read the policy over; names that stand for nothing, and tables that nobody may see, end with exit code 1.

    \b
    Example:
      shoplake access check
    """
    from shoplake.access.administration import checked
    from shoplake.settings import load_settings

    file, found = checked(load_settings(home))
    if style == "table":
        click.echo("\n".join(found) if found else f"{file} says nothing that does not exist, and forgets no table.")
    else:
        rows = [{"problem": problem} for problem in found]
        print_json(rows) if style == "json" else print_rows(rows, style, columns=["problem"])
    if found:
        sys.exit(1)


@access.command("apply")
@format_option
@click.pass_obj
def apply_(home: Path | None, style: str) -> None:
    r"""Make the files that the policy and the users call for in the current release; `run` does it too.

    \b
    Example:
      shoplake access apply
    """
    from shoplake.access.releasing import apply
    from shoplake.home import require_home
    from shoplake.settings import load_settings

    settings = load_settings(home)
    require_home(settings)
    made, dropped = apply(settings)
    row = {"views_made": made, "views_dropped": dropped}
    print_json(row) if style == "json" else print_rows([row], style)
    follow(settings, style)
