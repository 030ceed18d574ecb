"""``GET /v1/live``: the live window as JSON or as Server-Sent Events, for whoever holds a key that may read it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from shoplake.collector.refusal import Refusal, overloaded
from shoplake.store.producers import READS_LIVE

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from shoplake.collector.doorkeeper import Doorkeeper
    from shoplake.live.process import Counts, LiveWindow

    Shown = Callable[[Counts], Awaitable[bytes | None]]

STREAM_PATH = "/v1/live/stream"
EVENT_STREAM = b"text/event-stream"
MOST_STREAMS = 64
LOOK_SECONDS = 0.25
FIRST_SECONDS = 30.0
"""For so long a question waits until the window has been filled."""
HEARTBEAT_SECONDS = 10.0
STALL_SECONDS = 20.0
"""Whoever takes nothing for so long is let go."""
RECONNECT = b"retry: 3000\n\n"
HEARTBEAT = b": heartbeat\n\n"


class LiveFeed:
    """The window as it goes out to its readers; nothing is held for one but the counts that it is being sent."""

    def __init__(self, window: LiveWindow) -> None:
        """Show ``window``."""
        self._window = window
        self.streams = 0
        self.is_stopping = False

    def stop(self) -> None:
        """End every stream."""
        self.is_stopping = True

    async def first(self) -> Counts:
        """Give the latest counts; the first question begins the window, and waits for it.

        Raises:
            Refusal: (503) it takes too long.

        """
        until = time.monotonic() + FIRST_SECONDS
        while (counts := await asyncio.to_thread(self._window.latest)) is None:
            if self.is_stopping or time.monotonic() > until:
                raise overloaded("The live window is not filled yet.")
            await asyncio.sleep(LOOK_SECONDS)
        return counts

    def check_room(self) -> None:
        """Pass one more reader.

        Raises:
            Refusal: (503) there are too many.

        """
        if self.streams >= MOST_STREAMS:
            raise overloaded(f"{MOST_STREAMS} clients follow the live window already.", retry_after=10)

    async def follow(self, receive: Receive, send: Send, shown: Shown) -> None:
        """Send each state of the window, or those that a slow client has time for, until either side ends it.

        Args:
            receive: of the request.
            send: of the request.
            shown: gives what a state is sent as; None for a reader who may read no longer.

        """
        self.streams += 1
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            async with asyncio.timeout(STALL_SECONDS) as patience:
                await self._send_states(gone, send, shown, patience)
        except TimeoutError:
            return  # it takes nothing: the connection is closed
        finally:
            gone.cancel()
            self.streams -= 1

    async def _send_states(
        self, gone: asyncio.Future[None], send: Send, shown: Shown, patience: asyncio.Timeout
    ) -> None:
        await _begin(send, 200, [(b"content-type", EVENT_STREAM)])
        await _part(send, RECONNECT)
        number, sent_at = 0, time.monotonic()
        while not (self.is_stopping or gone.done()):
            counts, now = self._window.latest(), time.monotonic()
            if counts is not None and counts.number != number:
                if (event := await shown(counts)) is None:
                    break
                await _part(send, event)
                number, sent_at = counts.number, now
            elif now - sent_at > HEARTBEAT_SECONDS:
                await _part(send, HEARTBEAT)
                sent_at = now
            patience.reschedule(asyncio.get_running_loop().time() + STALL_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class LiveEndpoint(LiveFeed):
    """Answers one request of a producer's key."""

    def __init__(self, window: LiveWindow, doorkeeper: Doorkeeper) -> None:
        """Show ``window`` to whom the doorkeeper knows as a reader."""
        super().__init__(window)
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        try:
            key = headers.get(b"authorization", b"").decode("latin-1")
            self._admit(scope, key)
            wants_stream = scope["path"] == STREAM_PATH or EVENT_STREAM in headers.get(b"accept", b"")
            counts = await self.first()
            if wants_stream:
                self.check_room()
        except Refusal as refusal:
            await _answer(send, refusal.status, refusal.body(), refusal.retry_after)
            return
        if not wants_stream:
            await _answer(send, 200, counts.json)
            return

        async def shown(counts: Counts) -> bytes | None:
            return live_event(counts.json) if self._may_read(key) else None

        await self.follow(receive, send, shown)

    def _admit(self, scope: Scope, key: str) -> None:
        if scope["method"] != "GET":
            raise Refusal(405, "method", "The live window is read by GET.")
        if READS_LIVE not in self._doorkeeper.known(key).sources:
            raise Refusal(
                403,
                "forbidden",
                "This key may not read the live window.",
                "A key that may is made by `shoplake producers add NAME --reads-live`.",
            )

    def _may_read(self, key: str) -> bool:
        """Say whether a key is in force still."""
        try:
            return READS_LIVE in self._doorkeeper.known(key).sources
        except Refusal:
            return False


def live_event(json: bytes) -> bytes:
    """Give a state of the window as a Server-Sent Event."""
    return b"event: live\ndata: " + json + b"\n\n"


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, body: bytes, retry_after: int | None = None) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", str(retry_after).encode())] if retry_after is not None else []
    await _begin(send, status, headers)
    await send({"type": "http.response.body", "body": body})


async def _begin(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
