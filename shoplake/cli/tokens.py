"""`shoplake tokens`: personal access tokens."""

from __future__ import annotations

from pathlib import Path

import click

from shoplake.cli.audited import AuditedGroup
from shoplake.cli.output import format_option, print_json, print_rows

COLUMNS = ("token", "user", "scopes", "created_at", "expires_at", "revoked_at")


@click.group(cls=AuditedGroup)
def tokens() -> None:
    """Make and end personal access tokens."""


@tokens.command()
@click.argument("user")
@click.option(
    "--scope", "scopes", multiple=True, help="A console it is good for [default: all of the role's]; repeatable."
)
@click.option("--days", type=click.IntRange(min=1), help="Days until it expires [default: the setting token_days].")
@format_option
@click.pass_obj
def add(home: Path | None, user: str, scopes: tuple[str, ...], days: int | None, style: str) -> None:
    r"""Make a token for USER and print it, this once; only a hash of it is kept.

    \b
    Example:
      shoplake tokens add maria --scope sql --days 30
    """
    from shoplake.access.administration import add_token
    from shoplake.settings import load_settings

    token, made = add_token(load_settings(home), user, scopes, days)
    if style == "table":
        click.echo(f"Token of {user} (shown this once): {token}")
    else:
        row = {
            "token": made.token_id,
            "user": user,
            "scopes": list(made.scopes) if made.scopes is not None else None,
            "expires_at": made.expires_at.replace(microsecond=0),
            "secret": token,
        }
        print_json(row) if style == "json" else print_rows([row], style)


@tokens.command("list")
@click.argument("user", required=False)
@format_option
@click.pass_obj
def list_(home: Path | None, user: str | None, style: str) -> None:
    r"""List the tokens of USER, or of everybody; revoked ones too.

    \b
    Example:
      shoplake tokens list maria
    """
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    with open_logins(load_settings(home)) as logins:
        found = logins.sign_ins.tokens(user)
    rows = [
        {
            "token": token.token_id,
            "user": token.user_name,
            "scopes": list(token.scopes) if token.scopes is not None else None,
            "created_at": token.created_at.replace(microsecond=0),
            "expires_at": token.expires_at.replace(microsecond=0),
            "revoked_at": token.revoked_at and token.revoked_at.replace(microsecond=0),
        }
        for token in found
    ]
    print_rows(rows, style, columns=COLUMNS, empty="There is no token yet.")


@tokens.command()
@click.argument("token")
@format_option
@click.pass_obj
def revoke(home: Path | None, token: str, style: str) -> None:
    r"""End the TOKEN of that id at once.

    \b
    Example:
      shoplake tokens revoke 3f2a91c04b7d
    """
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    with open_logins(load_settings(home)) as logins:
        logins.sign_ins.revoke_token(token)
    if style == "table":
        click.echo(f"The token {token} is revoked.")
    else:
        row = {"token": token, "status": "revoked"}
        print_json(row) if style == "json" else print_rows([row], style)
