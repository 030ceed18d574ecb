"""The routes of the quarantine."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoplake.errors import InputError, ShoplakeError
from shoplake.lake.quarantine import Replayed, replay
from shoplake.lake.quarantine_browse import look_at
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.quarantine.shown import Asked, csv_of, shown, words_of
from shoplake.portal.pages.rendering import HEADERS, page
from shoplake.portal.pages.visitors import Visitor, form_of, visiting
from shoplake.portal.refusals import status_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
OfQuarantine = Annotated[Visitor, Depends(visiting("quarantine"))]


@router.get("/quarantine")
async def quarantine_page(request: Request, visitor: OfQuarantine) -> Response:
    """Show what waits in quarantine."""
    return await visitor.run(lambda: _page(request, visitor, Asked.read(request.query_params)))


@router.get("/quarantine/rows/{row_id}")
async def row_page(row_id: str, request: Request, visitor: OfQuarantine) -> Response:
    """Show one row: each of its fields, with nothing about persons."""
    if not row_id.isdigit() or len(row_id) > 17:  # noqa: PLR2004 - a row's number
        raise nothing_there("There is no such row.")

    def made() -> Response:
        viewer = visitor.viewer()
        row = look_at(viewer.settings, int(row_id))
        around = frame(request, visitor, viewer, "", Filters())
        return page("quarantine_row.html", visitor.language, visitor.theme, **around, row=row, **words_of(viewer))

    return await visitor.run(made)


@router.get("/quarantine/rows.csv")
async def rows_file(request: Request, visitor: OfQuarantine) -> Response:
    """Give where the rows stand and why they wait, as a file."""

    def made() -> str:
        viewer = visitor.viewer()
        viewer.rights.require(viewer.rights.may_export("quarantine"), "export from quarantine")
        return csv_of(viewer.settings, Asked.read(request.query_params))

    name = {"content-disposition": 'attachment; filename="quarantine.csv"'}
    return Response(await visitor.run(made), media_type="text/csv; charset=utf-8", headers=HEADERS | name)


@router.post("/quarantine/replay")
async def replay_rows(request: Request, visitor: OfQuarantine) -> Response:
    """Check rows again and land the good ones; the page says what came of it."""
    given = await form_of(request)
    file, source, row = given.get("file", ""), given.get("source", ""), given.get("row", "")
    if not (file or source or row.isdigit()):
        raise InputError("Say what is to be checked again.", hint="Choose a row, a file or a source.")

    def done() -> Response:
        settings = visitor.service.settings
        ids = [int(row)] if row else None
        asked: dict[str, Any] = {"source": source or None, "file": file or None, "ids": ids}
        try:
            found = replay(settings, **asked, accept=given.get("accept") == "yes")
        except ShoplakeError as error:
            return _page(request, visitor, Asked(), problem=error)
        return _page(request, visitor, Asked(), found)

    return await visitor.run(done)


def _page(
    request: Request,
    visitor: Visitor,
    asked: Asked,
    done: list[Replayed] | None = None,
    problem: ShoplakeError | None = None,
) -> Response:
    viewer = visitor.viewer()
    around = frame(request, visitor, viewer, "", Filters()) | {"problem": problem}
    if request.method == "POST":
        around["here"] = "/quarantine"
    status = status_of(problem) if problem else 200
    words = around | shown(viewer, asked, done)
    return page("quarantine.html", visitor.language, visitor.theme, status=status, **words)
