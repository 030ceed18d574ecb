"""Keeps other sites from having a signed-in browser change anything."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shoplake.errors import ForeignRequestError

if TYPE_CHECKING:
    from starlette.requests import Request

HEADER = "x-csrf-token"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LABEL = b"shoplake csrf token"
OWN_SITES = {"same-origin", "none"}
HINT = "Send the header X-CSRF-Token with what signing in, or GET /v1/me, has given; from pages of this address only."


def token_for(session: str) -> str:
    """Give the CSRF token of a session: only who knows the session can make it, and it does not tell the session."""
    return hmac.new(session.encode("utf-8", "surrogateescape"), LABEL, hashlib.sha256).hexdigest()


def check_origin(request: Request) -> None:
    """Pass what a page of this very address has sent, or no page at all.

    Raises:
        ForeignRequestError: a browser says that it comes from elsewhere.

    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
    is_own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not is_own or site not in OWN_SITES:
        raise ForeignRequestError("A page of another site has sent this.", hint=HINT)


def check(request: Request, session: str) -> None:
    """Pass a request that changes something for who is signed in by a cookie.

    Raises:
        ForeignRequestError: it comes from elsewhere, or lacks the session's CSRF token.

    """
    if request.method in SAFE_METHODS:
        return
    check_origin(request)
    if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), token_for(session).encode()):
        raise ForeignRequestError("The CSRF token is missing, or is another session's.", hint=HINT)
