"""The application: what it is made of, and which routes it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from shoplake import __version__
from shoplake.portal.api import documentation, health, kpis, live, queries, saved_queries, sessions, sign_on, sql
from shoplake.portal.pages.router import add_pages
from shoplake.portal.refusals import add_handlers, documented
from shoplake.portal.service import Service

if TYPE_CHECKING:
    from shoplake.portal.hosted_collector import HostedCollector
    from shoplake.settings import Settings

ROUTERS = (
    documentation.router,
    health.router,
    sessions.router,
    sign_on.router,
    kpis.router,
    sql.router,
    queries.router,
    saved_queries.router,
    live.router,
)
"""Every router of the service; a new module of routes is added here."""
OPEN = frozenset(
    ["/healthz", "/v1/openapi.json", "/v1/docs", "/v1/sign-on", "/v1/sign-on/callback", "POST /v1/sessions"]
)
"""Routes (a path, or a method with a path) for everybody; every other one asks who calls."""
ABOUT = """KPIs and SQL for people and programs, each within their rights.

A program sends `Authorization: Bearer TOKEN`. A browser signs in by `POST /v1/sessions`, keeps the cookie, and sends
the header `X-CSRF-Token` with every request that changes something. Every failure has one shape: `{"error": {"code",
"message", "hint"}}`.
"""


def make_app(settings: Settings, service: Service | None = None, collector: HostedCollector | None = None) -> FastAPI:
    """Make the application over a home; its lifespan opens the service and closes it.

    Args:
        settings: the home.
        service: its state, for who needs to hold it too.
        collector: kept open beside it.

    """
    state = service or Service(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            opened.enter_context(state.running())
            if collector is not None:
                state.more_metrics, state.is_collecting = collector.metrics, lambda: collector.is_open
                keeping = asyncio.create_task(collector.run())
                opened.push_async_callback(asyncio.wait_for, keeping, None)
                opened.callback(collector.stop)
            yield

    app = FastAPI(
        title="shoplake",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = state
    add_handlers(app)
    for router in ROUTERS:
        app.include_router(router, responses=documented(422, 500))
    add_pages(app)
    return app
