"""How commands that run until they are stopped take SIGTERM and Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Event


def stops_on_signals() -> Callable[[], bool]:
    """Note a first SIGTERM or SIGINT, and let a second one end the process at once; give what tells of the first."""
    stopping = Event()

    def stop(number: int, _frame: object) -> None:
        stopping.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping.is_set
