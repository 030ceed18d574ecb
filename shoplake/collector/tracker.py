"""``GET /tracker.js``: the script that a shop's pages load to send views, clicks and scrolls."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

SCRIPT = Path(__file__).with_name("tracker.js")
KEEP_SECONDS = 3600


def tracker_route() -> Route:
    """Give the route; any page may load the script, and check it by its hash (``integrity``)."""
    from starlette.responses import Response
    from starlette.routing import Route

    content = SCRIPT.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "etag": tag,
        "cache-control": f"public, max-age={KEEP_SECONDS}",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }

    async def tracker(request: Request) -> Response:
        known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
        if tag in known:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type="text/javascript")

    return Route("/tracker.js", tracker)
