"""Makes the environment that the peers run in, apart from shoplake's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".venv-peers"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def peers_python(announce: Callable[[str], None]) -> Path:
    """Give the interpreter of the peers' environment; make it where it is missing or its requirements have changed.

    Raises:
        subprocess.CalledProcessError: pip could not install a package.

    """
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / ".installed"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest() + sys.version
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    announce(f"Installing the peers into {FOLDER.name} ...")
    venv.create(FOLDER, with_pip=True, clear=True)
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        REQUIREMENTS,
    ]
    subprocess.run(install, check=True, cwd=ROOT)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def has_java(announce: Callable[[str], None]) -> bool:
    """Say whether Spark can run; where it cannot and we may (root on Debian), install Java first."""
    if shutil.which("java"):
        return True
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        announce("Spark needs Java: installing default-jre-headless ...")
        subprocess.run([apt, "install", "-y", "-qq", "default-jre-headless"], check=False, stdout=subprocess.DEVNULL)
    return shutil.which("java") is not None


def versions() -> dict[str, str]:
    """Give the pinned versions by package."""
    lines = [line.split("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split("==") for line in lines if line]
    return {name.split("[")[0]: version for name, version in pairs}
