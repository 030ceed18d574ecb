"""The routes of data health."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoplake.monitoring.releases import detail
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.health.shown import Asked, shown
from shoplake.portal.pages.health.words import STATES
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.rendering import page, part, text_of
from shoplake.portal.pages.visitors import Visitor, visiting

router = APIRouter(route_class=PageRoute, include_in_schema=False)
OfStatus = Annotated[Visitor, Depends(visiting("status"))]


@router.get("/health")
async def health_page(request: Request, visitor: OfStatus) -> Response:
    """Show how the data is."""
    asked = Asked.read(request.query_params)

    def made() -> Response:
        viewer = visitor.viewer()
        around = frame(request, visitor, viewer, "", Filters())
        return page("health.html", visitor.language, visitor.theme, **around | shown(viewer, asked))

    return await visitor.run(made)


@router.get("/health/now")
async def health_now(request: Request, visitor: OfStatus) -> Response:
    """Give the page's content anew, as after a release."""
    asked = Asked.read(request.query_params)

    def made() -> str:
        viewer = visitor.viewer()
        around = frame(request, visitor, viewer, "", Filters())
        return text_of("health_now.html", visitor.language, **around | shown(viewer, asked))

    return part(request, await visitor.run(made))


@router.get("/health/releases/{release_id}")
async def release_page(release_id: str, request: Request, visitor: OfStatus) -> Response:
    """Show one release, and how it differs from the one before; for who may use releases on the command line too."""

    def made() -> Response:
        viewer = visitor.viewer()
        viewer.rights.require(viewer.rights.may_use("releases"), "use releases")
        found, figures = detail(viewer.settings, release_id), viewer.figures
        words: dict[str, Any] = {
            "found": found,
            "making": found.making,
            "states": {name: viewer.language.text(text) for name, text in STATES.items()},
            "number": lambda value: figures.value(value, "count"),
            "moment": figures.moment,
            "duration": figures.duration,
            "money": lambda value: figures.value(float(value), "money") if value is not None else "–",
        }
        around = frame(request, visitor, viewer, "", Filters())
        return page("health_release.html", visitor.language, visitor.theme, **around | words)

    return await visitor.run(made)
