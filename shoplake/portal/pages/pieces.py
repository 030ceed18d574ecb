"""The pieces that pages are made of: a tile, a panel, and what stands around every page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from shoplake.errors import AccessDenied, ShoplakeError
from shoplake.portal.pages.boards import Panel
from shoplake.portal.pages.filters import COMPARED, PRESETS, Filters
from shoplake.portal.pages.panels import Table, table, title_of
from shoplake.portal.pages.rendering import text_of
from shoplake.portal.pages.tiles import Tile, failed, tile
from shoplake.portal.pages.viewer import Viewer, release_text

if TYPE_CHECKING:
    from fastapi import Request

    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.visitors import Visitor

EXPORT_KINDS = ("CSV", "XLSX")
PICTURE_KINDS = ("PNG", "SVG")
CHARTS = {"line": "line", "curve": "curve", "bars": "bars", "parts": "bars"}
"""How panels are drawn, by their kind; those of no other kind are tables alone."""
TOO_LONG = "It took too long."


def tile_text(viewer: Viewer, kpi: Kpi, filters: Filters, team: str) -> Markup:
    """Give a tile, with its figure or with the reason why there is none.

    Raises:
        AccessDenied: the person may not see the KPI.

    """
    try:
        shown = tile(viewer, kpi, filters)
    except AccessDenied:
        raise
    except ShoplakeError as error:
        shown = failed(viewer, kpi, error.message, error.hint)
        if not viewer.manifest.release_id:
            shown = replace(shown, state="no-data", hint="")
    return tile_markup(viewer, shown, filters, team)


def tile_markup(viewer: Viewer, shown: Tile, filters: Filters, team: str) -> Markup:
    """Give a tile that is made."""
    path = f"/{team}/{shown.kpi}"
    addresses = {"address": filters.address(f"{path}/tile"), "explained": filters.address(path)}
    return _markup("tile.html", viewer, tile=shown, **addresses)


def panel_text(
    viewer: Viewer,
    kpi: Kpi,
    panel: Panel,
    filters: Filters,
    team: str,
    *,
    is_whole: bool = False,
    is_plain: bool = False,
) -> Markup:
    """Give a panel, with its rows or with the reason why there are none.

    Raises:
        AccessDenied: the person may not see it.

    """
    try:
        shown = table(viewer, kpi, panel, filters, f"/{team}", is_whole=is_whole)
    except AccessDenied:
        raise
    except ShoplakeError as error:
        shown = failed_table(viewer, kpi, panel, error.message, error.hint)
        if not viewer.manifest.release_id:
            shown = replace(shown, state="no-data", hint="")
    return panel_markup(viewer, shown, filters, team, is_whole=is_whole, is_plain=is_plain)


def panel_markup(
    viewer: Viewer, shown: Table, filters: Filters, team: str, *, is_whole: bool = False, is_plain: bool = False
) -> Markup:
    """Give a panel that is made."""
    panel = shown.panel
    path, rows = f"/{team}/{panel.kpi}", "all" if is_whole else ""
    own = f"{path}/panel/{panel.panel_id}"
    kinds = EXPORT_KINDS if viewer.rights.may_export("kpi").is_allowed else ()
    exported = [(kind, f"{path}/export/{panel.panel_id}.{kind.lower()}") for kind in kinds]
    pictured = PICTURE_KINDS if kinds and panel.kind in CHARTS and not is_plain else ()
    return _markup(
        "panel.html",
        viewer,
        table=shown,
        chart=CHARTS.get(panel.kind, ""),
        release=viewer.manifest.release_id,
        picture=filters.address(f"{path}/picture/{panel.panel_id}", rows=rows),
        pictures=pictured,
        address=filters.address(own, rows=rows),
        whole=filters.address(own, rows="all"),
        explained=filters.address(path, definition=panel.definition),
        exports=[(kind, filters.address(place, rows=rows)) for kind, place in exported],
        is_whole=is_whole,
        is_plain=is_plain,
        number=lambda value: viewer.figures.value(value, "count"),
    )


def failed_table(viewer: Viewer, kpi: Kpi, panel: Panel, reason: str, hint: str = "") -> Table:
    """Give the panel of what could not be answered."""
    words = viewer.language.text
    return Table(panel, title_of(viewer, kpi, panel), "failed", kpi.unit, reason=words(reason), hint=words(hint))


def frame(request: Request, visitor: Visitor, viewer: Viewer, team: str, filters: Filters) -> dict[str, Any]:
    """Give what every page of a signed-in person shows around its content."""
    query = f"?{request.url.query}" if request.url.query else ""
    return {
        "viewer": viewer,
        "team": team,
        "filters": filters,
        "presets": PRESETS,
        "comparisons": COMPARED,
        "kept": {},
        "csrf": visitor.csrf,
        "here": f"{request.url.path}{query}",
        "currency": viewer.settings.currency,
        "release_id": viewer.manifest.release_id,
        "release_text": release_text(viewer),
        "poll_ms": int(viewer.settings.portal_poll_seconds * 1000),
    }


def _markup(template: str, viewer: Viewer, **shown: Any) -> Markup:  # noqa: ANN401 - a template's
    return Markup(text_of(template, viewer.language, **shown))  # noqa: S704 - made by a template that escapes
