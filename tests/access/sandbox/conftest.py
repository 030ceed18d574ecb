"""A home where every role may ask in SQL, and a sandbox over it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from shoplake.access.policy import PACKAGED
from shoplake.access.sandbox import Sandbox
from shoplake.settings import Settings, load_settings
from tests.access.released import own_released, released

__all__ = ["own_released", "released"]
ENVIRONMENT = "EnvironmentCanary93"


@pytest.fixture(scope="module")
def asking(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a copy of the released home whose policy lets everybody ask in SQL, over what they see as ever."""
    home = tmp_path_factory.mktemp("asking") / "home"
    shutil.copytree(released.home, home)
    policy = yaml.safe_load(PACKAGED.read_text(encoding="utf-8"))
    for role in policy["roles"].values():
        role["consoles"] = sorted({*role["consoles"], "sql"})
    (home / "policy.yaml").write_text(yaml.safe_dump(policy, sort_keys=False), encoding="utf-8")
    return load_settings(home).model_copy(update={"sandbox_memory_bytes": 200_000_000})


@pytest.fixture(scope="module")
def box(asking: Settings) -> Iterator[Sandbox]:
    """Give a sandbox that was started by a process with a secret in its environment."""
    os.environ["SHOPLAKE_SANDBOX_CANARY"] = ENVIRONMENT
    try:
        with Sandbox(asking) as started:
            yield started
    finally:
        del os.environ["SHOPLAKE_SANDBOX_CANARY"]


def processes_of(parent: int) -> dict[int, list[str]]:
    """Give all that come of a process, by id, with the words of their command."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if words[0] != "Z":
            children.setdefault(int(words[1]), []).append(int(status.parent.name))
    found, left = {}, list(children.get(parent, []))
    while left:
        number = left.pop()
        try:
            found[number] = Path(f"/proc/{number}/cmdline").read_text(encoding="utf-8").split("\0")
        except OSError:
            continue
        left += children.get(number, [])
    return found
