"""Which web pages may send from a browser (CORS)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from shoplake.collector.refusal import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from shoplake.collector.metrics import Metrics

REMEMBER_SECONDS = 7200
"""How long a browser need not ask again; none remembers it for longer."""
HEADERS = ("authorization", "content-encoding", "content-type", "idempotency-key")


class Origins:
    """Lets requests of allowed origins in, and those that no browser sent for a page of another origin.

    A browser alone would not keep others out: a request that it sends without asking first arrives all the same.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str], metrics: Metrics) -> None:
        """Give ``app`` the requests of pages of ``allowed`` origins (``*`` for any), and of its own."""
        from starlette.middleware.cors import CORSMiddleware

        self._app, self._metrics = app, metrics
        self._allowed = {origin.encode() for origin in allowed}
        self._shared = CORSMiddleware(
            app,
            allow_origins=list(allowed),
            allow_methods=["POST"],
            allow_headers=HEADERS,
            expose_headers=["retry-after"],
            max_age=REMEMBER_SECONDS,
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request; most come from no browser, and pass at once."""
        for name, origin in scope["headers"]:
            if name == b"origin":
                return self._from_page(origin, scope, receive, send)
        return self._app(scope, receive, send)

    async def _from_page(self, origin: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import Response

        if origin in self._allowed or b"*" in self._allowed:
            await self._shared(scope, receive, send)
        elif origin.partition(b"://")[2] == dict(scope["headers"]).get(b"host"):
            await self._app(scope, receive, send)
        else:
            refusal = Refusal(
                403,
                "origin",
                "Pages of this origin may not send events.",
                "Add it to the setting collector_allowed_origins.",
            )
            self._metrics.requests["403"] += 1
            await Response(refusal.body(), 403, media_type="application/json")(scope, receive, send)
