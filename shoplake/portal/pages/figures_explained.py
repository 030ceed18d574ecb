"""The page behind each figure: what it means, what it was made of, and its tables by every dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shoplake.errors import NotFoundError
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.assets import load_assets
from shoplake.portal.pages.boards import TEAMS, Panel, wholes
from shoplake.portal.pages.choices import choosers
from shoplake.portal.pages.explained import explained
from shoplake.portal.pages.figures import raw
from shoplake.portal.pages.origins import origins_text
from shoplake.portal.pages.pieces import frame, panel_text
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.teams import filters_of, has_empty, kpi_of, panel_of
from shoplake.portal.pages.tiles import missing_dimensions
from shoplake.portal.pages.visitors import AVisitor, Visitor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _page(team: str) -> Callable[..., Any]:
    async def figure_page(kpi: str, request: Request, visitor: AVisitor) -> Response:
        return await visitor.run(lambda: _shown(request, visitor, team, kpi))

    return figure_page


def _shown(request: Request, visitor: Visitor, team: str, name: str) -> Response:
    viewer, filters = visitor.viewer(), filters_of(request)
    kpi, text = kpi_of(viewer, team, name), visitor.language.text
    definition, by = request.query_params.get("definition", ""), request.query_params.get("by", "")
    if has_empty(request):
        return RedirectResponse(filters.address(f"/{team}/{name}", definition=definition, by=by), 303)
    if definition and definition not in kpi.definitions:
        raise NotFoundError(f"{kpi.name} has no definition {definition[:60]!r}.")
    about = explained(viewer, kpi, filters, definition)
    missing = missing_dimensions(viewer, kpi, filters)
    for dimension in missing:
        filters = filters.without(dimension)
    shown_by = by if by in about.dimensions else next(iter(about.dimensions), "")
    path = f"/{team}/{name}"
    kept = {key: value for key, value in (("definition", definition), ("by", by)) if value}
    around = frame(request, visitor, viewer, team, filters) | {"kept": kept}
    shown: dict[str, Any] = {
        "about": about,
        "path": path,
        "definition": definition,
        "by": shown_by,
        "unused": ", ".join(text(one) for one in missing),
        "raw": raw,
        "number": lambda value: viewer.figures.value(value, "count"),
        "choosers": choosers(viewer, [kpi], filters),
        "choices_address": "",
        "panel": panel_text(viewer, kpi, _panel(kpi.name, shown_by, definition), filters, team) if shown_by else "",
        "wholes": [panel_text(viewer, kpi, one, filters, team) for one in wholes(kpi)],
        "origins_address": filters.address(f"{path}/origins"),
        "plain_origins": "" if load_assets().address("htmx.js") else origins_text(visitor, viewer, kpi, filters),
    }
    return page("explained.html", visitor.language, visitor.theme, **around, **shown)


def _panel(kpi: str, by: str, definition: str) -> Panel:
    if definition:
        return Panel(kpi, "", by, "line" if by == "day" else "bars", definition, is_wide=True)
    return panel_of(kpi, f"{kpi}-{by}")


for _team in TEAMS:
    router.add_api_route(f"/{_team}/{{kpi}}", _page(_team), name=f"{_team} figure")
