"""Runs a measurement and keeps what it prints: ``python -m bench.kept Collector bench.collector --seconds 5``.

The lines become the section of that title on the benchmarks' page; they are shown as they come, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.section import with_section

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main(page: Path = PAGE) -> int:
    """Run ``sys.argv[2:]`` as a module; give its exit code."""
    title, *command = sys.argv[1:]
    code, lines = shown([sys.executable, "-m", *command])
    text = "\n".join(
        [f"## {title}", "", f"Printed by `python -m {' '.join(command)}`:", "", *(f"- {x}" for x in lines)]
    )
    page.write_text(with_section(page.read_text(encoding="utf-8"), text), encoding="utf-8")
    return code


def shown(command: list[str]) -> tuple[int, list[str]]:
    """Run a command; show its lines, and give its exit code and those that are not blank."""
    lines = list[str]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is piped
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines += [line.strip()] if line.strip() else []
    return process.returncode, lines


if __name__ == "__main__":
    sys.exit(main())
