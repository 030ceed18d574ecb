"""The stream beside the service: `shoplake stream` in a process of its own, started anew should it die.

It takes turns with whoever else changes the home, and ends with the service, however that ends.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.errors import ShoplakeError
    from shoplake.settings import Settings

log = logging.getLogger("shoplake.stream")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
STOP_SECONDS = 30.0
NICE = 10
"""Whoever asks comes first."""


class StreamProcess:
    """Starts the process and watches it; a thread of its own waits for it."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self.restarts = 0
        self._stop = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._watch, name="stream", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it when the step that is under way is done; a round that is cut off has published nothing."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            process = self._begin()
            while process.poll() is None and not self._stop.wait(0.2):
                continue
            if self._stop.is_set():
                self._end(process)
                return
            log.error("the stream ended with code %s; it is started anew", process.returncode)
            assert process.stdin is not None  # noqa: S101 - it is piped
            process.stdin.close()
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            self._stop.wait(pause)
            self.restarts += 1

    def _begin(self) -> subprocess.Popen[bytes]:
        # The process ends when its standard input does, so that it never outlives this one.
        seconds = str(self._settings.service_stream_seconds)
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "shoplake.portal.stream_process", str(self._settings.home), seconds],
            stdin=subprocess.PIPE,
        )

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - it is piped
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Make round after round until standard input ends."""
    from shoplake.audit.recording import changing
    from shoplake.pipeline.stream import stream
    from shoplake.settings import load_settings

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.nice(NICE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a terminal's Ctrl-C is the service's, which then ends this
    settings, stopping = load_settings(Path(sys.argv[1])), Event()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        stopping.set()

    def say(error: ShoplakeError) -> None:
        log.warning("this round published nothing: %s", error.message)

    Thread(target=wait_for_the_end, name="end", daemon=True).start()
    seconds = float(sys.argv[2])
    with changing(settings, "stream", every=seconds):
        stream(settings, every_seconds=seconds, is_stopping=stopping.is_set, on_failure=say)


if __name__ == "__main__":
    main()
