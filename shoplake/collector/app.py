"""The collector's HTTP interface, an ASGI application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shoplake.collector.body import decompress, too_large
from shoplake.collector.live import STREAM_PATH, LiveEndpoint
from shoplake.collector.memory import MemoryLimit
from shoplake.collector.origins import Origins
from shoplake.collector.refusal import Refusal
from shoplake.collector.tracker import tracker_route

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from shoplake.collector.acceptance import Acceptance
    from shoplake.collector.doorkeeper import Doorkeeper
    from shoplake.collector.metrics import Metrics

log = logging.getLogger("shoplake.collector")
BODY_SECONDS = 30
SMALL_BODY = 16_384
"""A smaller body that does not come holds no more than a connection on which nothing comes."""
EVENTS_PATH = "/v1/events/"
JSON = (b"content-type", b"application/json")


class EventsEndpoint:
    """``POST /v1/events/{source}``."""

    def __init__(self, acceptance: Acceptance, doorkeeper: Doorkeeper, metrics: Metrics, limits: Limits) -> None:
        """Take events in for whom the doorkeeper admits."""
        self._acceptance, self._doorkeeper, self._metrics, self._limits = acceptance, doorkeeper, metrics, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever happens, the answer is JSON and repeats nothing of what was sent."""
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, answer = 200, await self._accept(scope, receive)
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body()
            if refusal.retry_after is not None:
                headers = [(b"retry-after", str(refusal.retry_after).encode())]
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 - its text may hold what was sent: only its kind is told
            log.error("a request failed: %s", type(error).__name__)
            failure = Refusal(500, "internal", "The request failed.", "Send it again; see the collector's log.")
            status, answer = 500, failure.body()
        self._metrics.requests[str(status)] += 1
        headers += [JSON, (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _accept(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise Refusal(405, "method", "Events are sent by POST.")
        source = scope["path"].removeprefix(EVENTS_PATH)
        headers = dict(scope["headers"])
        producer = self._doorkeeper.admit(_text(headers, b"authorization"), source)
        if source not in self._acceptance.contracts:
            raise Refusal(404, "not_found", f"There is no stream source {source[:60]!r}.")
        body = Body(self._limits)
        try:
            content = body.clear(await body.read(receive, headers), headers)
            return await self._acceptance.accept(source, producer, content, _text(headers, b"idempotency-key"))
        finally:
            self._limits.memory.give_back(body.held)


class Limits:
    """How large a body may be, alone and with all others that are in memory."""

    def __init__(self, body: int, memory: int) -> None:
        """Take bodies of ``body`` bytes, ``memory`` bytes in all."""
        self.body, self.memory = body, MemoryLimit(memory)


class Body:
    """The body of one request, as it comes and grows."""

    __slots__ = ("_limits", "_most", "held")

    def __init__(self, limits: Limits, most: int | None = None) -> None:
        """Take up to ``most`` bytes, or as many as ``limits`` says."""
        self._limits, self.held = limits, 0
        self._most = limits.body if most is None else min(most, limits.body)

    def read(self, receive: Receive, headers: dict[bytes, bytes]) -> Awaitable[bytes]:
        """Read it whole.

        Raises:
            Refusal: (also when it is awaited) it is too large, there is no room for it, or it does not come.

        """
        length = headers.get(b"content-length", b"")
        size = int(length) if length.isdigit() else SMALL_BODY
        if size > self._most:
            raise too_large(self._most)
        return self._parts(receive) if size < SMALL_BODY else self._parts_in_time(receive)

    async def _parts_in_time(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._parts(receive)
        except TimeoutError:
            raise Refusal(408, "timeout", f"The body did not come within {BODY_SECONDS} s.", "Send it again.") from None

    def clear(self, data: bytes, headers: dict[bytes, bytes]) -> bytes:
        """Give its content, decompressed where it is not.

        Raises:
            Refusal: it is damaged, becomes too large, or there is no room for it.

        """
        encoding = headers.get(b"content-encoding")
        if not encoding:
            return data
        clear = decompress(data, encoding.decode("latin-1").strip().lower(), self._most)
        self.held += self._limits.memory.take(len(clear))
        return clear

    async def _parts(self, receive: Receive) -> bytes:
        parts = list[bytes]()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            part: bytes = message.get("body", b"")
            if self.held + len(part) > self._most:
                raise too_large(self._most)
            self.held += self._limits.memory.take(len(part))
            if not message.get("more_body", False):
                return b"".join([*parts, part]) if parts else part
            parts.append(part)


class _Gone(Exception):
    """Nobody waits for the answer."""


def make_app(
    acceptance: Acceptance,
    doorkeeper: Doorkeeper,
    metrics: Metrics,
    limits: Limits,
    *,
    segment: Mapping[str, ASGIApp],
    origins: Sequence[str],
    live: LiveEndpoint,
) -> ASGIApp:
    """Give the application; ``segment`` answers the paths of Segment's API, pages of ``origins`` may send."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import Response
    from starlette.routing import Route

    async def healthz(_request: Request) -> Response:
        return Response(b'{"status": "ok"}', media_type="application/json")

    async def show_metrics(_request: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.text), media_type="text/plain; version=0.0.4")

    async def refuse(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = {404: "not_found", 405: "method"}.get(status, "http")
        refusal = Refusal(status, code, "There is nothing here.", "Events go to POST /v1/events/<source>.")
        return Response(refusal.body(), status, media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        acceptance.start()
        yield
        await acceptance.stop()

    routes = [Route("/healthz", healthz), Route("/metrics", show_metrics), tracker_route()]
    routes += [Route("/v1/live", live), Route(STREAM_PATH, live)]
    rest = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refuse})
    events = Origins(EventsEndpoint(acceptance, doorkeeper, metrics, limits), origins, metrics)

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Events pass the router by: it would take as long as all that is done with a small request.
        path = scope.get("path", "")
        return (events if path.startswith(EVENTS_PATH) else segment.get(path, rest))(scope, receive, send)

    return app


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")
