"""SQL: `POST /v1/sql` answers one SELECT in the sandbox, in any format."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from shoplake.access.formats import FORMATS, About, Format, chosen
from shoplake.access.identity import Identity
from shoplake.access.rights import Rights
from shoplake.access.sandbox import Answer, Question
from shoplake.audit.entry import Actor, acting_as
from shoplake.audit.recording import showing
from shoplake.errors import QueryCancelled
from shoplake.portal.callers import using
from shoplake.portal.refusals import documented
from shoplake.portal.service import Service
from shoplake.store.queries import AskedQuery
from shoplake.store.users import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive

router = APIRouter(prefix="/v1/sql", tags=["SQL"])
WHOLE_BYTES = 1 << 18
"""An answer of fewer bytes goes out in one piece."""
CANCEL_SECONDS = 0.2
Parameter = bool | int | float | str | None
Name = Annotated[str, Field(min_length=1, max_length=60)]
EXAMPLE: dict[str, Any] = {
    "sql": "SELECT region, sum(net_amount) FROM sales.mart_sales__store_day WHERE sale_date >= ? GROUP BY region",
    "params": ["2026-01-01"],
    "limit": 100,
}
ANSWER_EXAMPLE: dict[str, Any] = {
    "release": "20260302T060000Z-1a2b3c",
    "query_id": "5f0c1d2e3a4b5c6d",
    "is_cut": False,
    "columns": [{"name": "region", "type": "VARCHAR"}, {"name": "sum(net_amount)", "type": "DECIMAL(38,2)"}],
    "row_count": 2,
    "rows": [["North", "1204.50"], ["South", "998.10"]],
}


class SqlQuestion(BaseModel):
    """One SELECT (or EXPLAIN) over a release."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    sql: Annotated[str, Field(min_length=1, max_length=200_000, description="DuckDB's SQL; tables: database.table.")]
    params: Annotated[
        list[Parameter] | dict[str, Parameter],
        Field(description="Values of its `?`, or by name of its `$name`. Dates and exact numbers are given as text."),
    ] = []
    database: Annotated[Name | None, Field(description="Where tables named without a database are.")] = None
    release: Annotated[Name | None, Field(description="Id of a kept release; the current one by default.")] = None
    format: Annotated[
        Literal["json", "csv", "arrow", "parquet", "xlsx"] | None,
        Field(description="By default what `Accept` asks for, or else JSON."),
    ] = None
    limit: Annotated[
        int | None,
        Field(
            ge=1, description="Most rows; by default a page of them in JSON, and all that a query may give in files."
        ),
    ] = None
    seconds: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="Most seconds; never above the setting.")
    ] = None


class Column(BaseModel):
    """A column of an answer."""

    name: str
    type: str = Field(description="Its SQL type, such as DECIMAL(18,2).")


class SqlAnswer(BaseModel):
    """An answer in JSON. What JSON's numbers cannot hold exactly is text; see docs/connect."""

    model_config = ConfigDict(json_schema_extra={"examples": [ANSWER_EXAMPLE]})

    release: str
    query_id: str
    is_cut: bool = Field(description="There were more rows than the limit.")
    columns: list[Column]
    row_count: int
    rows: list[list[Any]]


BODIES: dict[str, Any] = {
    one.media_type: {"schema": {"type": "string", "format": "binary"}} for one in FORMATS.values() if one.name != "json"
}


@router.post(
    "",
    response_class=Response,
    responses={
        200: {"model": SqlAnswer, "description": "The rows, in the format that was asked for.", "content": BODIES},
        **documented(400, 401, 403, 404, 409, 413, 422, 503),
    },
)
async def ask(
    given: SqlQuestion,
    request: Request,
    who: Annotated[Identity, Depends(using("sql"))],
) -> Response:
    """Answer one SELECT, within the caller's rights and the limits of the service.

    JSON is a page of rows to look at. More rows than a page, and every other format, take rows out: that needs the
    export `sql`. A caller who hangs up ends the query.
    """
    service: Service = request.app.state.service
    form = chosen(given.format, request.headers.get("accept", ""))
    question = permitted(service, who, given, form)
    query_id = secrets.token_hex(8)
    act = partial(answered, service, who, question, query_id, form)
    is_looked_at = form.name == "json" and "authorization" not in request.headers
    keeping = remembering(service, who, given.sql, query_id) if is_looked_at else nullcontext(list[int]())
    with keeping as asked:
        answering = asyncio.ensure_future(service.asking.run(act))
        answer = await _unless_gone(answering, request.receive, partial(service.sandbox.cancel, query_id))
        asked.append(int(answer.headers["shoplake-rows"]))
    return answer


