"""The team pages: a page at once, then each tile and panel on its own, with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from shoplake.errors import AccessDenied, ShoplakeError
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.assets import load_assets
from shoplake.portal.pages.boards import TEAMS, TITLES, Panel, find_panel, panels
from shoplake.portal.pages.choices import choosers, crumbs
from shoplake.portal.pages.filters import DIMENSIONS, PRESETS, Filters, read_filters
from shoplake.portal.pages.panels import Table, table, title_of
from shoplake.portal.pages.rendering import HEADERS, page, text_of
from shoplake.portal.pages.tiles import Tile, failed, tile
from shoplake.portal.pages.viewer import Viewer
from shoplake.portal.pages.visitors import AVisitor, Visitor, release_id

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi

router = APIRouter(route_class=PageRoute, include_in_schema=False)
EXPORT_KINDS = ("CSV", "XLSX")


@router.get("/")
async def home(visitor: AVisitor) -> Response:
    """Lead to the person's own page."""
    own = visitor.viewer().own_team
    return RedirectResponse(f"/{own}" if own else "/profile", 303)


@router.get("/release")
async def release(visitor: AVisitor) -> Response:
    """Say which release is served; pages ask every few seconds."""
    found = release_id(visitor.service.settings)
    return JSONResponse({"release": found, "text": release_text(visitor.viewer())})


def release_text(viewer: Viewer) -> str:
    """Say of when the figures are; nothing before the first release."""
    if not viewer.manifest.release_id:
        return viewer.language.text("Nothing has been released yet.")
    moment = viewer.figures.moment(viewer.manifest.created_at)
    return viewer.language.text("Released %(moment)s", moment=moment)


def add_team(team: str) -> None:
    """Add the routes of a team's page."""
    router.add_api_route(f"/{team}", _team_page(team), name=team)
    router.add_api_route(f"/{team}/filters", _filters(team), name=f"{team} filters")
    router.add_api_route(f"/{team}/{{kpi}}/tile", _tile(team), name=f"{team} tile")
    router.add_api_route(f"/{team}/{{kpi}}/panel/{{panel_id}}", _panel(team), name=f"{team} panel")


def _team_page(team: str) -> Callable[..., Any]:
    async def team_page(request: Request, visitor: AVisitor) -> Response:
        return await visitor.run(lambda: _shown(request, visitor, team))

    return team_page


