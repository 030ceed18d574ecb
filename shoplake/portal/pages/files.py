"""Style, scripts and font, cached for good: their names change with their content."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.assets import ADDRESS, load_assets

router = APIRouter(route_class=PageRoute, include_in_schema=False)
FOR_GOOD = "public, max-age=31536000, immutable"


@router.get(f"{ADDRESS}{{name}}")
async def file(name: str, request: Request) -> Response:
    """Give a file of the pages."""
    asset = load_assets().served(name)
    if asset is None:
        raise nothing_there("There is no such file.")
    content, encoding = asset.best(request.headers.get("accept-encoding", ""))
    headers = {"cache-control": FOR_GOOD, "vary": "Accept-Encoding"}
    if encoding:
        headers["content-encoding"] = encoding
    return Response(content, media_type=asset.content_type, headers=headers)
