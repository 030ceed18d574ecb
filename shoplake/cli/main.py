"""The `shoplake` command: finds the asked-for command without importing the others."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import click

from shoplake import __version__
from shoplake.errors import ShoplakeError

COMMANDS = {
    "init": "home:init",
    "demo": "demo:demo",
    "land": "land:land",
    "consume": "consume:consume",
    "run": "run:run",
    "stream": "stream:stream",
    "serve": "serve:serve",
    "kpis": "kpi:kpis",
    "kpi": "kpi:kpi",
    "sql": "sql:sql",
    "status": "status:status",
    "lake": "lake:lake",
    "quarantine": "quarantine:quarantine",
    "producers": "producers:producers",
    "collect": "collect:collect",
    "drain": "collect:drain",
    "releases": "releases:releases",
    "publish": "publish:publish",
    "audit": "audit:audit",
    "users": "users:users",
    "tokens": "tokens:tokens",
    "access": "access:access",
    "keys": "keys:keys",
}
HELP = {
    "init": "Make a home: folders, keys, operational store.",
    "demo": "Simulate a retail chain and take it all the way to its KPIs.",
    "land": "Land files of a source in the lake.",
    "consume": "Land what comes in Kafka topics, each message once.",
    "run": "Land what is new, build, audit and publish a release.",
    "stream": "Publish what streams bring, every few seconds.",
    "serve": "Serve KPIs and SQL by HTTPS, and take events.",
    "kpis": "Show the KPIs of every team.",
    "kpi": "Answer one KPI, by any of its dimensions.",
    "sql": "Ask the current release in SQL (read-only).",
    "status": "Show what has landed, how fresh it is and what needs a person.",
    "lake": "List, show and export raw rows with where they came from.",
    "quarantine": "List, show and replay rows that broke a rule.",
    "producers": "Say who may send events over HTTP.",
    "collect": "Take events over HTTPS into the lake.",
    "drain": "Land what the collector took and has not landed yet.",
    "releases": "List, show, compare and prune releases.",
    "publish": "Write the served release into a database for BI tools.",
    "audit": "See who was shown or changed what, and check that nothing of it is gone.",
    "users": "Say who may sign in, with which role and limits.",
    "tokens": "Make and end personal access tokens.",
    "access": "Explain, check and apply who may see and do what.",
    "keys": "Show and rotate the encryption keys.",
}


def keep_examples(command: click.Command) -> None:
    r"""Turn the ``\b`` of raw docstrings into the sign by which click leaves a paragraph's lines as they are."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        keep_examples(one)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Name the commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(f"shoplake.cli.{module}"), attribute)
        keep_examples(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table above, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of this lakehouse (default: $SHOPLAKE_HOME, then ./.shoplake).",
)
@click.version_option(__version__, prog_name="shoplake")
@click.pass_context
def shoplake(ctx: click.Context, home: Path | None) -> None:
    r"""Run a governed retail lakehouse: files in, audited KPIs out.

    \b
    Example:
      shoplake init
      shoplake land pos tills/*.csv
      shoplake run
      shoplake kpi total_sales --by region
    """
    ctx.obj = home


keep_examples(shoplake)


def main() -> None:
    """Run the command line; a user's mistake ends with a message and a hint, not with a stack trace."""
    try:
        shoplake.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except ShoplakeError as error:
        if _wants_json(sys.argv):
            click.echo(json.dumps(error.as_dict()), err=True)
        else:
            click.echo(f"Error: {error.message}", err=True)
            if error.hint:
                click.echo(f"Hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        from shoplake.lake.disk import FAILURES

        if error.errno not in FAILURES:
            raise
        click.echo(f"Error: The disk is full or fails: {error.strerror}.\nHint: Mend it, then call again.", err=True)
        sys.exit(2)


def _wants_json(arguments: list[str]) -> bool:
    return "--format=json" in arguments or any(
        pair == ("--format", "json") for pair in zip(arguments, arguments[1:], strict=False)
    )