@contextmanager
def remembering(service: Service, who: Identity, sql: str, query_id: str) -> Iterator[list[int]]:
    """Keep a question in its person's history; the block adds the number of rows that it was answered with."""
    asked_at, started, rows, outcome = now(), time.perf_counter(), list[int](), "failed"
    try:
        yield rows
        outcome = "ok"
    except QueryCancelled:
        outcome = "cancelled"
        raise
    finally:
        ms = round((time.perf_counter() - started) * 1000)
        number = rows[0] if rows else None
        service.remembering.keep(AskedQuery(query_id, who.name, sql, outcome, number, ms, asked_at))


def permitted(service: Service, who: Identity, given: SqlQuestion, form: Format) -> Question:
    """Give what the sandbox is asked: a page for everybody who may ask, more for those who may export.

    Raises:
        AccessDenied: more than a page is asked for, or a file, and the caller may not export; it is on record.

    """
    page_rows = service.settings.service_page_rows
    is_page = form.name == "json" and (given.limit is None or given.limit <= page_rows)
    noted: dict[str, object] = {"format": form.name} | ({} if is_page else {"is_export": True})
    if not is_page:
        rights = Rights.of(service.settings, who)
        decision = rights.may_export("sql")
        if not decision.is_allowed:
            with acting_as(Actor(who.name, who.role)), showing(service.settings, "sql", sql=given.sql, **noted):
                rights.require(decision, f"export from sql (ask for JSON of at most {page_rows:,} rows instead)")
    return Question(
        sql=given.sql,
        parameters=given.params,
        database=given.database,
        release=given.release,
        row_limit=page_rows if given.limit is None and is_page else given.limit,
        seconds=given.seconds,
        noted=noted,
    )


def answered(service: Service, who: Identity, question: Question, query_id: str, form: Format) -> Response:
    """Answer in a thread; what is short is written there too, and sent whole."""
    answer = service.sandbox.answer(who, question, query_id=query_id)
    about = About(answer.release, answer.query_id, answer.is_cut)
    pieces = form.write(answer.table, about)
    begun, size = [], 0
    for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if size >= WHOLE_BYTES:
            return StreamingResponse(chain(begun, pieces), headers=_headers(answer, form, about))
    return Response(b"".join(begun), headers=_headers(answer, form, about))


def _headers(answer: Answer, form: Format, about: About) -> dict[str, str]:
    headers = {
        "content-type": f"{form.media_type}; charset=utf-8" if form.name == "csv" else form.media_type,
        "shoplake-release": answer.release,
        "shoplake-query": answer.query_id,
        "shoplake-cut": "true" if answer.is_cut else "false",
        "shoplake-rows": str(answer.table.num_rows),
    }
    if form.name != "json":
        headers["content-disposition"] = f'attachment; filename="{form.file_name(about)}"'
    return headers


async def _unless_gone(answering: asyncio.Future[Response], receive: Receive, cancel: Callable[[], bool]) -> Response:
    """Wait for an answer; where the client hangs up first, cancel the query, whose failure is then nobody's to see."""
    gone = asyncio.ensure_future(_gone(receive))
    both: set[asyncio.Future[Any]] = {answering, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        while not answering.done():  # as long as it waits for a thread there is nothing to cancel yet
            cancel()
            await asyncio.wait({answering}, timeout=CANCEL_SECONDS)
        return await answering
    finally:
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
