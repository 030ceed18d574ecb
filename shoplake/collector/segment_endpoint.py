"""Segment's HTTP API: its libraries send to the collector with a producer's key as their write key."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import threading
from typing import TYPE_CHECKING

from shoplake.collector.app import Body, EventsEndpoint, Limits
from shoplake.collector.origins import Origins
from shoplake.collector.refusal import Refusal
from shoplake.collector.segment import BATCH, Mapped, SegmentMapper
from shoplake.collector.user_agent import read_agent

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope

    from shoplake.collector.acceptance import Acceptance
    from shoplake.collector.doorkeeper import Doorkeeper
    from shoplake.collector.metrics import Metrics
    from shoplake.settings import Settings
    from shoplake.store.producers import Producer

TYPES = ("page", "track", "identify", "screen", "group", "alias")
KINDS = {f"/v1/{name}": kind for kind in (BATCH, *TYPES) for name in (kind, kind[0])} | {"/v1/import": BATCH}
"""Kind of body by path; analytics.js uses the first letters."""
SESSION_KEY = "segment_sessions"
"""Data key that hides anonymous ids; a rotation ends the visits that are under way."""
KEYLESS_BYTES = 512_000
"""Largest body that is read before its key is known, for analytics.js sends the key in it; Segment takes no more."""
INLINE_BYTES = 16_384
"""A larger body is mapped in a thread, so that others do not wait for it."""


class SegmentEndpoint(EventsEndpoint):
    """``POST /v1/batch``, ``/v1/page``, ``/v1/track`` and their like."""

    def __init__(
        self,
        acceptance: Acceptance,
        doorkeeper: Doorkeeper,
        metrics: Metrics,
        limits: Limits,
        mapper: SegmentMapper,
        most_events: int,
    ) -> None:
        """Map by ``mapper``, up to ``most_events`` messages a request."""
        super().__init__(acceptance, doorkeeper, metrics, limits)
        self._mapper, self._most_events = mapper, most_events

    async def _accept(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise Refusal(405, "method", "Messages are sent by POST.")
        headers = dict(scope["headers"])
        authorization = _bearer(headers.get(b"authorization", b"").decode("latin-1"))
        producer = self._admit(authorization) if authorization else None
        body = Body(self._limits, None if producer else KEYLESS_BYTES)
        try:
            content = body.clear(await body.read(receive, headers), headers)
            producer = producer or self._admit(f"Bearer {_key_in(content)}")
            return await self._take(content, KINDS[scope["path"]], producer)
        finally:
            self._limits.memory.give_back(body.held)

    def _admit(self, authorization: str) -> Producer:
        return self._doorkeeper.admit(authorization, self._mapper.source)

    async def _take(self, content: bytes, kind: str, producer: Producer) -> bytes:
        if len(content) > INLINE_BYTES:
            mapped = await asyncio.to_thread(self._mapper.map, content, kind, self._most_events)
        else:
            mapped = self._mapper.map(content, kind, self._most_events)
        if mapped.ignored:
            self._doorkeeper.charge(producer, mapped.ignored.total())
        answer = b"{}"
        if mapped.lines:
            # Each message has an id of its own, which makes retries safe: their bodies differ by the time of sending.
            answer = await self._acceptance.accept(self._mapper.source, producer, b"\n".join(mapped.lines), "")
        for called, count in mapped.ignored.items():
            self._metrics.ignored[called] += count
        return _answer(answer, mapped)


def segment_paths(
    settings: Settings, acceptance: Acceptance, doorkeeper: Doorkeeper, metrics: Metrics, limits: Limits
) -> dict[str, ASGIApp]:
    """Give what answers each path of Segment's API; nothing where it is off.

    Raises:
        InputError: ``collector_segment_source`` is no stream source.

    """
    from shoplake.keys.keyring import Keyring
    from shoplake.lake.streaming import stream_contract

    if not settings.collector_segment_source:
        return {}
    contract = stream_contract(settings, settings.collector_segment_source)
    key = Keyring.open(settings).current(SESSION_KEY).secret
    mapper = SegmentMapper(contract, key, settings.timezone)
    # Its rules take a quarter of a second to load: the first message would have everybody wait for them.
    threading.Thread(target=read_agent, args=[""], name="browsers", daemon=True).start()
    endpoint = SegmentEndpoint(acceptance, doorkeeper, metrics, limits, mapper, settings.collector_event_limit)
    return dict.fromkeys(KINDS, Origins(endpoint, settings.collector_allowed_origins, metrics))


def _answer(taken: bytes, mapped: Mapped) -> bytes:
    """Give Segment's answer, and what became of the messages, each named by its place in the batch."""
    answer = {"success": True, "accepted": 0, "quarantined": 0, "duplicates": 0, "reasons": []} | json.loads(taken)
    answer["reasons"] = [bad | {"index": mapped.places[bad["index"]]} for bad in answer["reasons"]]
    return json.dumps(answer | {"ignored": dict(mapped.ignored)}).encode()


def _bearer(authorization: str) -> str:
    """Give a header with the key as a bearer's, which Segment's libraries send as the user of Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        user = base64.b64decode(value.strip(), validate=True).decode("latin-1").partition(":")[0]
    except binascii.Error:
        return authorization
    return f"Bearer {user}"


def _key_in(content: bytes) -> str:
    import msgspec

    try:
        key = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("writeKey")
        return msgspec.json.decode(key, type=str) if key is not None else ""
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
