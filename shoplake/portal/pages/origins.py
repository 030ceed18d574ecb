"""The files and rows behind a figure, as a part of its page that comes by itself, with a time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from shoplake.access.kpi_origins import origins
from shoplake.access.kpi_rows import rows_behind
from shoplake.errors import AccessDenied, ShoplakeError
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.boards import TEAMS
from shoplake.portal.pages.pieces import TOO_LONG
from shoplake.portal.pages.rendering import part, text_of
from shoplake.portal.pages.teams import filters_of, in_time, kpi_of
from shoplake.portal.pages.tiles import missing_dimensions
from shoplake.portal.pages.visitors import AVisitor, Visitor

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.viewer import Viewer

router = APIRouter(route_class=PageRoute, include_in_schema=False)
CONSOLE, HEALTH = "/sql", "/health"
LONGEST_QUERY = 6_000
"""Characters of a query that fit into an address."""


def _origins(team: str) -> Callable[..., Any]:
    async def origins_part(kpi: str, request: Request, visitor: AVisitor) -> Response:
        viewer, filters = visitor.viewer(), filters_of(request)
        found = kpi_of(viewer, team, kpi)
        address = filters.address(f"/{team}/{kpi}/origins")

        def made() -> str:
            return origins_text(visitor, viewer, found, filters)

        return part(request, await in_time(visitor, made, lambda: _failed(viewer, address, TOO_LONG)))

    return origins_part


def origins_text(visitor: Visitor, viewer: Viewer, kpi: Kpi, filters: Filters) -> Markup:
    """Give the panel of files and rows, or the reason why it cannot be had.

    Raises:
        AccessDenied: the person may not see the KPI.

    """
    address = filters.address(f"/{kpi.team}/{kpi.name}/origins")
    try:
        made = _made(visitor, viewer, kpi, filters, address)
    except AccessDenied:
        raise
    except ShoplakeError as error:
        made = _failed(viewer, address, error.message)
    return Markup(made)  # noqa: S704 - made by a template that escapes


def _made(visitor: Visitor, viewer: Viewer, kpi: Kpi, filters: Filters, address: str) -> str:
    for name in missing_dimensions(viewer, kpi, filters):
        filters = filters.without(name)
    settings, window = viewer.settings, viewer.window(kpi, filters)
    identity, warm = viewer.identity, visitor.service.warm
    behind = rows_behind(settings, kpi.name, window=window, where=filters.where, identity=identity, warm=warm)
    found = origins(settings, viewer.manifest, kpi, window, viewer.rights)
    places = {place.address for place in viewer.places}
    has_console = CONSOLE in places and 0 < len(behind.sql) <= LONGEST_QUERY
    return text_of(
        "origins.html",
        viewer.language,
        state="ok",
        reason="",
        address=address,
        window=viewer.figures.window(window.first, window.last),
        behind=behind,
        console=f"{CONSOLE}?{urlencode({'sql': behind.sql})}" if has_console else "",
        health=HEALTH if HEALTH in places else "",
        found=found,
        files_in_all=sum(source.files for source in found.sources),
        number=lambda value: viewer.figures.value(value, "count"),
        moment=viewer.figures.moment,
    )


def _failed(viewer: Viewer, address: str, reason: str) -> str:
    shown = {"state": "failed", "address": address, "window": "", "reason": viewer.language.text(reason)}
    return text_of("origins.html", viewer.language, **shown)


for _team in TEAMS:
    router.add_api_route(f"/{_team}/{{kpi}}/origins", _origins(_team), name=f"{_team} origins")
