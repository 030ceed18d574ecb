"""Processes of `shoplake` that start in an instant, so that many can be killed: forked with all imports done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "pytest",
        "alembic.command",
        "confluent_kafka.admin",
        "duckdb",
        "httptools",
        "msgspec",
        "pyarrow",
        "sqlalchemy",
        "sqlcipher3",
        "uvloop",
        "zstandard",
        "shoplake.cli.main",
        "shoplake.collector.drain",
        "shoplake.collector.serve",
        "shoplake.lake.consuming",
        "shoplake.pipeline.run",
        "shoplake.privacy.vault",
        "tests.faults.children",
    ]
)


class Child:
    """A running command, in a process group of its own."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        """Start ``shoplake`` with some arguments; what it says on standard error is added to ``log``."""
        self._process = FORKS.Process(target=_be, args=(arguments, dict(environment), log))
        self._process.start()

    def exit_code(self, seconds: float = 0) -> int | None:
        """Wait for its end; give its exit code, None while it runs."""
        self._process.join(seconds)
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kill it and what it has started."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()  # it may not have had a group yet
        self._process.join()


def _be(arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
    from shoplake.cli.main import main

    os.setsid()
    os.environ.update(environment)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["shoplake", *arguments]
    main()
