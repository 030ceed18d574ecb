"""Runs a command and says how long it took and how much memory it and its children held together."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LAST_WORDS = 3000


class ContenderError(Exception):
    """A measured command failed; the message ends with its last words."""


@dataclass(frozen=True)
class Measured:
    """A finished command: its output, wall-clock seconds and peak memory in MiB."""

    output: str
    seconds: float
    peak_mb: float


def measure(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end.

    The peak is the larger of what the kernel recorded for the largest single process (exact) and of the sum over the
    whole process tree, sampled every 50 ms (which alone sees a JVM or a worker beside its parent).

    Raises:
        ContenderError: the command ended with another exit code than 0.

    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})}, stdout=out, stderr=err
        )
        sampler = _TreeSampler(process.pid)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.stop()
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if process.returncode:
        last_words = (output + errors)[-LAST_WORDS:]
        raise ContenderError(f"{' '.join(map(str, command))} ended with code {process.returncode}:\n{last_words}")
    return Measured(output, seconds, max(usage.ru_maxrss / 1024, sampler.peak_bytes / 2**20))


class _TreeSampler(threading.Thread):
    """Looks at a process and its descendants until told to stop."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._root = root
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            pids = _descendants(self._root)
            held = sum(_held_bytes(pid, is_alone=len(pids) == 1) for pid in pids)
            self.peak_bytes = max(self.peak_bytes, held)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _descendants(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split())
    return found


def _held_bytes(pid: int, *, is_alone: bool) -> int:
    """Give resident bytes; where several processes share pages, each counts only its part of them."""
    try:
        if is_alone:
            return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        # The process ended between the listing and the look.
        return 0
    return 0
