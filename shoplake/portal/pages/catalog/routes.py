"""The routes of the catalogue: all of it, what a search finds, and a page for each thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from shoplake.portal.pages.answering import PageRoute, administrators, nothing_there
from shoplake.portal.pages.catalog.about import facts, inputs, sample, uses
from shoplake.portal.pages.catalog.columns import column_rows, guard_rows
from shoplake.portal.pages.catalog.finding import hits, index_of
from shoplake.portal.pages.catalog.listing import sections
from shoplake.portal.pages.catalog.naming import PATH, kind_of, layer_title, owner_of
from shoplake.portal.pages.catalog.sight import Sight
from shoplake.portal.pages.catalog.ways import way_of
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.rendering import page, part, text_of
from shoplake.portal.pages.visitors import Visitor, visiting

if TYPE_CHECKING:
    from shoplake.catalogue.entries import Entry

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Visitor, Depends(visiting("catalog"))]
MOST_FOUND, MOST_PROPOSED = 60, 9


@router.get(PATH)
async def catalog(request: Request, visitor: Reader, q: str = "") -> Response:
    """Show everything that there is, or what fits some words."""
    if "q" in request.query_params and not q.strip():
        return RedirectResponse(PATH, 303)
    return await visitor.service.browsing.run(lambda: _listed(request, visitor, q.strip()))


@router.get(f"{PATH}/search")
async def search(request: Request, visitor: Reader, q: str = "") -> Response:
    """Give what fits best, as proposals while somebody types."""

    def made() -> str:
        sight, index = _before(visitor)
        found = index.find(q, MOST_PROPOSED)
        return text_of("catalog_proposals.html", visitor.language, hits=hits(sight, found, q), query=q.strip())

    return part(request, await visitor.service.browsing.run(made))


@router.get(f"{PATH}/{{kind}}/{{name}}")
async def entry(kind: str, name: str, request: Request, visitor: Reader, column: str = "") -> Response:
    """Show one source, table or KPI; with ``column`` the lineage of that column."""
    return await visitor.service.browsing.run(lambda: _shown(request, visitor, kind, name, column))


def _before(visitor: Visitor) -> tuple[Sight, Any]:
    catalogue, index = index_of(visitor.service.settings)
    return Sight(visitor.viewer(), catalogue), index


def _listed(request: Request, visitor: Visitor, query: str) -> Response:
    sight, index = _before(visitor)
    found = index.find(query, MOST_FOUND) if query else []
    shown = {
        "query": query,
        "hits": hits(sight, found, query),
        "is_cut": len(found) == MOST_FOUND,
        "sections": [] if query else sections(sight),
    }
    return _page("catalog.html", request, visitor, sight, shown)


def _shown(request: Request, visitor: Visitor, kind: str, name: str, column: str) -> Response:
    sight, _ = _before(visitor)
    found = sight.catalogue.find(kind, name)
    if found is None:
        raise nothing_there("The catalogue has nothing of this name.")
    if column and found.column(column) is None:
        raise nothing_there("There is no such column.")
    return _page("catalog_entry.html", request, visitor, sight, _about(visitor, sight, found, column))


def _about(visitor: Visitor, sight: Sight, found: Entry, column: str) -> dict[str, Any]:
    language, kpi = visitor.language, sight.catalogue.kpis.get(found.ref.name) if found.kind == "kpi" else None
    sql, sql_address = sample(sight, found)
    may_open = kpi is not None and kpi in sight.viewer.kpis(kpi.team)
    return {
        "entry": found,
        "kpi": kpi,
        "heading": language.text(found.title) if kpi else found.title,
        "kind_text": kind_of(language, found),
        "layer_text": layer_title(language, found.layer),
        "lock": sight.lock(found),
        "ask": ", ".join([owner_of(language, found.owner), *administrators(visitor.service)]),
        "facts": list(facts(sight, found)),
        "inputs": inputs(sight, found),
        "columns": column_rows(sight, found, column),
        "column": column,
        "way": way_of(sight, found.ref._replace(column=column)),
        "guards": guard_rows(sight, found),
        "uses": uses(sight, found),
        "is_short": found.kind == "table" and not sql,
        "sample": sql,
        "sample_address": sql_address,
        "figure_address": f"/{kpi.team}/{kpi.name}" if kpi and may_open else "",
    }


def _page(template: str, request: Request, visitor: Visitor, sight: Sight, shown: dict[str, Any]) -> Response:
    around = frame(request, visitor, sight.viewer, "", Filters())
    return page(template, visitor.language, visitor.theme, **around, **({"query": ""} | shown))
