"""How every failure is answered: one JSON shape, and the HTTP status by the kind of error in one table."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from shoplake import errors
from shoplake.errors import ShoplakeError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger("shoplake.portal")
STATUS: dict[type[ShoplakeError], int] = {
    errors.InputError: 400,
    errors.QueryError: 400,
    errors.QueryTimeout: 400,
    errors.AuthenticationFailed: 401,
    errors.AccessDenied: 403,
    errors.ForeignRequestError: 403,
    errors.NotFoundError: 404,
    errors.QueryCancelled: 409,
    errors.ThrottledError: 429,
    errors.UnreachableError: 502,
    errors.BusyError: 503,
    errors.LockedError: 503,
    errors.TooManyQueries: 503,
    errors.WorkerLost: 503,
    errors.AuditLogError: 503,
}
"""Status by class, the nearest one counts; what is not here is the service's own failure: 500."""
TOLD_ALL = {429, 502, 503}
FAILED = 500
HTTP_ERRORS: dict[int, tuple[str, str, str]] = {
    400: ("request", "The request cannot be read.", "Is its body whole, and JSON in UTF-8?"),
    401: ("authentication", "Nobody is signed in.", "Send a token or a session; see /v1/docs."),
    404: ("not_found", "There is nothing here.", "See /v1/docs for what there is."),
    405: ("method", "This address does not take this method.", "The header Allow says which it takes."),
    413: (
        "too_large",
        "The request's body is too large.",
        "The setting service_body_limit_bytes says how much it takes.",
    ),
    421: ("host", "This server does not answer to this name.", "Whoever runs it adds names by the setting tls_names."),
    422: ("validation", "The request is not valid.", "See /v1/docs for what it may hold."),
    500: ("internal", "The request failed.", "Send it again."),
    503: ("unavailable", "This part of the service is not running.", "Try again later."),
}
"""Code, message and hint of failures that no part of shoplake has raised."""


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable name of the kind of failure.")
    message: str = Field(description="What went wrong, for people.")
    hint: str = Field(description="What to do next; may be empty.")


class ErrorAnswer(BaseModel):
    """The one shape of every failure."""

    error: ErrorDetail


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Give what OpenAPI says of the failures that a route answers with."""
    return {
        status: {"model": ErrorAnswer, "description": HTTP_ERRORS.get(status, ("", TEXTS.get(status, "")))[1]}
        for status in statuses
    }


TEXTS = {
    403: "The policy does not allow it, or the CSRF token is missing.",
    409: "Somebody stopped the query.",
    429: "Too many failed attempts; Retry-After says how many seconds to wait.",
    502: "Another server that is needed does not answer.",
}


def refusal(
    status: int, code: str = "", message: str = "", hint: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """Give an answer of the error shape; what is not given is the status' usual text."""
    usual = HTTP_ERRORS.get(status, HTTP_ERRORS[400])
    content = {"code": code or usual[0], "message": message or usual[1], "hint": hint or ("" if message else usual[2])}
    return JSONResponse({"error": content}, status, headers=dict(headers or {}))


def status_of(error: ShoplakeError) -> int:
    """Give the status of an error by its class."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), FAILED)


def failed(error: BaseException, what: str) -> Response:
    """Answer a failure of the service itself: with an id, under which the log tells more.

    The log has the kind of error and where it was raised, and not its text, which may hold what was asked or shown;
    errors of our own are written so that they can be told.
    """
    number = secrets.token_hex(6)
    places = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__)]
    told = f"{type(error).__name__}: {error.message}" if isinstance(error, ShoplakeError) else type(error).__name__
    log.error("request %s (%s) failed: %s at %s", number, what, told, " < ".join(places[:-6:-1]))
    code, message, _ = HTTP_ERRORS[FAILED]
    return refusal(FAILED, code, message, f"Send it again; the service's log tells more under {number}.")


def add_handlers(app: FastAPI) -> None:
    """Have an application answer every failure in the one shape."""
    app.add_exception_handler(ShoplakeError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _any)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ShoplakeError)  # noqa: S101 - what it is registered for
    status = status_of(error)
    if status == FAILED:
        return failed(error, _named(request))
    if status in TOLD_ALL:
        log.warning("%s was answered %s: %s", _named(request), status, error.message)
    headers = {}
    if status == 401:  # noqa: PLR2004 - unauthorized
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, errors.ThrottledError | errors.BusyError):
        headers["retry-after"] = str(error.retry_after)
    return refusal(status, error.code, error.message, error.hint, headers)


async def _invalid(_request: Request, error: Exception) -> Response:
    """Say what is wrong where, and repeat nothing of what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    found = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5]]
    return refusal(422, message="; ".join(found) + ".", hint=HTTP_ERRORS[422][2])


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return refusal(error.status_code, headers=error.headers)


async def _any(request: Request, error: Exception) -> Response:
    return failed(error, _named(request))


def _named(request: Request) -> str:
    """Name a request by its route, never by the address that was sent."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', 'unknown')}"
