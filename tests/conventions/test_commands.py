"""Every command explains itself with an example, prints in three formats, and costs nothing to list."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from shoplake.cli.main import COMMANDS, HELP, shoplake

PRINTS_NO_DATA = {"init", "demo", "collect", "serve"}
HEAVY = ("duckdb", "dbt", "sqlalchemy", "pyarrow", "pydantic", "numpy", "cryptography")
PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def leaves() -> Iterator[tuple[str, click.Command]]:
    """Give every command and subcommand with its whole name."""
    context = click.Context(shoplake)
    for name in COMMANDS:
        command = shoplake.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", sub) for inner, sub in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(leaves()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_command_has_help_with_an_example_that_names_it(name: str, command: click.Command) -> None:
    assert command.help
    _, found, example = command.help.partition("Example:")
    assert found
    assert name.rsplit(maxsplit=1)[-1] in example


@pytest.mark.parametrize(("name", "command"), list(leaves()), ids=lambda v: v if isinstance(v, str) else "")
def test_every_option_says_what_it_does(name: str, command: click.Command) -> None:
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert [p.name for p in options if not p.help] == []
    assert name in PRINTS_NO_DATA or "style" in {p.name for p in options}, "a command that prints data has --format"


def test_every_command_is_listed_and_documented() -> None:
    assert HELP.keys() == COMMANDS.keys()
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name, _ in leaves() if name not in PRINTS_NO_DATA and name not in page] == []


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["shoplake", "--help"]
from shoplake.cli.main import main
try:
    main()
except SystemExit:
    pass
print([m for m in {HEAVY!r} if m in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
