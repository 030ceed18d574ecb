"""A disk that fails when a test says so: a library between a process and the kernel, made by the system's compiler."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FAILURES = [(errno.EIO, "sync"), (errno.EIO, "write"), (errno.ENOSPC, "write")]
NAMES = ["eio-sync", "eio-write", "enospc-write"]


class BadDisk:
    """The disk below a folder."""

    def __init__(self, library: Path, folder: Path, control: Path) -> None:
        self._control = control
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "BAD_DISK_FOLDER": str(folder),
            "BAD_DISK_CONTROL": str(control),
        }
        """What a process has to be started with for the disk to fail for it."""

    @contextmanager
    def failing(self, error: int, calls: str, part: str = "/") -> Iterator[None]:
        """Let calls (``write`` or ``sync``) on files whose paths have a part fail for as long as the block runs."""
        written = self._control.with_suffix(".new")
        written.write_text(f"{error} {calls} {part}", encoding="utf-8")
        written.replace(self._control)
        try:
            yield
        finally:
            self._control.unlink()
