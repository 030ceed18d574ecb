"""The page of the SQL console; what it asks and keeps goes by the service's own addresses under ``/v1``."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoplake.errors import NotFoundError, ShoplakeError
from shoplake.portal.api.saved_queries import visible
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.assets import load_assets
from shoplake.portal.pages.console.answers import FILES, Shown, file_of, question_of, rows_of
from shoplake.portal.pages.console.tree import TreeTable, tree_of
from shoplake.portal.pages.console.words import engine_words
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.rendering import HEADERS, page, part, text_of
from shoplake.portal.pages.viewer import Viewer
from shoplake.portal.pages.visitors import Visitor, form_of, visiting
from shoplake.portal.refusals import status_of
from shoplake.store.queries import SavedQuery

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ADDRESS = "/sql"
Asker = Annotated[Visitor, Depends(visiting("sql"))]
MORE_ROWS = (10_000, 100_000)
SHOWN_RELEASES = 60
FIRST_ROWS = 100
KEEP_SECONDS = 3_600
MADE_AT = "%Y%m%dT%H%M%SZ"


@router.get(ADDRESS)
async def console(request: Request, visitor: Asker) -> Response:
    """Show the console, with a saved query if the address names one."""
    is_plain = "plain" in request.query_params or not load_assets().address("htmx.js")

    def shown() -> Response:
        query_id = request.query_params.get("query")
        loaded = _saved(visitor, query_id) if query_id else None
        given = {"sql": loaded.sql if loaded else "", "release": request.query_params.get("release", "")}
        return _page(request, visitor, given, loaded=loaded, is_plain=is_plain)

    return await visitor.run(shown)


@router.post(ADDRESS)
async def ask(request: Request, visitor: Asker) -> Response:
    """Answer a query that came by the form, as a page without scripts or as a file."""
    given, problem, found = await form_of(request), None, None
    try:
        asked = question_of(given, visitor.service.settings.service_page_rows)
        if given.get("format") in FILES:
            return await file_of(visitor, asked, given["format"])
        found = await rows_of(visitor, asked)
    except ShoplakeError as error:
        if status_of(error) >= 500:  # noqa: PLR2004 - the service's own failure is a page of its own
            raise
        problem = error
    shown = partial(_page, request, visitor, given, found=found, problem=problem, is_plain=True)
    return await visitor.run(shown)


@router.get(f"{ADDRESS}/tree")
async def tree(request: Request, visitor: Asker) -> Response:
    """Give the tables of a release that the person may see, as a part of the page."""

    def made() -> str:
        viewer = visitor.viewer()
        return text_of("sql_tree.html", visitor.language, **_tree(viewer, request.query_params.get("release", "")))

    return part(request, await visitor.run(made))


@router.get(f"{ADDRESS}/words")
async def words(request: Request, visitor: Asker) -> Response:
    """Give the engine's keywords and functions."""
    content = await visitor.run(lambda: msgspec.json.encode(engine_words()))
    headers = HEADERS | {"cache-control": f"private, max-age={KEEP_SECONDS}"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = gzip.compress(content, mtime=0), "gzip"
    return Response(content, media_type="application/json", headers=headers)


def _saved(visitor: Visitor, query_id: str) -> SavedQuery:
    found = visible(visitor.service, visitor.identity, query_id)
    if not found:
        raise nothing_there("There is no such saved query for you.")
    return found[0]


def _page(
    request: Request,
    visitor: Visitor,
    given: Mapping[str, str],
    *,
    loaded: SavedQuery | None = None,
    found: Shown | None = None,
    problem: ShoplakeError | None = None,
    is_plain: bool = False,
) -> Response:
    viewer, settings = visitor.viewer(), visitor.service.settings
    may_export = viewer.rights.may_export("sql").is_allowed
    shown: dict[str, Any] = {
        "sql": given.get("sql", "") or _first_query(viewer),
        "chosen_release": given.get("release", ""),
        "releases": _releases(viewer),
        "loaded": loaded,
        "saved": visible(visitor.service, visitor.identity) if is_plain else [],
        "limits": (settings.service_page_rows, *(MORE_ROWS if may_export else ())),
        "files": FILES if may_export else (),
        "seconds": settings.sandbox_seconds,
        "found": found,
        "problem": problem,
        "is_plain": is_plain,
        "number": lambda value: viewer.figures.value(value, "count"),
    }
    shown |= _tree(viewer, given.get("release", "")) if is_plain else {}
    around = frame(request, visitor, viewer, "", Filters())
    status = status_of(problem) if problem else 200
    return page("sql.html", visitor.language, visitor.theme, status=status, **around, **shown)


def _tree(viewer: Viewer, release: str) -> dict[str, Any]:
    from shoplake.pipeline.releases import load

    try:
        manifest = load(viewer.settings, release) if release else viewer.manifest
    except NotFoundError:
        manifest = viewer.manifest
    found: dict[str, list[TreeTable]] = tree_of(viewer.rights, manifest)
    return {
        "tree": found,
        "first_rows": FIRST_ROWS,
        "number": lambda value: viewer.figures.value(value, "count"),
        "is_released": bool(viewer.manifest.release_id),
    }


def _first_query(viewer: Viewer) -> str:
    """Give a query to begin with, over a table that the person may see: of their own team's, if there is one."""
    names = sorted(viewer.rights.narrowed(viewer.manifest).tables.items(), key=lambda item: item[0])
    own = [f"{table.database}.{name}" for name, table in names if table.database == viewer.identity.role]
    every = [f"{table.database}.{name}" for name, table in names]
    first = next(iter(own or every), "")
    return f"SELECT *\nFROM {first}\nLIMIT {FIRST_ROWS}" if first else ""


def _releases(viewer: Viewer) -> list[tuple[str, str]]:
    """Give the kept releases, the newest first, with when they were made."""
    from shoplake.pipeline.releases import list_ids

    found = []
    for name in list_ids(viewer.settings)[:SHOWN_RELEASES]:
        made_at = dt.datetime.strptime(name.partition("-")[0], MADE_AT).replace(tzinfo=dt.UTC)
        found.append((name, viewer.figures.moment(made_at)))
    return found
