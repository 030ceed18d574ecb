"""Whether the service is there, and what it counts."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from shoplake.access.identity import Identity
from shoplake.portal.callers import using
from shoplake.portal.refusals import documented
from shoplake.portal.service import TheService

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The service answers."""

    status: str


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the service answers."""
    return Health(status="ok")


@router.get("/metrics", response_class=Response, responses=documented(401, 403, 503))
async def metrics(_who: Annotated[Identity, Depends(using("status"))], service: TheService) -> Response:
    """Give the counts of the service, and of the collector where it runs, in Prometheus' text format."""
    text = await asyncio.to_thread(lambda: service.metrics.text() + service.more_metrics())
    return Response(text, media_type="text/plain; version=0.0.4")
