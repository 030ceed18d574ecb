"""How pages fail: as a page, in the person's language; who is not signed in comes back to where they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from shoplake.errors import AccessDenied, AuthenticationFailed, NotFoundError, ShoplakeError
from shoplake.portal.callers import SESSION_COOKIE, forget_session
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.visitors import language_for, theme_for
from shoplake.portal.refusals import FAILED, failed, status_of

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from shoplake.portal.service import Service

TITLES = {
    400: "This cannot be shown",
    403: "Not yours to see",
    404: "There is nothing here",
    405: "There is nothing here",
    500: "Something broke",
    503: "Too busy right now",
}
NOT_FOUND, FORBIDDEN, UNAUTHORIZED = 404, 403, 401
LONGEST_NEXT = 2_000


class PageRoute(APIRoute):
    """A route whose failures are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler, with failures answered."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except AuthenticationFailed:
                return to_sign_in(request)
            except (ShoplakeError, HTTPException) as error:
                return failure(request, error)
            except Exception as error:  # noqa: BLE001 - the last place that can answer it with a page
                return failure(request, error)

        return handle


def to_sign_in(request: Request) -> Response:
    """Send a browser to sign in, and back; a part of a page is told that nobody is signed in."""
    if is_part(request):
        return Response(status_code=UNAUTHORIZED)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/login"
    if request.method == "GET" and here != "/" and len(here) <= LONGEST_NEXT:
        target += f"?next={quote(here, safe='')}"
    answer = RedirectResponse(target, 303)
    if SESSION_COOKIE in request.cookies:
        answer.set_cookie(ENDED_COOKIE, "1", max_age=60, path="/", secure=True, httponly=True, samesite="lax")
        forget_session(answer)
    return answer


ENDED_COOKIE = "__Host-ended"
"""Tells the sign-in page for a minute that a session has ended."""


def is_part(request: Request) -> bool:
    """Say whether a script of a page asks, for a part of it."""
    return "hx-request" in request.headers or request.headers.get("sec-fetch-dest") == "empty"


def failure(request: Request, error: BaseException) -> Response:
    """Answer a failure with a page that says what to do, and whom to ask."""
    language, ask = language_for(request), ""
    status, message, hint = _told(request, error)
    if isinstance(error, AccessDenied):
        ask, hint = ", ".join(administrators(request.app.state.service)), ""
    title = language.text(TITLES.get(status, TITLES[500]))
    shown = {"title": title, "message": message, "hint": hint, "ask": ask}
    return page("error.html", language, theme_for(request), status=status, **shown)


def _told(request: Request, error: BaseException) -> tuple[int, str, str]:
    if isinstance(error, HTTPException):
        return error.status_code, "This address leads nowhere.", ""
    if isinstance(error, ShoplakeError) and (status := status_of(error)) != FAILED:
        return status, error.message, error.hint
    route = getattr(request.scope.get("route"), "path", "unknown")  # never the address, which may say anything
    answered = json.loads(bytes(failed(error, f"{request.method} {route}").body))
    return FAILED, answered["error"]["message"], answered["error"]["hint"]


def administrators(service: Service) -> list[str]:
    """Name the users who can change what others may see."""
    users = service.logins.look(lambda now: now.users.list())
    return [user.name for user in users if user.role == "admin" and user.disabled_at is None]


def nothing_there(message: str) -> NotFoundError:
    """Make the error of a part of an address that stands for nothing."""
    return NotFoundError(message, hint="The pages at the top lead to what there is.")


def answer_browsers(app: FastAPI) -> None:
    """Have an address that leads nowhere answered with a page where a person looks at it, as before where not."""
    before: Any = app.exception_handlers[HTTPException]

    async def handle(request: Request, error: Exception) -> Response:
        if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/"):
            return failure(request, error)
        answered: Response = await before(request, error)
        return answered

    app.add_exception_handler(HTTPException, handle)
