"""The queries that are running, and how one is stopped."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from shoplake.access.identity import Identity
from shoplake.access.rights import Rights
from shoplake.access.sandbox import RunningQuery
from shoplake.audit.recording import committing, showing
from shoplake.errors import NotFoundError
from shoplake.portal.callers import SignedIn
from shoplake.portal.refusals import documented
from shoplake.portal.service import Service, TheService

router = APIRouter(prefix="/v1/queries", tags=["SQL"])
CONSOLE = "queries"
"""Whose users see and stop the queries of others too."""


class Running(BaseModel):
    """A query that waits or runs."""

    query_id: str
    user: str
    role: str
    started_at: dt.datetime
    seconds: float = Field(description="Since it came.")
    release: str | None = Field(description="As asked for; null for the current one.")
    sql: str | None = Field(description="Of one's own queries only: what others ask is theirs and the auditors'.")


@router.get("", responses=documented(401, 503))
async def running(who: SignedIn, service: TheService) -> list[Running]:
    """List the caller's running queries; those of others too for users of the console `queries`."""

    def look() -> list[Running]:
        with showing(service.settings, "queries") as entry:
            found = [_shown(query, who.identity) for query in _visible(service, who.identity)]
            entry.rows = len(found)
            return found

    return await service.answer(who.identity, look)


@router.delete("/{query_id}", status_code=204, responses=documented(401, 404, 503))
async def cancel(
    query_id: Annotated[str, Path(max_length=60, description="As the list and the header Shoplake-Query give it.")],
    who: SignedIn,
    service: TheService,
) -> None:
    """Stop a running query: one's own, or any for users of the console `queries`."""
    await service.answer(who.identity, lambda: _cancel(service, who.identity, query_id))


def _cancel(service: Service, identity: Identity, query_id: str) -> None:
    found = next((query for query in _visible(service, identity) if query.query_id == query_id), None)
    if found is None:
        raise NotFoundError("No such query of yours is running.", hint="GET /v1/queries lists those that are.")
    with committing(service.settings, "cancel query", query=query_id, user=found.user):
        service.sandbox.cancel(query_id)


def _visible(service: Service, identity: Identity) -> list[RunningQuery]:
    sees_all = Rights.of(service.settings, identity).may_use(CONSOLE).is_allowed
    return [query for query in service.sandbox.running() if sees_all or query.user == identity.name]


def _shown(query: RunningQuery, identity: Identity) -> Running:
    return Running(
        query_id=query.query_id,
        user=query.user,
        role=query.role,
        started_at=query.started_at,
        seconds=round((dt.datetime.now(dt.UTC) - query.started_at).total_seconds(), 3),
        release=query.release,
        sql=query.sql if query.user == identity.name else None,
    )
