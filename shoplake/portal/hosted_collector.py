"""The collector at the service's address: opened beside it, and closed or failing without it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from shoplake.collector.app import EVENTS_PATH
from shoplake.collector.live import STREAM_PATH
from shoplake.collector.opening import OpenCollector, open_collector
from shoplake.collector.segment_endpoint import KINDS
from shoplake.errors import ShoplakeError
from shoplake.portal.refusals import refusal
from shoplake.store.producers import PREFIX

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from shoplake.live.process import LiveWindow
    from shoplake.settings import Settings

log = logging.getLogger("shoplake.portal")
LIVE_PATH = "/v1/live"
PRODUCERS_KEY = f"bearer {PREFIX}_".encode()
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
PATIENCE_SECONDS = 10.0
"""How long a request waits for the first opening."""


class HostedCollector:
    """Takes the collector's paths; while it cannot be opened they answer 503."""

    def __init__(self, settings: Settings, window: LiveWindow | None = None) -> None:
        """Open nothing yet; ``window`` is the live window that it shows too."""
        self._settings, self._window = settings, window
        self._paths = {"/tracker.js", STREAM_PATH, *(KINDS if settings.collector_segment_source else ())}
        self._opened: OpenCollector | None = None
        self._stop, self._tried = asyncio.Event(), asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Say whether it takes events now."""
        return self._opened is not None

    def takes(self, scope: Scope) -> bool:
        """Say whether a request is the collector's: by its path, and at the live window's by a producer's key."""
        path: str = scope["path"]
        if path == LIVE_PATH:
            shown: bytes = dict(scope["headers"]).get(b"authorization", b"")
            return shown.lower().startswith(PRODUCERS_KEY)
        return path.startswith(EVENTS_PATH) or path in self._paths

    async def run(self) -> None:
        """Keep it open until asked to stop; try again, after ever longer pauses, when it cannot be opened."""
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                await self._keep_open()
            except (ShoplakeError, OSError) as error:
                why = error.message if isinstance(error, ShoplakeError) else type(error).__name__
                log.error("the collector cannot be opened, and is tried again: %s", why)
            self._tried.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def end_streams(self) -> None:
        """End what goes on until one side ends it, so that the server can stop."""
        if self._opened is not None:
            self._opened.live.stop()

    def stop(self) -> None:
        """Have `run` finish what it has taken, and return."""
        self._stop.set()

    def metrics(self) -> bytes:
        """Give its page of metrics."""
        return self._opened.metrics.text() if self._opened is not None else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; those that come while it opens for the first time wait a little."""
        if not self._tried.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._tried.wait(), PATIENCE_SECONDS)
        if self._opened is None:
            await refusal(503, headers={"retry-after": "5"})(scope, receive, send)
        else:
            await self._opened.app(scope, receive, send)

    async def _keep_open(self) -> None:
        stack = ExitStack()
        try:
            found = await asyncio.to_thread(stack.enter_context, open_collector(self._settings, self._window))
            found.acceptance.start()
            self._opened = found
            self._tried.set()
            try:
                await self._stop.wait()
            finally:
                self._opened = None
                await found.acceptance.stop()
        finally:
            await asyncio.to_thread(stack.close)
