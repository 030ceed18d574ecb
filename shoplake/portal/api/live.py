"""The last hour of the streams, as JSON or as Server-Sent Events, for people: each half by the right to its mart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoplake.access.identity import Identity
from shoplake.access.rights import Rights
from shoplake.audit.entry import Actor, acting_as
from shoplake.audit.recording import showing
from shoplake.collector.live import EVENT_STREAM, live_event
from shoplake.collector.refusal import Refusal
from shoplake.errors import BusyError, ShoplakeError
from shoplake.portal.callers import BEARER, COOKIE, caller, require_console, using
from shoplake.portal.refusals import documented

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from shoplake.live.process import Counts
    from shoplake.portal.service import Service

router = APIRouter(prefix="/v1", tags=["live"])
CONSOLE = "live"
MARTS = {"web_events": "mart_marketing__events_day", "interactions": "mart_support__interactions"}
"""Each half of the window, and the table whose rows it becomes: who may see the one may see the other."""
LOOK_SECONDS = 5.0
"""So often a stream looks whether its reader may still read."""
CONTENT: dict[str, Any] = {"application/json": {"schema": {}}, "text/event-stream": {"schema": {"type": "string"}}}


@router.get(
    "/live",
    response_class=Response,
    responses=documented(401, 403, 503) | {200: {"description": "The counts.", "content": CONTENT}},
)
async def live(request: Request, who: Annotated[Identity, Depends(using(CONSOLE))]) -> Response:
    """Give the counts of the last 60 minutes, with `Accept: text/event-stream` again and again.

    They have the half of web events for who may see marketing's mart of them, that of interactions for support's.
    """
    service: Service = request.app.state.service
    rights = Rights.of(service.settings, who)
    shown = halves(rights)
    wants_stream = EVENT_STREAM.decode() in request.headers.get("accept", "")
    try:
        if wants_stream:
            service.live.check_room()
        counts = await service.live.first()
    except Refusal as refusal:
        raise BusyError("The live window is not filled yet, or followed by too many.", hint="Ask again.") from refusal
    await service.answer(who, lambda: record(service, shown, is_stream=wants_stream))
    if not wants_stream:
        return Response(part_of(counts.json, shown), media_type="application/json")
    return LiveStream(service, request, shown)


def halves(rights: Rights) -> tuple[str, ...]:
    """Give the parts of the window that a person may see."""
    return tuple(name for name, mart in MARTS.items() if rights.table(mart).is_allowed)


def record(service: Service, shown: tuple[str, ...], *, is_stream: bool = False) -> None:
    """Put on record that somebody looks: one record for all that a stream shows."""
    tables = [f"{name} (live)" for name in shown]
    with showing(service.settings, CONSOLE, tables=tables, is_stream=is_stream):
        pass


def part_of(json: bytes, shown: tuple[str, ...]) -> bytes:
    """Leave out of the counts what a person may not see."""
    counts: dict[str, msgspec.Raw] = msgspec.json.decode(json, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: part for name, part in counts.items() if name not in MARTS or name in shown})


class LiveStream(Response):
    """Server-Sent Events: `live` with the counts; `collector` says whether events are taken at this address."""

    def __init__(self, service: Service, request: Request, shown: tuple[str, ...]) -> None:
        """Follow the window for who asked."""
        super().__init__()
        self._service, self._shown = service, shown
        self._may_read = _looking(service, request)
        self._collector = ""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until either side ends it, or the reader may read no longer."""
        await self._service.live.follow(receive, send, self._event)

    async def _event(self, counts: Counts) -> bytes | None:
        if not await self._may_read():
            return None
        state, said = collector_state(self._service), b""
        if state != self._collector:
            self._collector, said = state, f"event: collector\ndata: {state}\n\n".encode()
        return said + live_event(part_of(counts.json, self._shown))


def collector_state(service: Service) -> str:
    """Say of the collector: ``open``, ``shut`` for now, or ``none`` at this address."""
    if service.is_collecting is None:
        return "none"
    return "open" if service.is_collecting() else "shut"


def _looking(service: Service, request: Request) -> Callable[[], Awaitable[bool]]:
    """Give what says whether a reader may still read: it looks every few seconds."""
    looked_at, known = time.monotonic(), True

    async def look() -> bool:
        nonlocal looked_at, known
        if time.monotonic() - looked_at > LOOK_SECONDS:
            looked_at = time.monotonic()
            try:
                who = await caller(request, await BEARER(request), await COOKIE(request))
                await require_console(service, who.identity, CONSOLE)
            except ShoplakeError:
                known = False
        return known

    return look


async def snapshot(service: Service, who: Identity) -> dict[str, Any]:
    """Give the counts as they are now to somebody who may see them; it is on record.

    Raises:
        BusyError: the window is not filled yet.

    """
    shown = halves(Rights.of(service.settings, who))
    try:
        counts = await service.live.first()
    except Refusal as refusal:
        raise BusyError("The live window is not filled yet.", hint="Ask again.") from refusal

    def shown_of() -> dict[str, Any]:
        record(service, shown)
        found: dict[str, Any] = msgspec.json.decode(part_of(counts.json, shown))
        return found

    with acting_as(Actor(who.name, who.role)):
        return await service.answering.run(shown_of)
