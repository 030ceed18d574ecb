"""The routes of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from shoplake.audit.checking import checked
from shoplake.audit.export import text_of as file_text
from shoplake.audit.reading import as_row
from shoplake.audit.recording import showing
from shoplake.audit.search import record
from shoplake.errors import ShoplakeError
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.audit.shown import CHECK_SECONDS, Asked, exported, shown, words_of
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.rendering import HEADERS, page
from shoplake.portal.pages.visitors import Visitor, visiting
from shoplake.portal.refusals import status_of

if TYPE_CHECKING:
    from shoplake.audit.verify import Report

router = APIRouter(route_class=PageRoute, include_in_schema=False)
OfAudit = Annotated[Visitor, Depends(visiting("audit"))]
TYPES = {".csv": "text/csv; charset=utf-8", ".jsonl": "application/x-ndjson"}


@router.get("/audit")
async def audit_page(request: Request, visitor: OfAudit) -> Response:
    """Search the log."""
    asked = Asked.read(request.query_params)
    if any(not value for value in request.query_params.values()):
        return RedirectResponse(asked.address(before=asked.before), 303)
    return await visitor.run(lambda: _page(request, visitor, asked))


@router.get("/audit/records/{name}")
async def record_page(name: str, request: Request, visitor: OfAudit) -> Response:
    """Show one record in full."""

    def made() -> Response:
        viewer = visitor.viewer()
        with showing(viewer.settings, "audit show", record=name) as entry:
            found = record(viewer.settings, name)
            entry.show([found.entry])
        words = frame(request, visitor, viewer, "", Filters()) | words_of(viewer)
        row = as_row(found.entry)
        return page(
            "audit_record.html", visitor.language, visitor.theme, **words, one=found, entry=found.entry, row=row
        )

    return await visitor.run(made)


@router.get("/audit/export/{file}")
async def export_records(file: str, request: Request, visitor: OfAudit) -> Response:
    """Give the records that are looked for, as a file."""
    name, dot, ending = file.rpartition(".")
    if name != "audit" or f"{dot}{ending}" not in TYPES:
        raise nothing_there("There is no such file.")

    def made() -> str:
        viewer = visitor.viewer()
        viewer.rights.require(viewer.rights.may_export("audit"), "export from audit")
        return file_text(f".{ending}", exported(viewer.settings, Asked.read(request.query_params)))

    named = {"content-disposition": f'attachment; filename="{file}"'}
    return Response(await visitor.run(made), media_type=TYPES[f".{ending}"], headers=HEADERS | named)


@router.post("/audit/verify")
async def verify_log(request: Request, visitor: OfAudit) -> Response:
    """Check the log, and say what was found."""

    def done() -> Response:
        try:
            report = checked(visitor.service.settings, seconds=CHECK_SECONDS)
        except ShoplakeError as error:
            return _page(request, visitor, Asked({}), problem=error)
        return _page(request, visitor, Asked({}), report)

    return await visitor.run(done)


def _page(
    request: Request, visitor: Visitor, asked: Asked, report: Report | None = None, problem: ShoplakeError | None = None
) -> Response:
    viewer = visitor.viewer()
    words = frame(request, visitor, viewer, "", Filters()) | {"problem": problem}
    if request.method == "POST":
        words["here"] = "/audit"
    words |= shown(viewer, asked, report)
    status = status_of(problem) if problem else 200
    return page("audit.html", visitor.language, visitor.theme, status=status, **words)
