"""KPIs: what `shoplake kpi` and `shoplake kpis` give as the person who asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from shoplake.access.identity import Identity
from shoplake.access.kpi import KpiAnswer, answer, answer_all
from shoplake.access.kpi_asking import filters
from shoplake.access.rendering import csv_text, json_text
from shoplake.access.rights import Rights
from shoplake.portal.callers import using
from shoplake.portal.refusals import documented
from shoplake.portal.service import Service, TheService

router = APIRouter(prefix="/v1/kpis", tags=["KPIs"])
CONTENT = {"application/json": {"schema": {}}, "text/csv": {"schema": {"type": "string"}}}
ANSWERS = documented(400, 401, 403, 404, 503) | {200: {"description": "The answer.", "content": CONTENT}}
Style = Literal["json", "csv"]
Day = Annotated[str | None, Query(max_length=10, description="Business day, such as 2026-01-31.")]
Release = Annotated[str | None, Query(max_length=60, description="Id of a kept release; the current one by default.")]
Names = Annotated[list[str], Query(max_length=20, description="A dimension; may be repeated.")]
Pairs = Annotated[list[str], Query(max_length=100, description="DIMENSION=VALUE to keep; may be repeated.")]


@router.get("", response_class=Response, responses=ANSWERS)
async def every(
    who: Annotated[Identity, Depends(using("kpis"))],
    service: TheService,
    from_: Annotated[Day, Query(alias="from")] = None,
    to: Day = None,
    team: Annotated[str | None, Query(max_length=60)] = None,
    release: Release = None,
    format: Style = "json",  # noqa: A002 - the parameter's name
) -> Response:
    """Answer every KPI that the caller may see, by its default definition and without groups."""
    check_style(service, who, format)
    ask = partial(
        answer_all, service.settings, from_=from_, to=to, release=release, team=team, identity=who, warm=service.warm
    )
    found = await service.answer(who, ask)
    if format == "csv":
        return csv_answer([one.overview() for one in found])
    return json_answer(json_text([{k: v for k, v in one.as_dict().items() if k != "rows"} for one in found]))


@router.get("/{name}", response_class=Response, responses=ANSWERS)
async def one(
    name: str,
    who: Annotated[Identity, Depends(using("kpi"))],
    service: TheService,
    from_: Annotated[Day, Query(alias="from")] = None,
    to: Day = None,
    by: Names = [],  # noqa: B006 - FastAPI copies it
    where: Pairs = [],  # noqa: B006
    definition: Annotated[str | None, Query(max_length=60)] = None,
    release: Release = None,
    format: Style = "json",  # noqa: A002 - the parameter's name
) -> Response:
    """Answer one KPI, by any of its dimensions."""
    check_style(service, who, format)
    ask = partial(
        answer,
        service.settings,
        name,
        from_=from_,
        to=to,
        by=by,
        where=filters(where),
        definition=definition,
        release=release,
        identity=who,
        warm=service.warm,
    )
    found = await service.answer(who, lambda: _rendered(ask()))
    return csv_answer(found.flat_rows()) if format == "csv" else json_answer(found.json)


def _rendered(found: KpiAnswer) -> KpiAnswer:
    """Have the text made in the thread of the answer: a long one would hold up the loop."""
    _ = found.json
    return found


def check_style(service: Service, who: Identity, style: Style) -> None:
    """Pass JSON, which is how programs and pages read a KPI; a file to keep is an export.

    Raises:
        AccessDenied: the caller may not export KPIs.

    """
    if style != "json":
        rights = Rights.of(service.settings, who)
        rights.require(rights.may_export("kpi"), "export from kpi (ask for JSON instead)")


def json_answer(text: str) -> Response:
    """Give an answer with the very JSON that the command prints."""
    return Response(f"{text}\n", media_type="application/json")


def csv_answer(rows: Sequence[dict[str, object]]) -> Response:
    """Give an answer with the very CSV that the command prints."""
    return Response(csv_text(rows), media_type="text/csv; charset=utf-8")
