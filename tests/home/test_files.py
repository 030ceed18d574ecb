"""A durable write leaves the old file or the whole new one, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shoplake.files import durable_rename, durable_write


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_written_file_holds_the_bytes_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    durable_write(file, b"one")
    assert file.read_bytes() == b"one"
    assert mode(file) == 0o600


def test_a_second_write_replaces_the_first_and_tightens_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"old")
    file.chmod(0o644)
    durable_write(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", 0o600)
    assert os.listdir(tmp_path) == ["secret"]


def test_whoever_has_the_old_file_open_goes_on_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "pointer"
    durable_write(file, b"first")
    with file.open("rb") as reader:
        durable_write(file, b"second")
        assert reader.read() == b"first"
    assert file.read_bytes() == b"second"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    (target / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        durable_write(target, b"data")
    assert os.listdir(tmp_path) == ["taken"]


def test_a_rename_makes_the_folder_and_replaces_an_older_file(tmp_path: Path) -> None:
    source, target = tmp_path / "build", tmp_path / "lake" / "pos" / "rows"
    for data in (b"first", b"second"):
        source.write_bytes(data)
        durable_rename(source, target)
        assert target.read_bytes() == data
        assert not source.exists()
