"""The team pages: a page at once, then each tile and panel on its own, with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from shoplake.errors import AccessDenied
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.assets import load_assets
from shoplake.portal.pages.boards import TEAMS, TITLES, Panel, find_panel, panels
from shoplake.portal.pages.choices import choosers, crumbs
from shoplake.portal.pages.filters import DIMENSIONS, Filters, read_filters
from shoplake.portal.pages.panels import title_of
from shoplake.portal.pages.pieces import TOO_LONG, failed_table, frame, panel_markup, panel_text, tile_markup, tile_text
from shoplake.portal.pages.rendering import page, part, text_of
from shoplake.portal.pages.served import release_id
from shoplake.portal.pages.tiles import failed
from shoplake.portal.pages.viewer import Viewer, release_text
from shoplake.portal.pages.visitors import AVisitor, Visitor

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/")
async def home(visitor: AVisitor) -> Response:
    """Lead to the person's own page."""
    viewer = visitor.viewer()
    places = [place.address for place in viewer.places]
    own = f"/{viewer.own_team}" if viewer.own_team else next(iter(places), "/profile")
    return RedirectResponse(own, 303)


@router.get("/release")
async def release(visitor: AVisitor) -> Response:
    """Say which release is served; pages ask every few seconds."""
    found = release_id(visitor.service.settings)
    return JSONResponse({"release": found, "text": release_text(visitor.viewer())})


def add_team(team: str) -> None:
    """Add the routes of a team's page."""
    router.add_api_route(f"/{team}", _team_page(team), name=team)
    router.add_api_route(f"/{team}/filters", _filters(team), name=f"{team} filters")
    router.add_api_route(f"/{team}/{{kpi}}/tile", _tile(team), name=f"{team} tile")
    router.add_api_route(f"/{team}/{{kpi}}/panel/{{panel_id}}", _panel(team), name=f"{team} panel")


def _team_page(team: str) -> Callable[..., Any]:
    async def team_page(request: Request, visitor: AVisitor) -> Response:
        # A page that comes in parts needs no answer, and does not wait behind those that are made.
        turn = visitor.run if _is_plain(request) else visitor.glance
        return await turn(lambda: _shown(request, visitor, team))

    return team_page


def _is_plain(request: Request) -> bool:
    """Say whether a page comes whole, with every table and without scripts."""
    return not load_assets().address("htmx.js") or "plain" in request.query_params


def _shown(request: Request, visitor: Visitor, team: str) -> Response:
    viewer = visitor.viewer()
    kpis = kpis_of(viewer, team)
    filters = filters_of(request)
    path, path_title = f"/{team}", viewer.language.text(TITLES[team])
    if has_empty(request):
        return RedirectResponse(filters.address(path), 303)
    window = viewer.window(kpis[0], filters)
    found = [one for one in panels(team, {kpi.name for kpi in kpis}) if len(filters.where.get(one.by, ())) != 1]
    by_name = {kpi.name: kpi for kpi in kpis}
    is_plain = _is_plain(request)
    shown: dict[str, Any] = {
        "title": path_title,
        "path": path,
        "window": viewer.figures.window(window.first, window.last),
        "crumbs": crumbs(viewer, filters, path, path_title),
        "kpis": kpis,
        "panels": [(one, title_of(viewer, by_name[one.kpi], one)) for one in found],
        "tiles": {},
        "drawn": {},
        "choosers": choosers(viewer, kpis, filters, is_full=is_plain),
        "choices_address": "" if is_plain else filters.address(f"{path}/filters"),
    }
    if is_plain:
        shown["tiles"] = {kpi.name: tile_text(viewer, kpi, filters, team) for kpi in kpis}
        shown["drawn"] = {
            one.panel_id: panel_text(viewer, by_name[one.kpi], one, filters, team, is_plain=True) for one in found
        }
    return page("team.html", visitor.language, visitor.theme, **frame(request, visitor, viewer, team, filters), **shown)


