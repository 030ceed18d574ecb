"""The walls hold against code, not only against SQL: for a service that runs as root, and for one that does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.identity import Identity
from shoplake.access.sandbox import Question, Sandbox
from shoplake.errors import SettingsError
from shoplake.settings import Settings
from tests.access.sandbox.test_sandbox import ENDLESS, asked, worker_of

IS_ROOT = os.geteuid() == 0
AS_SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
"""A namespace in which this user is an ordinary one, who owns the same files and has no rights beyond."""
ALLOWED = {"read own", "thread"}

needs_root = pytest.mark.skipif(not IS_ROOT, reason="another user is only there for root")
needs_users = pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run([*AS_SOMEBODY, "true"], check=False, capture_output=True).returncode != 0,
    reason="no namespaces of users here",
)


def tried(folder: Path, uid: str, *before: str) -> dict[str, Any]:
    (folder / "0").write_bytes(b"own")
    (folder / "0").chmod(0o444)
    secret = folder.with_name("secret")
    secret.write_bytes(b"secret")
    folder.chmod(0o511)
    command = [*before, sys.executable, "-m", "tests.access.sandbox.trial", str(folder), uid, str(secret)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])}
    made = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    assert sorted(path.name for path in folder.iterdir()) == ["0"]
    assert (folder / "0").read_bytes() == b"own"
    assert (folder / "0").stat().st_mode & 0o777 == 0o444
    found: dict[str, Any] = json.loads(made.stdout)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "staged"
    made.mkdir()
    return made


@needs_root
def test_as_root_a_session_is_another_user_who_can_only_read(folder: Path) -> None:
    found = tried(folder, "65534")
    assert found["uid"] == 65534
    assert {"user", "root"} <= set(found["walls"])
    assert {name for name, went in found["went"].items() if went == "done"} == ALLOWED


@needs_users
def test_as_somebody_a_session_can_only_read_too(folder: Path) -> None:
    found = tried(folder, "-", *AS_SOMEBODY)
    assert "user" not in found["walls"]
    assert {"calls", "network"} <= set(found["walls"])
    assert {name for name, went in found["went"].items() if went == "done"} == ALLOWED


@needs_users
def test_a_service_of_somebody_answers_behind_the_walls_that_it_can_build(own_released: Settings) -> None:
    program = (
        "import json, os, sys; from pathlib import Path; from shoplake.settings import load_settings\n"
        "from shoplake.access.sandbox import Question, Sandbox; from shoplake.access.identity import Identity\n"
        "with Sandbox(load_settings(Path(sys.argv[1]))) as box:\n"
        "    rows = [box.answer(Identity('sales', 'sales'), Question(sql)).table.to_pylist() for sql in sys.argv[2:]]\n"
        "    print(json.dumps([os.getuid(), box.walls(), rows], default=str))"
    )
    asked_for = [
        "select count(*) as n from sales.mart_sales__store_day",
        "select current_setting('allowed_paths') as p",
    ]
    command = [*AS_SOMEBODY, sys.executable, "-c", program, str(own_released.home), *asked_for]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    uid, stand, ((count,), (shown,)) = json.loads(made.stdout)
    assert uid == 1000
    assert {"network", "root", "calls"} <= set(stand)
    assert count["n"] > 0
    assert str(own_released.home) not in shown["p"]


@needs_root
def test_a_worker_is_shut_in(asking: Settings, box: Sandbox) -> None:
    with asked(box, ENDLESS, "q-long"):
        number = worker_of(box, "q-long")
        words = Path(f"/proc/{number}/status").read_text(encoding="utf-8").splitlines()
        status = dict(line.split(":\t", 1) for line in words)
        assert set(status["Uid"].split()) == {"65534"}
        assert status["Groups"].strip() == ""
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}
        root = Path(os.readlink(f"/proc/{number}/root"))
        assert root.is_relative_to(asking.home)
        assert Path(f"/proc/{number}/cwd").readlink() == root
        for space in ("net", "ipc"):
            assert os.readlink(f"/proc/{number}/ns/{space}") != os.readlink(f"/proc/self/ns/{space}")
        handles = {os.readlink(handle) for handle in Path(f"/proc/{number}/fd").iterdir()}
        others = {handle for handle in handles if not handle.startswith(("/dev/null", "socket:", "anon_inode:[pidfd]"))}
        assert {handle for handle in others if not handle.startswith(str(root))} == set()
        limits = Path(f"/proc/{number}/limits").read_text(encoding="utf-8")
        for name in ("Max file size", "Max core file size"):
            line = next(line for line in limits.splitlines() if line.startswith(name))
            assert line.split()[4 if "core" in name else 3] == "0"


@needs_root
def test_sessions_of_different_rights_can_be_different_users(asking: Settings) -> None:
    settings = asking.model_copy(update={"sandbox_first_uid": 70_000})
    found = {}
    with Sandbox(settings) as box:
        for user in ("sales", "finance"):
            with asked(box, ENDLESS, user, Identity(user, user)):
                status = Path(f"/proc/{worker_of(box, user)}/status").read_text(encoding="utf-8")
                found[user] = int(status.partition("Uid:")[2].split()[0])
    assert len(set(found.values())) == 2
    assert all(70_000 <= uid < 70_016 for uid in found.values())


@needs_root
def test_queries_never_run_as_root(asking: Settings) -> None:
    for name in ("root", "nobody-of-that-name"):
        with pytest.raises(SettingsError, match="sandbox_user"):
            Sandbox(asking.model_copy(update={"sandbox_user": name}))


def test_files_of_a_session_are_links_that_nobody_can_write(box: Sandbox) -> None:
    box.answer(Identity("sales", "sales"), Question("select 1"))
    folders = [session._staged.folder for session in box._pool._sessions.values()]
    files = [file for folder in folders for file in folder.iterdir()]
    assert files
    assert all(file.stat().st_mode & 0o777 == 0o444 and file.stat().st_nlink > 1 for file in files)
    assert all(file.name.isdigit() for file in files)