def _shown(request: Request, visitor: Visitor, team: str) -> Response:
    viewer = visitor.viewer()
    kpis = kpis_of(viewer, team)
    filters = filters_of(request)
    path, path_title = f"/{team}", viewer.language.text(TITLES[team])
    window = viewer.window(kpis[0], filters)
    found = [one for one in panels(team, {kpi.name for kpi in kpis}) if len(filters.where.get(one.by, ())) != 1]
    by_name = {kpi.name: kpi for kpi in kpis}
    is_plain = not load_assets().address("htmx.js") or "plain" in request.query_params
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
        shown["tiles"] = {kpi.name: _markup(_tile_text(viewer, kpi, filters, team)) for kpi in kpis}
        shown["drawn"] = {
            one.panel_id: _markup(_panel_text(viewer, by_name[one.kpi], one, filters, team, is_plain=True))
            for one in found
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

        return HTMLResponse(await visitor.run(made), headers=HEADERS)

    return filter_form


def _tile(team: str) -> Callable[..., Any]:
    async def tile_part(kpi: str, request: Request, visitor: AVisitor) -> Response:
        viewer, filters = visitor.viewer(), filters_of(request)
        found = kpi_of(viewer, team, kpi)

        def made() -> str:
            return _tile_text(viewer, found, filters, team)

        def late() -> str:
            reason = viewer.language.text("It took too long.")
            return _tile_markup(viewer, failed(viewer, found, reason), filters, team)

        return HTMLResponse(await in_time(visitor, made, late), headers=HEADERS)

    return tile_part


def _panel(team: str) -> Callable[..., Any]:
    async def panel_part(kpi: str, panel_id: str, request: Request, visitor: AVisitor) -> Response:
        viewer, filters = visitor.viewer(), filters_of(request)
        found, panel = kpi_of(viewer, team, kpi), panel_of(kpi, panel_id)
        is_whole = request.query_params.get("rows") == "all"

        def made() -> str:
            return _panel_text(viewer, found, panel, filters, team, is_whole=is_whole)

        def late() -> str:
            return _panel_markup(viewer, _failed_table(viewer, found, panel, "It took too long."), filters, team)

        return HTMLResponse(await in_time(visitor, made, late), headers=HEADERS)

    return panel_part


async def in_time(visitor: Visitor, made: Callable[[], str], late: Callable[[], str]) -> str:
    """Give what a thread makes, or what is said when it takes longer than `Settings.portal_answer_seconds`."""
    try:
        return await asyncio.wait_for(visitor.run(made), visitor.service.settings.portal_answer_seconds)
    except TimeoutError:
        return late()


def _tile_text(viewer: Viewer, kpi: Kpi, filters: Filters, team: str) -> str:
    try:
        shown = tile(viewer, kpi, filters)
    except AccessDenied:
        raise
    except ShoplakeError as error:
        shown = failed(viewer, kpi, error.message, error.hint)
        if not viewer.manifest.release_id:
            shown = replace(shown, state="no-data", hint="")
    return _tile_markup(viewer, shown, filters, team)


def _tile_markup(viewer: Viewer, shown: Tile, filters: Filters, team: str) -> str:
    path = f"/{team}/{shown.kpi}"
    addresses = {"address": filters.address(f"{path}/tile"), "explained": filters.address(path)}
    return text_of("tile.html", viewer.language, tile=shown, **addresses)


def _panel_text(
    viewer: Viewer,
    kpi: Kpi,
    panel: Panel,
    filters: Filters,
    team: str,
    *,
    is_whole: bool = False,
    is_plain: bool = False,
) -> str:
    try:
        shown = table(viewer, kpi, panel, filters, f"/{team}", is_whole=is_whole)
    except AccessDenied:
        raise
    except ShoplakeError as error:
        shown = _failed_table(viewer, kpi, panel, error.message, error.hint)
        if not viewer.manifest.release_id:
            shown = replace(shown, state="no-data", hint="")
    return _panel_markup(viewer, shown, filters, team, is_whole=is_whole, is_plain=is_plain)


def _panel_markup(
    viewer: Viewer, shown: Table, filters: Filters, team: str, *, is_whole: bool = False, is_plain: bool = False
) -> str:
    panel = shown.panel
    path, rows = f"/{team}/{panel.kpi}", "all" if is_whole else ""
    own = f"{path}/panel/{panel.panel_id}"
    kinds = EXPORT_KINDS if viewer.rights.may_export("kpi").is_allowed else ()
    exported = [(kind, f"{path}/export/{panel.panel_id}.{kind.lower()}") for kind in kinds]
    return text_of(
        "panel.html",
        viewer.language,
        table=shown,
        address=filters.address(own, rows=rows),
        whole=filters.address(own, rows="all"),
        explained=filters.address(path, definition=panel.definition),
        exports=[(kind, filters.address(place, rows=rows)) for kind, place in exported],
        is_whole=is_whole,
        is_plain=is_plain,
    )


def panel_text(viewer: Viewer, kpi: Kpi, panel: Panel, filters: Filters, team: str) -> str:
    """Give the text of a panel, whole or with the reason why there is none."""
    return _markup(_panel_text(viewer, kpi, panel, filters, team))


def _failed_table(viewer: Viewer, kpi: Kpi, panel: Panel, reason: str, hint: str = "") -> Table:
    words = viewer.language.text
    return Table(panel, title_of(viewer, kpi, panel), "failed", kpi.unit, reason=words(reason), hint=words(hint))


def _markup(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - made by a template that escapes


def frame(request: Request, visitor: Visitor, viewer: Viewer, team: str, filters: Filters) -> dict[str, Any]:
    """Give what every page of a signed-in person shows around its content."""
    query = f"?{request.url.query}" if request.url.query else ""
    return {
        "viewer": viewer,
        "team": team,
        "filters": filters,
        "presets": PRESETS,
        "kept": {},
        "csrf": visitor.csrf,
        "here": f"{request.url.path}{query}",
        "currency": viewer.settings.currency,
        "release_id": viewer.manifest.release_id,
        "release_text": release_text(viewer),
        "poll_ms": int(viewer.settings.portal_poll_seconds * 1000),
    }


def filters_of(request: Request) -> Filters:
    """Read the filters of an address.

    Raises:
        InputError: they cannot be read.

    """
    return read_filters(request.query_params.multi_items(), DIMENSIONS)


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
        raise nothing_there("such figure")
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
        raise nothing_there("such table")
    return found


for _team in TEAMS:
    add_team(_team)
