"""Queries that people keep and share with their role, and what each has asked lately."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from shoplake.access.identity import Identity
from shoplake.audit.recording import committing, showing
from shoplake.errors import NotFoundError
from shoplake.portal.callers import using
from shoplake.portal.refusals import documented
from shoplake.portal.service import Service, TheService
from shoplake.store.queries import MISSING, Queries, SavedQuery, new_query

router = APIRouter(prefix="/v1", tags=["SQL"])
Asker = Annotated[Identity, Depends(using("sql"))]
QueryId = Annotated[str, Path(max_length=60, description="As the list gives it.")]
ID_BYTES = 8


class GivenQuery(BaseModel):
    """A query to keep."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=120)]
    sql: Annotated[str, Field(min_length=1, max_length=200_000)]
    is_shared: bool = Field(False, description="Whether everybody of the author's role may read it.")


class KeptQuery(BaseModel):
    """A query that is kept."""

    query_id: str
    name: str
    sql: str
    author: str
    is_own: bool = Field(description="Only its author can change or delete a query.")
    is_shared: bool
    changed_at: dt.datetime


class PastQuery(BaseModel):
    """A query that the caller has asked at a browser."""

    query_id: str
    sql: str
    outcome: str = Field(description="`ok`, `failed` or `cancelled`.")
    rows: int | None
    seconds: float
    asked_at: dt.datetime


@router.get("/saved-queries", responses=documented(401, 403, 503))
async def saved(who: Asker, service: TheService) -> list[KeptQuery]:
    """List the queries that the caller keeps, and those that others share with the caller's role."""
    return await service.answer(who, lambda: [kept(query, who) for query in visible(service, who)])


@router.post("/saved-queries", status_code=201, responses=documented(400, 401, 403, 413, 503))
async def save(given: GivenQuery, who: Asker, service: TheService) -> KeptQuery:
    """Keep a query. Shared ones run with the rights of whoever runs them."""
    query = _made(secrets.token_hex(ID_BYTES), given, who)
    return await service.answer(who, lambda: _changed(service, who, query, "saved query add"))


@router.put("/saved-queries/{query_id}", responses=documented(400, 401, 403, 404, 413, 503))
async def change(query_id: QueryId, given: GivenQuery, who: Asker, service: TheService) -> KeptQuery:
    """Change a query of one's own; from then on it is shared, if it is, with the role that one has now."""
    query = _made(query_id, given, who)
    return await service.answer(who, lambda: _changed(service, who, query, "saved query change"))


@router.delete("/saved-queries/{query_id}", status_code=204, responses=documented(401, 403, 404, 503))
async def delete(query_id: QueryId, who: Asker, service: TheService) -> None:
    """Delete a query of one's own."""

    def act() -> None:
        _own(service, who, query_id)
        with committing(service.settings, "saved query delete", query=query_id):
            service.logins.now().queries().delete(query_id, who.name)

    await service.answer(who, act)


@router.get("/query-history", responses=documented(401, 403, 503))
async def history(who: Asker, service: TheService) -> list[PastQuery]:
    """List the last 200 queries that the caller has asked at a browser; nobody has those of others by this."""

    def look() -> list[PastQuery]:
        with showing(service.settings, "query history") as entry:
            found = service.logins.look(lambda now: now.queries().asked(who.name))
            entry.rows = len(found)
        return [
            PastQuery(
                query_id=one.query_id,
                sql=one.sql,
                outcome=one.outcome,
                rows=one.rows,
                seconds=one.ms / 1000,
                asked_at=one.asked_at.replace(tzinfo=dt.UTC),
            )
            for one in found
        ]

    return await service.answer(who, look)


@router.delete("/query-history", status_code=204, responses=documented(401, 403, 503))
async def forget(who: Asker, service: TheService) -> None:
    """Forget what the caller has asked. The audit log keeps its own record of it."""

    def act() -> None:
        with committing(service.settings, "query history delete"):
            service.logins.now().queries().forget(who.name)

    await service.answer(who, act)


def visible(service: Service, who: Identity, query_id: str | None = None) -> list[SavedQuery]:
    """Give the saved queries that somebody may read, or the one of an id; the record has no text of theirs."""
    with showing(service.settings, "saved queries", query=query_id) as entry:
        found = service.logins.look(lambda now: now.queries().visible(who.name, who.role, query_id))
        entry.rows = len(found)
        return found


def kept(query: SavedQuery, who: Identity) -> KeptQuery:
    """Give a query as the API does."""
    return KeptQuery(
        query_id=query.query_id,
        name=query.name,
        sql=query.sql,
        author=query.user_name,
        is_own=query.user_name == who.name,
        is_shared=query.is_shared,
        changed_at=query.changed_at.replace(tzinfo=dt.UTC),
    )


def _made(query_id: str, given: GivenQuery, who: Identity) -> SavedQuery:
    return new_query(query_id, who.name, who.role, given.name, given.sql, is_shared=given.is_shared)


def _changed(service: Service, who: Identity, query: SavedQuery, action: str) -> KeptQuery:
    is_new = action.endswith("add")
    if not is_new:
        _own(service, who, query.query_id)
    # The texts stay in the store: a record of the log would keep them when they are deleted here.
    with committing(service.settings, action, query=query.query_id, is_shared=query.is_shared):
        queries: Queries = service.logins.now().queries()
        (queries.save if is_new else queries.change)(query)
    return kept(query, who)


def _own(service: Service, who: Identity, query_id: str) -> None:
    """Pass a query that is somebody's own, before a change of it goes on record."""
    found = service.logins.look(lambda now: now.queries().visible(who.name, who.role, query_id))
    if not any(query.user_name == who.name for query in found):
        raise NotFoundError(MISSING, hint="Only its author can change or delete a query.")
