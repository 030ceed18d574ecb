"""Keeps the live window in a process of its own, so that it takes no time from whoever asks for it.

The process writes the counts as one line of JSON about once a second::

    {"from", "to", "refreshed_at", "is_complete",
     "web_events": {"events", "sessions", "newest_at", "are_sessions_estimated",
                    "pages": [{"page", "events", "sessions"}],
                    "devices": [{"device", "events", "sessions"}],
                    "minutes": [{"minute", "events", "sessions"}]},
     "interactions": {"interactions", "complaints", "newest_at", "ratings", "mean_rating", "mean_rating_reason",
                      "types": [{"type", "interactions"}],
                      "minutes": [{"minute", "interactions", "complaints"}]}}
"""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.settings import Settings

log = logging.getLogger("shoplake.live")
REFRESH_SECONDS = 1.0
IDLE_SECONDS = 600.0
"""For so long after the last question the window is kept."""
LOOK_SECONDS, STOP_SECONDS = 5.0, 5.0
NICE = 10
"""Whoever takes events in comes first."""


@dataclass(frozen=True)
class Counts:
    """One state of the window."""

    number: int
    json: bytes


class LiveWindow:
    """Runs the process while anybody asks, and has its latest counts. Any thread may use it."""

    def __init__(self, settings: Settings) -> None:
        """Begin nothing before the first question."""
        self._settings = settings
        self._latest: Counts | None = None
        self._number, self._asked_at = 0, 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live", daemon=True)

    def start(self) -> None:
        """Be ready for questions."""
        self._thread.start()

    def stop(self) -> None:
        """End the process."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._end()

    def latest(self) -> Counts | None:
        """Give the latest counts; None for a moment, until the window has been filled."""
        self._asked_at = time.monotonic()
        if self._process is None and not self._stop.is_set():
            with self._lock:
                if self._process is None:
                    self._begin()
        return self._latest

    def _begin(self) -> None:
        # The process ends when its standard input does, so that it never outlives this one.
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "shoplake.live.process", str(self._settings.home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._process = process
        threading.Thread(target=self._listen, args=[process], name="counts", daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - it is piped
        with process.stdout as lines:
            for line in lines:
                if process is self._process:
                    self._number += 1
                    self._latest = Counts(self._number, line.rstrip(b"\n"))

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with self._lock:
                if self._process is None:
                    continue
                if time.monotonic() - self._asked_at > IDLE_SECONDS:
                    self._end()
                elif self._process.poll() is not None:
                    log.error("the live window's process ended with code %s", self._process.returncode)
                    self._end()
                    self._begin()

    def _end(self) -> None:
        process, self._process, self._latest = self._process, None, None
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 - it is piped
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # it only reads
            process.wait()


def main() -> None:
    """Write the counts again and again until standard input ends."""
    import msgspec

    from shoplake.errors import ShoplakeError
    from shoplake.keys.keyring import Keyring
    from shoplake.lake.locks import spool_lock
    from shoplake.live.following import Follower, utc_now
    from shoplake.live.window import stamp
    from shoplake.settings import load_settings
    from shoplake.store.spool import open_spool

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    os.nice(NICE)
    settings = load_settings(Path(sys.argv[1]))
    with spool_lock(settings, is_shared=True, wait_seconds=30):
        spool = open_spool(settings, Keyring.open(settings))
        follower, seconds = Follower(settings, spool), 0.0
        while not select.select([sys.stdin], [], [], seconds)[0]:
            began = time.monotonic()
            try:
                counts = {"refreshed_at": stamp(utc_now()), **follower.answer()}
            except ShoplakeError as error:
                log.warning("the live window was not refreshed: %s", error.message)
            except Exception as error:  # noqa: BLE001 - its text may hold what was sent: only its kind is told
                log.error("the live window failed: %s", type(error).__name__)
                raise SystemExit(1) from None
            else:
                sys.stdout.buffer.write(msgspec.json.encode(counts) + b"\n")
                sys.stdout.buffer.flush()
            # A round that took long is followed by a short pause: so that no two counts are two seconds apart.
            seconds = max(REFRESH_SECONDS - (time.monotonic() - began), 0.05)
        follower.close()
        spool.close()


if __name__ == "__main__":
    main()
