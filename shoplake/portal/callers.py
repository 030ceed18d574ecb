"""Who calls, and whether the policy lets them use what they call: what every route depends on.

A route names its console, ``Annotated[Identity, Depends(using("kpi"))]``, or `SignedIn` where it is enough to be
somebody, or stands in `OPEN` of `shoplake.portal.app`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from shoplake.access.identity import Identity
from shoplake.access.rights import Rights
from shoplake.audit.recording import showing
from shoplake.errors import AuthenticationFailed
from shoplake.portal import csrf
from shoplake.portal.service import Service

if TYPE_CHECKING:
    from starlette.responses import Response

SESSION_COOKIE = "__Host-shoplake"
BEARER = HTTPBearer(
    scheme_name="token", description="A personal access token (`shoplake tokens add`).", auto_error=False
)
COOKIE = APIKeyCookie(
    name=SESSION_COOKIE,
    scheme_name="session",
    description=f"What signing in has set. Requests that change something need the header {csrf.HEADER} too.",
    auto_error=False,
)


@dataclass(frozen=True)
class Caller:
    """A person, and how they have shown who they are."""

    identity: Identity
    session: str = field(default="", repr=False)
    """Token of the browser's session; empty for a personal access token."""


async def caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
    session: Annotated[str | None, Security(COOKIE)],
) -> Caller:
    """Give who calls, as the store has them at this moment; a token counts before a cookie.

    Raises:
        AuthenticationFailed: nobody who may come in.
        ForeignRequestError: by cookie, and not from a page of ours.

    """
    service: Service = request.app.state.service  # not as a dependency, which FastAPI would solve once more
    if "authorization" in request.headers:
        token = bearer.credentials if bearer is not None else ""
        return Caller(await service.looking_up.run(lambda: service.logins.look(lambda now: now.of_token(token))))
    if not session:
        raise AuthenticationFailed(
            "Nobody is signed in.", hint="Send `Authorization: Bearer TOKEN`, or sign in by POST /v1/sessions."
        )
    identity = await service.looking_up.run(lambda: service.logins.look(lambda now: now.of_session(session)))
    csrf.check(request, session)
    return Caller(identity, session)


SignedIn = Annotated[Caller, Depends(caller)]


@cache
def using(console: str) -> Callable[..., Awaitable[Identity]]:
    """Give the dependency of a route that is for users of a console: it gives who calls.

    Raises:
        AccessDenied: (when it is called) the policy does not let them use the console.

    """

    async def user_of_console(who: SignedIn, request: Request) -> Identity:
        await require_console(request.app.state.service, who.identity, console)
        return who.identity

    user_of_console.console = console  # type: ignore[attr-defined]
    return user_of_console


async def require_console(service: Service, identity: Identity, console: str) -> None:
    """Let a person use a console.

    Raises:
        AccessDenied: the policy does not; the refusal is on record.

    """
    rights = Rights.of(service.settings, identity)
    decision = rights.may_use(console)
    if decision.is_allowed:
        return

    def refuse() -> None:
        with showing(service.settings, console, by="HTTP"):
            rights.require(decision, f"use {console}")

    await service.answer(identity, refuse)


def keep_session(answer: Response, token: str, seconds: int) -> None:
    """Have the browser keep a session: for this address alone, out of reach of scripts."""
    answer.set_cookie(SESSION_COOKIE, token, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def forget_session(answer: Response) -> None:
    """Have the browser forget its session."""
    answer.delete_cookie(SESSION_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
