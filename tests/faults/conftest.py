"""A disk that fails when a test says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from shoplake.settings import Settings
from tests.faults.disk import BadDisk


@pytest.fixture(scope="session")
def bad_disk_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the library that makes a disk fail."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("There is no C compiler here: that failures of the disk lose nothing is NOT tested.")
    library, source = tmp_path_factory.mktemp("disk") / "bad_disk.so", Path(__file__).with_name("bad_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def bad_disk(settings: Settings, bad_disk_library: Path) -> BadDisk:
    """Give the disk of the home."""
    return BadDisk(bad_disk_library, settings.home, settings.home.parent / "bad_disk")
