"""Signing in and out by name and password, and who one is."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import Response

from shoplake.access.identity import Identity
from shoplake.access.login import LONGEST_PASSWORD, Session
from shoplake.access.policy import CONSOLES, EXPORTS
from shoplake.access.rights import Rights
from shoplake.audit.entry import Actor, acting_as
from shoplake.errors import AuthenticationFailed
from shoplake.portal import csrf
from shoplake.portal.callers import SESSION_COOKIE, SignedIn, forget_session, keep_session
from shoplake.portal.refusals import documented
from shoplake.portal.service import Service, TheService

router = APIRouter(prefix="/v1", tags=["people"])
NOBODY = "nobody"


class SignIn(BaseModel):
    """What a person signs in with."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]
    password: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]
    code: Annotated[str, Field(max_length=20, description="Of the second factor, where the user has one.")] = ""


class Person(BaseModel):
    """Somebody, and what they may do."""

    name: str
    role: str
    limits: dict[str, list[str]] = Field(description="Values that the person is limited to, by attribute.")
    consoles: list[str] = Field(description="What the person may use, with the token in use.")
    exports: list[str] = Field(description="What the person may take rows out of.")
    csrf_token: Annotated[str | None, Field(description="For the header X-CSRF-Token; with a session only.")] = None
    expires_at: Annotated[dt.datetime | None, Field(description="End of a session that has just begun.")] = None


@router.post("/sessions", status_code=201, responses=documented(400, 401, 403, 413, 429, 503))
async def sign_in(given: SignIn, request: Request, answer: Response, service: TheService) -> Person:
    """Sign in: sets the cookie of a new session, and ends the one that the browser had."""
    csrf.check_origin(request)
    address = request.client.host if request.client else ""
    replaces = request.cookies.get(SESSION_COOKIE, "")

    def begin() -> Session:
        return service.logins.now().sign_in(
            given.name, given.password.get_secret_value(), code=given.code, address=address, replaces=replaces
        )

    with acting_as(Actor(NOBODY)):
        session = await service.signing_in.run(begin)
    keep_session(answer, session.token, int(service.settings.session_hours * 3600))
    ends = session.expires_at.replace(tzinfo=dt.UTC, microsecond=0)
    return person(service, session.identity).model_copy(
        update={"csrf_token": csrf.token_for(session.token), "expires_at": ends}
    )


@router.delete("/sessions/current", status_code=204, responses=documented(400, 401, 403, 503))
async def sign_out(who: SignedIn, answer: Response, service: TheService) -> None:
    """Sign out: ends the session and clears the cookie. A personal access token has no session to end."""
    if not who.session:
        raise AuthenticationFailed("No session is in use.", hint="A token is ended by `shoplake tokens revoke`.")
    with acting_as(Actor(who.identity.name, who.identity.role)):
        await service.looking_up.run(lambda: service.logins.now().sign_out(who.session))
    forget_session(answer)


@router.get("/me", responses=documented(401, 503))
async def me(who: SignedIn, service: TheService) -> Person:
    """Say who is signed in, and what they may use."""
    found = person(service, who.identity)
    return found.model_copy(update={"csrf_token": csrf.token_for(who.session)}) if who.session else found


def person(service: Service, identity: Identity) -> Person:
    """Describe somebody by the policy."""
    rights = Rights.of(service.settings, identity)
    return Person(
        name=identity.name,
        role=identity.role,
        limits={name: list(values) for name, values in identity.attributes.items()},
        consoles=sorted(name for name in CONSOLES if rights.may_use(name).is_allowed),
        exports=sorted(name for name in EXPORTS if rights.may_export(name).is_allowed),
    )
