"""A table or chart of a page as a file: what the page shows, numbers as numbers; on record, by the right to export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from shoplake.access.formats import FORMATS, About
from shoplake.audit.recording import showing
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.boards import TEAMS
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.panels import Cell, Column, Table, table
from shoplake.portal.pages.pieces import CHARTS, EXPORT_KINDS, PICTURE_KINDS
from shoplake.portal.pages.rendering import HEADERS
from shoplake.portal.pages.teams import filters_of, kpi_of, panel_of
from shoplake.portal.pages.viewer import Viewer
from shoplake.portal.pages.visitors import AVisitor, Visitor

if TYPE_CHECKING:
    from pyarrow import Table as ArrowTable

COMPARED_COLUMN = 2
"""Where the figures to compare with stand in the table of a line."""
STALE = 409
"""The page shows an earlier release than the one that is served."""
router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _export(team: str) -> Callable[..., Any]:
    async def export(kpi: str, file: str, request: Request, visitor: AVisitor) -> Response:
        panel_id, _, kind = file.rpartition(".")
        if kind.upper() not in EXPORT_KINDS:
            raise nothing_there("There is no such file.")
        content = await visitor.run(lambda: _content(request, visitor, team, kpi, panel_id, kind))
        name = {"content-disposition": f'attachment; filename="{file}"'}
        return Response(content, media_type=FORMATS[kind].media_type, headers=HEADERS | name)

    return export


def _picture(team: str) -> Callable[..., Any]:
    async def picture(kpi: str, panel_id: str, request: Request, visitor: AVisitor) -> Response:
        return await visitor.run(lambda: _caption(request, visitor, team, kpi, panel_id))

    return picture


def _caption(request: Request, visitor: Visitor, team: str, name: str, panel_id: str) -> Response:
    """Put a picture on record, and give what stands around its chart; the browser draws it from the table it shows."""
    viewer, filters = visitor.viewer(), filters_of(request)
    kpi, panel = kpi_of(viewer, team, name), panel_of(name, panel_id)
    kind, release = request.query_params.get("kind", "").upper(), viewer.manifest.release_id
    if kind not in PICTURE_KINDS or panel.kind not in CHARTS:
        raise nothing_there("There is no such picture.")
    viewer.rights.require(viewer.rights.may_export("kpi"), "export from kpi")
    if request.query_params.get("release") != release:
        return JSONResponse({"release": release}, STALE)
    asked = {"kpi": name, "panel": panel_id, "format": kind.lower(), "filters": filters.address("")}
    with showing(viewer.settings, "kpi export", release=release, **asked) as entry:
        is_whole = request.query_params.get("rows") == "all"
        shown = table(viewer, kpi, panel, filters, f"/{team}", is_whole=is_whole)
        entry.show([[cell.value for cell in row] for row in shown.rows])
    return JSONResponse({"file": f"{panel_id}.{kind.lower()}", "lines": caption(viewer, shown, filters)})


def caption(viewer: Viewer, shown: Table, filters: Filters) -> list[str]:
    """Give the lines of a picture: title, days with what they are compared with and filters, and the release."""
    text = viewer.language.text
    chosen = [f"{text(name).capitalize()}: {', '.join(values)}" for name, values in filters.where.items()]
    about = [shown.window, *chosen]
    if shown.panel.kind in {"line", "curve"} and any(row[COMPARED_COLUMN].value is not None for row in shown.rows):
        about.append(text("dashed: %(compared)s", compared=text(filters.compared)))
    if shown.is_cut:
        count = {"shown": str(len(shown.rows)), "all": str(shown.rows_in_all)}
        about.append(text("%(shown)s of %(all)s rows", **count))
    release = text("Release %(release)s", release=viewer.manifest.release_id)
    return [shown.title, " · ".join(about), f"shoplake · {release}"]


def _content(request: Request, visitor: Visitor, team: str, name: str, panel_id: str, kind: str) -> bytes:
    viewer, filters = visitor.viewer(), filters_of(request)
    kpi, panel = kpi_of(viewer, team, name), panel_of(name, panel_id)
    viewer.rights.require(viewer.rights.may_export("kpi"), "export from kpi")
    release = viewer.manifest.release_id
    asked = {"kpi": name, "panel": panel_id, "format": kind, "filters": filters.address("")}
    with showing(viewer.settings, "kpi export", release=release, **asked) as entry:
        is_whole = request.query_params.get("rows") == "all"
        shown = table(viewer, kpi, panel, filters, f"/{team}", is_whole=is_whole)
        content = b"".join(FORMATS[kind].write(arrow_of(shown), About(release, panel_id, shown.is_cut)))
        entry.show([[cell.value for cell in row] for row in shown.rows])
    return content


def arrow_of(shown: Table) -> ArrowTable:
    """Give a table's values under the titles of its columns; a column of names has one of their ids beside it."""
    import pyarrow as pa

    titles, arrays = [], []
    for place, column in enumerate(shown.columns):
        cells = [row[place] for row in shown.rows]
        for title, values in _columns(column, cells):
            titles.append(title)
            arrays.append(_array(values))
    return pa.Table.from_arrays(arrays, names=titles)


def _columns(column: Column, cells: Sequence[Cell]) -> list[tuple[str, list[Any]]]:
    is_named = not column.is_number and any(cell.note for cell in cells)
    if not is_named:
        return [(column.title, [cell.value for cell in cells])]
    return [(column.title, [cell.text for cell in cells]), (f"{column.title} id", [cell.note for cell in cells])]


def _array(values: list[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    if any(isinstance(value, Decimal) for value in values) and any(isinstance(value, float) for value in values):
        values = [None if value is None else float(value) for value in values]
    if any(isinstance(value, str) for value in values):
        values = [None if value is None else str(value) for value in values]
    return pa.array(values)


for _team in TEAMS:
    router.add_api_route(f"/{_team}/{{kpi}}/picture/{{panel_id}}", _picture(_team), name=f"{_team} picture")
    router.add_api_route(f"/{_team}/{{kpi}}/export/{{file}}", _export(_team), name=f"{_team} export")
