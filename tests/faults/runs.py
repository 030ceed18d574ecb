"""A process that runs and streams when it is told to, so that a test can let the disk below it fail between.

``python -m tests.faults.runs HOME`` reads ``run`` or ``round`` a line from standard input, and answers with one JSON
object: the release that is made, or what failed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class Runs:
    """Such a process."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.runs", str(home)],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Runs:
        """Let it wait for orders."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End it."""
        self._process.communicate(timeout=60)

    def call(self, what: str) -> dict[str, Any]:
        """Let it run, or make a round; give what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def main() -> None:
    """Do what standard input says."""
    from shoplake.errors import ShoplakeError
    from shoplake.pipeline.run import run
    from shoplake.pipeline.stream import Stream
    from shoplake.settings import load_settings

    settings = load_settings(Path(sys.argv[1]))
    rounds = Stream(settings)
    for line in sys.stdin:
        try:
            report = run(settings) if line.strip() == "run" else rounds.round()
            answer = {"release": report.release if report else None}
        except ShoplakeError as error:
            answer = {"error": f"{type(error).__name__}: {error.message}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
