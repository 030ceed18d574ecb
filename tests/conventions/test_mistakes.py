"""A user's mistake ends with a message, a hint and exit code 2, never with a stack trace, and makes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from shoplake.cli import main as command_line
from tests.conventions.test_commands import leaves

MAKES_A_HOME = {"init", "demo"}
ARGUMENTS = {"query": "select 1", "name": "total_sales", "source": "pos", "paths": "x.csv"}


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Call the command line as the installed script does; give its exit code."""
    monkeypatch.setattr("sys.argv", ["shoplake", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def with_arguments(name: str, command: click.Command) -> list[str]:
    needed = [p for p in command.params if isinstance(p, click.Argument) and p.required]
    options = [p for p in command.params if isinstance(p, click.Option) and p.required]
    asked = [text for option in options for text in (option.opts[0], "1")]
    return [*name.split(), *(ARGUMENTS.get(str(p.name), "1") for p in needed), *asked]


@pytest.mark.parametrize(
    ("name", "command"),
    [leaf for leaf in leaves() if leaf[0] not in MAKES_A_HOME],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_without_a_home_a_command_says_so(
    name: str,
    command: click.Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "nowhere"
    assert call(["--home", str(home), *with_arguments(name, command)], monkeypatch) == 2
    said = capsys.readouterr()
    assert f"Error: {home} is not a shoplake home yet." in said.err
    assert "Hint: Call `shoplake init` first" in said.err
    assert not home.exists()


def test_with_format_json_an_error_is_json_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["--home", str(tmp_path / "nowhere"), "status", "--format", "json"], monkeypatch) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error.keys() == {"code", "message", "hint"}
    assert error["code"] == "home"


def test_a_bad_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text('timezone = "Mars/Olympus"\n', encoding="utf-8")
    assert call(["--home", str(tmp_path), "status"], monkeypatch) == 2
    assert "Error: Setting 'timezone'" in capsys.readouterr().err


def test_an_unknown_command_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["forecast"], monkeypatch) == 2
    assert "No such command 'forecast'" in capsys.readouterr().err