def _filters(team: str) -> Callable[..., Any]:
    async def filter_form(request: Request, visitor: AVisitor) -> Response:
        def made() -> str:
            viewer = visitor.viewer()
            kpis, filters = kpis_of(viewer, team), filters_of(request)
            shown: dict[str, Any] = {"path": f"/{team}", "filters": filters, "kept": {}, "choices_address": ""}
            full = choosers(viewer, kpis, filters, is_full=True)
            return text_of("filter_form.html", visitor.language, choosers=full, **shown)

        return part(request, await visitor.run(made))

    return filter_form


def _tile(team: str) -> Callable[..., Any]:
    async def tile_part(kpi: str, request: Request, visitor: AVisitor) -> Response:
        viewer, filters = visitor.viewer(), filters_of(request)
        found = kpi_of(viewer, team, kpi)

        def made() -> str:
            return tile_text(viewer, found, filters, team)

        def late() -> str:
            reason = viewer.language.text(TOO_LONG)
            return tile_markup(viewer, failed(viewer, found, reason), filters, team)

        return part(request, await in_time(visitor, made, late))

    return tile_part


def _panel(team: str) -> Callable[..., Any]:
    async def panel_part(kpi: str, panel_id: str, request: Request, visitor: AVisitor) -> Response:
        viewer, filters = visitor.viewer(), filters_of(request)
        found, panel = kpi_of(viewer, team, kpi), panel_of(kpi, panel_id)
        is_whole = request.query_params.get("rows") == "all"

        def made() -> str:
            return panel_text(viewer, found, panel, filters, team, is_whole=is_whole)

        def late() -> str:
            return panel_markup(viewer, failed_table(viewer, found, panel, TOO_LONG), filters, team)

        return part(request, await in_time(visitor, made, late))

    return panel_part


async def in_time(visitor: Visitor, made: Callable[[], str], late: Callable[[], str]) -> str:
    """Give what a thread makes, or what is said when it takes longer than `Settings.portal_answer_seconds`."""
    try:
        return await asyncio.wait_for(visitor.run(made), visitor.service.settings.portal_answer_seconds)
    except TimeoutError:
        return late()


def filters_of(request: Request) -> Filters:
    """Read the filters of an address.

    Raises:
        InputError: they cannot be read.

    """
    return read_filters(request.query_params.multi_items(), DIMENSIONS)


def has_empty(request: Request) -> bool:
    """Say whether an address has names without values, as a form sends them: a link to share has none."""
    return any(not value for _, value in request.query_params.multi_items())


def kpis_of(viewer: Viewer, team: str) -> list[Kpi]:
    """Give the KPIs of a team's page.

    Raises:
        AccessDenied: the person may see none of them.

    """
    found = viewer.kpis(team)
    if not found:
        text = viewer.language.text
        message = text(
            "The page %(page)s is not for the role %(role)s.",
            page=text(TITLES[team]),
            role=viewer.identity.role,
        )
        raise AccessDenied(message)
    return found


def kpi_of(viewer: Viewer, team: str, name: str) -> Kpi:
    """Give one KPI of a team's page.

    Raises:
        NotFoundError: the team has no such KPI.
        AccessDenied: the person may not see it.

    """
    from shoplake.portal.pages.boards import team_kpis

    if name not in {kpi.name for kpi in team_kpis(team)}:
        raise nothing_there("There is no such figure.")
    found = next((kpi for kpi in kpis_of(viewer, team) if kpi.name == name), None)
    if found is None:
        raise AccessDenied(viewer.language.text("This figure is not for the role %(role)s.", role=viewer.identity.role))
    return found


def panel_of(kpi: str, panel_id: str) -> Panel:
    """Give a panel.

    Raises:
        NotFoundError: there is none of that name.

    """
    found = find_panel(kpi, panel_id)
    if found is None:
        raise nothing_there("There is no such table.")
    return found


for _team in TEAMS:
    add_team(_team)
