"""What every request passes first and every answer last: the host's name, the headers, the counts, the dispatch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from shoplake.keys.tls import LOCAL_NAMES
from shoplake.portal.refusals import failed, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shoplake.portal.hosted_collector import HostedCollector
    from shoplake.portal.service import Service

HEALTH = "/healthz"
HEADERS = {
    b"strict-transport-security": b"max-age=31536000",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-embedder-policy": b"require-corp",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""Headers of every answer that does not bring its own."""
COLLECTOR, UNKNOWN = "collector", "unknown"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Front:
    """The whole service as one ASGI application."""

    def __init__(self, app: ASGIApp, service: Service, collector: HostedCollector | None = None) -> None:
        """Hand requests to the collector where it takes their path, and to ``app`` else."""
        self._app, self._service, self._collector = app, service, collector
        settings = service.settings
        self._hosts = {name.lower() for name in (*LOCAL_NAMES, *settings.tls_names, *settings.service_hosts)}
        self._hosts |= {name.lower() for name in service.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever happens, in the one shape and with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        started = time.perf_counter()
        is_collectors = self._collector is not None and self._collector.takes(scope)
        try:
            if scope["path"] != HEALTH and _host(scope["headers"]) not in self._hosts:
                await refusal(421)(scope, receive, answer)
            elif is_collectors:
                assert self._collector is not None  # noqa: S101 - it takes the request
                await self._collector(scope, receive, answer)
            else:
                limit = self._service.settings.service_body_limit_bytes
                await self._app(scope, _Limited(scope, receive, limit), answer)
        except Exception as error:  # noqa: BLE001 - the last place where it can be answered
            if answer.status is None:
                what = f"{_method(scope)} {COLLECTOR if is_collectors else _route(scope)}"
                await failed(error, what)(scope, receive, answer)
        route = COLLECTOR if is_collectors else _route(scope)
        self._service.metrics.answered(route, _method(scope), answer.status or 0, time.perf_counter() - started)


class _Limited:
    """Takes a request's body, up to a number of bytes."""

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        self._receive, self._most, self._taken = receive, most, 0
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        self._said = int(length) if length.isdigit() else 0

    async def __call__(self) -> Message:
        if self._said > self._most:
            raise HTTPException(413)
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > self._most:
            raise HTTPException(413)
        return message


class _Answer:
    """Sends an answer on, with the headers that it lacks."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
            names = {name.lower() for name, _ in own}
            message = {**message, "headers": own + [pair for pair in HEADERS.items() if pair[0] not in names]}
        await self._send(message)


def _host(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Give the name in the header Host, without its port."""
    host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _route(scope: dict[str, Any] | Scope) -> str:
    return str(getattr(scope.get("route"), "path", UNKNOWN))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "other"
