"""The layers hold, the wheel is whole, and nothing in the repository speaks of one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.conftest import LONGEST

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")
FOLDERS = ("shoplake", "tests", "docs", "bench", ".ci")
OWN_PATHS = re.compile(r"(?<![\w.>}])/(?:work|root|tmp|home|Users|mnt)/\w")
INDEX = re.compile(r"(?i)index[-_]url[ =]+\S*://|https?://\S+/simple\b|find-links[ =]")


def texts() -> Iterator[tuple[str, str]]:
    """Give name and text of every file that people or tools read."""
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        files += [p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    for path in sorted(files):
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # golden data may be binary


def test_what_is_made_or_installed_is_not_in_the_repository() -> None:
    listed = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout of git")
    assert done.stdout == ""


def test_the_layers_point_one_way() -> None:
    done = subprocess.run([LINTER, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_every_file_of_the_package() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    present = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "shoplake").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert present - packed == set()
    for ending in (".py", ".sql", ".yml", ".yaml", ".md", ".mako", ".js"):
        assert any(name.endswith(ending) for name in packed), ending


def test_nothing_else_is_in_the_wheel() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {name.split("/")[0] for name in packed} == {"shoplake"}


@pytest.mark.parametrize(
    ("pattern", "what"), [(OWN_PATHS, "a path of one machine"), (INDEX, "a package index")], ids=["paths", "index"]
)
def test_no_file_names(pattern: re.Pattern[str], what: str) -> None:
    own = Path(__file__).relative_to(ROOT).as_posix()
    found = [(name, match.group()) for name, text in texts() if name != own for match in pattern.finditer(text)]
    assert found == [], what


def test_the_patterns_find_what_they_are_for() -> None:
    assert all(OWN_PATHS.search(text) for text in ("in /root/x", '"/work/x"', "=/home/me/x", "(/mnt/x"))
    assert not any(OWN_PATHS.search(text) for text in ("tests/home/x", "{root}/home/x", "docs/work/x", "/srv/lake"))
    assert all(
        INDEX.search(text)
        for text in ("--index-url http://x", "PIP_INDEX_URL=http://x", "https://host.example/pypi/simple")
    )


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)
