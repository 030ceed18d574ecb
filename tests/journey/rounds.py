"""A process that makes rounds of a stream in children of its own: each round begins warm, and can be killed.

``python -m tests.journey.rounds HOME`` reads one line a round from standard input, and prints the child's number.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Make a round for each line of standard input."""
    from shoplake.lake import merging
    from shoplake.pipeline.project import load_project
    from shoplake.pipeline.stream import Stream
    from shoplake.settings import load_settings

    settings = load_settings(Path(sys.argv[1]))
    merging.FANOUT = 2
    load_project(settings)
    print("ready", flush=True)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                Stream(settings).round()
                status = 0
            finally:
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
