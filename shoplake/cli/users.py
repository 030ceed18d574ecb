"""`shoplake users`: who may sign in, with which role and limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from shoplake.cli.audited import AuditedGroup
from shoplake.cli.output import format_option, print_json, print_rows
from shoplake.cli.publish import follow

if TYPE_CHECKING:
    from shoplake.settings import Settings

where_option = click.option(
    "--where",
    multiple=True,
    metavar="ATTRIBUTE=VALUE",
    help="Limit what the user sees, such as region=North; repeatable.",
)
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


@click.group(cls=AuditedGroup)
def users() -> None:
    """Say who may sign in, with which role and limits."""


@users.command()
@click.argument("name")
@click.option("--role", required=True, help="A role of the policy.")
@where_option
@password_option
@format_option
@click.pass_obj
def add(home: Path | None, name: str, role: str, where: tuple[str, ...], password_stdin: bool, style: str) -> None:
    r"""Make the user NAME. Without --password-stdin the password is asked for.

    \b
    Example:
      shoplake users add maria --role sales --where region=North --password-stdin < password.txt
    """
    from shoplake.access import administration
    from shoplake.settings import load_settings

    settings = load_settings(home)
    limits = administration.limits(settings, role, where)
    administration.add_user(settings, name, role, limits, _password(password_stdin))
    _say(style, f"{name} may sign in as {role}.", {"name": name, "role": role, "limits": limits})
    _release_files(settings, style)


@users.command("list")
@format_option
@click.pass_obj
def list_(home: Path | None, style: str) -> None:
    r"""List the users, disabled ones too.

    \b
    Example:
      shoplake users list
    """
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    with open_logins(load_settings(home)) as logins:
        found = logins.users.list()
    columns = ("name", "role", "limits", "second_factor", "created_at", "disabled_at")
    rows = [
        {
            "name": user.name,
            "role": user.role,
            "limits": {name: list(values) for name, values in user.attributes.items()},
            "second_factor": user.has_second_factor,
            "created_at": user.created_at.replace(microsecond=0),
            "disabled_at": user.disabled_at and user.disabled_at.replace(microsecond=0),
        }
        for user in found
    ]
    print_rows(rows, style, columns=columns, empty="There is no user yet.")


@users.command()
@click.argument("name")
@format_option
@click.pass_obj
def disable(home: Path | None, name: str, style: str) -> None:
    r"""Shut the user NAME out at once: sessions and tokens end.

    \b
    Example:
      shoplake users disable maria
    """
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with open_logins(settings) as logins:
        logins.users.set_disabled(name, is_disabled=True)
    _say(style, f"{name} is disabled.", {"name": name, "status": "disabled"})
    follow(settings, style)


@users.command()
@click.argument("name")
@format_option
@click.pass_obj
def enable(home: Path | None, name: str, style: str) -> None:
    r"""Let the user NAME sign in again; ended sessions and tokens stay ended.

    \b
    Example:
      shoplake users enable maria
    """
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    settings = load_settings(home)
    with open_logins(settings) as logins:
        logins.users.set_disabled(name, is_disabled=False)
    _say(style, f"{name} may sign in again.", {"name": name, "status": "enabled"})
    _release_files(settings, style)


@users.command()
@click.argument("name")
@click.argument("role")
@where_option
@format_option
@click.pass_obj
def role(home: Path | None, name: str, role: str, where: tuple[str, ...], style: str) -> None:
    r"""Give the user NAME another ROLE and these limits, instead of those they had. It counts at once.

    \b
    Example:
      shoplake users role maria sales --where region=North --where region=South
    """
    from shoplake.access import administration
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    settings = load_settings(home)
    limits = administration.limits(settings, role, where)
    with open_logins(settings) as logins:
        logins.users.set_role(name, role, limits)
    _say(style, f"{name} is now {role}.", {"name": name, "role": role, "limits": limits})
    _release_files(settings, style)


@users.command()
@click.argument("name")
@password_option
@format_option
@click.pass_obj
def password(home: Path | None, name: str, password_stdin: bool, style: str) -> None:
    r"""Give the user NAME another password; it ends their sessions.

    \b
    Example:
      shoplake users password maria --password-stdin < password.txt
    """
    from shoplake.access.login import hash_password, open_logins
    from shoplake.settings import load_settings

    with open_logins(load_settings(home)) as logins:
        logins.users.get(name)
        logins.users.set_password(name, hash_password(_password(password_stdin)))
    _say(style, f"{name} has a new password.", {"name": name, "status": "password changed"})


@users.command()
@click.argument("name")
@click.option("--off", is_flag=True, help="End the second factor instead.")
@format_option
@click.pass_obj
def totp(home: Path | None, name: str, off: bool, style: str) -> None:
    r"""Give the user NAME a second factor and print its secret, this once.

    \b
    Example:
      shoplake users totp maria
    """
    from shoplake.access.login import open_logins
    from shoplake.settings import load_settings

    with open_logins(load_settings(home)) as logins:
        if off:
            logins.users.set_totp(name, None)
            _say(style, f"{name} signs in by password alone.", {"name": name, "status": "off"})
            return
        secret, address = logins.second_factor().enroll(name)
    _say(
        style,
        f"Secret of {name} (shown this once): {secret}\nFor an authenticator: {address}",
        {"name": name, "secret": secret, "address": address},
    )


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return click.get_text_stream("stdin").readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _say(style: str, text: str, row: dict[str, object]) -> None:
    if style == "table":
        click.echo(text)
    else:
        print_json(row) if style == "json" else print_rows([row], style)


def _release_files(settings: Settings, style: str) -> None:
    """Make the files that the change calls for; where something else holds the home for long, its end makes them."""
    from shoplake.access.releasing import apply
    from shoplake.errors import LockedError

    try:
        apply(settings)
    except LockedError:
        click.echo("The home is busy; when it is not, `shoplake access apply` makes the user's files.", err=True)
    follow(settings, style)
