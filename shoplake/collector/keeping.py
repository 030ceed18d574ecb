"""Keeps the spool small: has a process drain it, deletes what has landed, forgets what is old.

Where Kafka is the log nothing has to be drained: `shoplake consume` lands it.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from shoplake.errors import HomeError

if TYPE_CHECKING:
    from shoplake.collector.metrics import Metrics
    from shoplake.settings import Settings
    from shoplake.store.spool import Spool

log = logging.getLogger("shoplake.collector")
LOOK_SECONDS, FORGET_SECONDS, STOP_SECONDS = 2.0, 60.0, 30.0


class Keeping:
    """Starts the draining process, and starts it anew should it die."""

    def __init__(self, settings: Settings, spool: Spool, metrics: Metrics) -> None:
        """Keep the spool of the home of ``settings``; with Kafka nothing but the collector itself writes it."""
        self._settings, self._spool, self._metrics = settings, spool, metrics
        self._landed: dict[str, int] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._process = self._drain() if settings.collector_log == "spool" else None
        self._thread = threading.Thread(target=self._run, name="keeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the draining process when it has landed what it is landing; the rest waits for the next start."""
        self._stop.set()
        self._end_process()
        self._thread.join()
        self._delete_landed()

    def _drain(self) -> subprocess.Popen[str]:
        # The process ends when its standard input does, so that it never outlives this one.
        seconds = str(self._settings.collector_drain_seconds)
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "shoplake.collector.drain", str(self._settings.home), seconds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, args=[process], name="landed", daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - it is piped
        for line in process.stdout:
            source, last_id, events = line.split()
            with self._lock:
                self._landed[source] = int(last_id)
            self._metrics.landed[source] += int(events)
            self._delete_landed()

    def _delete_landed(self) -> None:
        """Delete what has landed; what cannot be deleted now is tried again later."""
        with self._lock:
            landed, self._landed = self._landed, {}
        for source, last_id in landed.items():
            try:
                self._spool.forget_landed(source, last_id)
            except HomeError as error:
                log.warning("%s", error.message)
                with self._lock:
                    self._landed.setdefault(source, last_id)

    def _run(self) -> None:
        forgot_at = 0.0
        while not self._stop.wait(LOOK_SECONDS):
            if self._process is not None and self._process.poll() is not None:
                log.error("the draining process ended with code %s; it is started anew", self._process.returncode)
                self._metrics.drain_restarts += 1
                self._process = self._drain()
            self._delete_landed()
            if time.monotonic() - forgot_at > FORGET_SECONDS:
                forgot_at = time.monotonic()
                self._forget(time.time() - self._settings.collector_remember_hours * 3600)

    def _forget(self, before: float) -> None:
        try:
            self._spool.forget_older(before)
        except HomeError as error:
            log.warning("%s", error.message)

    def _end_process(self) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None  # noqa: S101 - it is piped
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # a batch that is cut off lands whole the next time
            self._process.wait()
