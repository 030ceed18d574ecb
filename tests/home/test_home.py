"""A home is made once, is closed to others, and has one writer at a time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shoplake.contracts import load_contracts
from shoplake.errors import HomeError, KeyAccessError, LockedError
from shoplake.home import HomePaths, home_lock, require_home
from shoplake.pipeline.init import init_home
from shoplake.settings import Settings, load_settings

HOLD = """
import sys, time
from pathlib import Path
from shoplake.home import home_lock
from shoplake.settings import load_settings
with home_lock(load_settings(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_writer(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds the home's lock."""
    command = [sys.executable, "-c", HOLD, str(settings.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def everything(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "lock"}


def test_a_made_home_has_its_folders_and_an_inbox_for_each_source(settings: Settings) -> None:
    paths = HomePaths(settings.home)
    require_home(settings)
    assert all(folder.is_dir() for folder in paths.folders())
    assert {inbox.name for inbox in paths.landing.iterdir()} == set(load_contracts())


def test_nobody_else_may_enter_a_home_or_read_its_keys(settings: Settings) -> None:
    for path in [settings.home, *settings.home.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.parent.name == "keys":
            assert mode == 0o600, path


def test_making_a_home_again_changes_nothing(settings: Settings) -> None:
    before = everything(settings.home)
    init_home(settings)
    after = everything(settings.home)
    assert {path: after[path] for path in before if path.parent.name == "keys"} == {
        path: data for path, data in before.items() if path.parent.name == "keys"
    }
    assert before.keys() == after.keys()


def test_making_a_home_under_a_wrong_key_fails_and_makes_no_other_keyring(settings: Settings) -> None:
    paths = HomePaths(settings.home)
    (paths.keys / "kek.key").unlink()
    keyring = paths.keyring.read_bytes()
    with pytest.raises(KeyAccessError):
        init_home(settings)
    assert paths.keyring.read_bytes() == keyring
    assert not (paths.keys / "kek.key").exists()


def test_a_home_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load_settings(tmp_path / "file" / "home")
    with pytest.raises(HomeError, match="file/home cannot be made"):
        init_home(settings)


def test_a_folder_that_is_no_home_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HomeError) as caught:
        require_home(load_settings(tmp_path))
    assert str(tmp_path) in caught.value.message
    assert "shoplake init" in caught.value.hint


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(settings: Settings) -> None:
    with another_writer(settings) as process:
        with pytest.raises(LockedError) as caught, home_lock(settings):
            pytest.fail("two writers at once")
        assert f"pid {process.pid}" in caught.value.message
    assert caught.value.exit_code == 1


def test_the_lock_of_a_killed_process_is_free_at_once(settings: Settings) -> None:
    with another_writer(settings) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with home_lock(settings):
            assert (settings.home / "lock").read_text() == str(os.getpid())


def test_a_patient_writer_gets_the_lock_when_it_becomes_free(settings: Settings) -> None:
    import threading

    with another_writer(settings) as process:
        timer = threading.Timer(0.3, process.kill)
        timer.start()
        with home_lock(settings, wait_seconds=20):
            assert process.wait(timeout=60) == -signal.SIGKILL
        timer.join()


def test_an_error_inside_the_lock_releases_it(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), home_lock(settings):
        _ = 1 / 0
    with home_lock(settings):
        assert (settings.home / "lock").exists()
