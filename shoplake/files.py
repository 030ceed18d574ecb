"""Writing that survives a crash: a file is either the old one or the whole new one. And reading of YAML."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any


def fsync_file(path: Path) -> None:
    """Force a file's bytes to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_directory(path: Path) -> None:
    """Force a folder's entries (new names, renames) to disk."""
    fsync_file(path)


def durable_write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace ``path`` with ``data`` atomically and durably."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def durable_rename(source: Path, target: Path, *, is_last: bool = True) -> None:
    """Give a finished file its name, durably; an older file of that name is replaced.

    With ``is_last=False`` the name is durable only once the caller has called `fsync_directory`: for many files of one
    folder.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fsync_file(source)
    os.replace(source, target)
    if is_last:
        fsync_directory(target.parent)


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - whatever the file says
    """Read a YAML file of plain values.

    Raises:
        yaml.YAMLError: it is not YAML.
        OSError: it cannot be read.

    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast, where it is there
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe ones
