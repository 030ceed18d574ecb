"""Runs a command and says how long it took and how much memory it and its children held together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
LARGEST_SHARE = 0.02
"""Of one core, for looking at the processes: a JVM's memory is costly to sum, and who looks must not slow who works."""
LONGEST_SECONDS = 1800.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LAST_WORDS = 3000


class ContenderError(Exception):
    """A measured command failed; the message ends with its last words."""


@dataclass(frozen=True)
class Measured:
    """A finished command: its output, wall-clock and processor seconds, and peak memory in MiB."""

    output: str
    seconds: float
    cpu_seconds: float
    """Of the command and the children it waited for: what it cost, however busy the machine was."""
    peak_mb: float


def measure(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    time_limit_seconds: float = LONGEST_SECONDS,
) -> Measured:
    """Run a command to its end.

    The peak is the larger of what the kernel recorded for the largest single process (exact) and of the sum over the
    whole process tree, sampled up to 20 times a second (which alone sees a JVM or a worker beside its parent).

    Raises:
        ContenderError: the command ended with another exit code than 0, or was stopped at its time limit.

    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})}, stdout=out, stderr=err
        )
        sampler = _TreeSampler(process.pid, time_limit_seconds)
        sampler.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # We are being stopped: nothing that we started may go on without us.
            kill_tree(process.pid)
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.stop()
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if process.returncode:
        end = "ran into its time limit" if sampler.is_out_of_time else f"ended with code {process.returncode}"
        raise ContenderError(f"{' '.join(map(str, command))} {end}:\n{(output + errors)[-LAST_WORDS:]}")
    peak_mb = max(usage.ru_maxrss / 1024, sampler.peak_bytes / 2**20)
    return Measured(output, seconds, usage.ru_utime + usage.ru_stime, peak_mb)


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """Give the processor time that a running process has taken so far, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended_children else 13])) / os.sysconf("SC_CLK_TCK")


def kill_tree(root: int) -> None:
    """End a process that we started, and its descendants."""
    for pid in _descendants(root):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class _TreeSampler(threading.Thread):
    """Looks at a process and its descendants until told to stop; ends them when their time is over."""

    def __init__(self, root: int, time_limit_seconds: float) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.is_out_of_time = False
        self._root = root
        self._deadline = time.monotonic() + time_limit_seconds
        self._over = threading.Event()

    def run(self) -> None:
        pause = SAMPLE_SECONDS
        while not self._over.wait(pause):
            started = time.thread_time()
            pids = _descendants(self._root)
            if time.monotonic() > self._deadline:
                self.is_out_of_time = True
                kill_tree(self._root)
                return
            held = sum(_held_bytes(pid, is_alone=len(pids) == 1) for pid in pids)
            self.peak_bytes = max(self.peak_bytes, held)
            pause = max(SAMPLE_SECONDS, (time.thread_time() - started) / LARGEST_SHARE)

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
