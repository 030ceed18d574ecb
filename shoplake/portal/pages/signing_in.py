"""Signing in and out, and how a browser likes its pages."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shoplake.access.login import Session
from shoplake.audit.entry import Actor, acting_as
from shoplake.errors import AuthenticationFailed, ShoplakeError
from shoplake.portal import csrf
from shoplake.portal.api.sessions import NOBODY
from shoplake.portal.callers import SESSION_COOKIE, forget_session, keep_session
from shoplake.portal.pages.answering import ENDED_COOKIE, PageRoute
from shoplake.portal.pages.language import LANGUAGES
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.visitors import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    AVisitor,
    form_of,
    language_for,
    theme_for,
)
from shoplake.portal.refusals import status_of
from shoplake.portal.service import Service, TheService

router = APIRouter(route_class=PageRoute, include_in_schema=False)
OWN_PATH = re.compile(r"/(?![/\\])[\w\-./~?=&%+,:]*", re.ASCII)
A_YEAR = 365 * 24 * 3600
LONGEST_NEXT, LONGEST_NAME = 2_000, 200


@router.get("/login")
async def sign_in_page(request: Request, service: TheService) -> Response:
    """Ask for name and password."""
    shown = _sign_in_form(request, service, own_path(request.query_params.get("next", "")))
    if ENDED_COOKIE in request.cookies:
        shown.delete_cookie(ENDED_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return shown


@router.post("/login")
async def sign_in(request: Request, service: TheService) -> Response:
    """Sign in, and go to where the person wanted to."""
    csrf.check_origin(request)
    given = await form_of(request)
    address = request.client.host if request.client else ""
    target = own_path(given.get("next", ""))
    name = given.get("name", "")[:LONGEST_NAME].strip()

    def begin() -> Session:
        return service.logins.now().sign_in(
            name,
            given.get("password", ""),
            code=given.get("code", ""),
            address=address,
            replaces=request.cookies.get(SESSION_COOKIE, ""),
        )

    try:
        with acting_as(Actor(NOBODY)):
            session = await service.signing_in.run(begin)
    except AuthenticationFailed as error:
        return _sign_in_form(request, service, target, error, name)
    answer = RedirectResponse(target or "/", 303)
    keep_session(answer, session.token, int(service.settings.session_hours * 3600))
    return answer


def own_path(text: str) -> str:
    """Give a path of ours to go on to; empty for anything else."""
    return text if len(text) <= LONGEST_NEXT and OWN_PATH.fullmatch(text) else ""


def _sign_in_form(
    request: Request, service: Service, target: str, problem: ShoplakeError | None = None, name: str = ""
) -> Response:
    return page(
        "login.html",
        language_for(request),
        theme_for(request),
        status=status_of(problem) if problem else 200,
        next=target,
        name=name,
        problem=problem,
        has_ended=problem is None and ENDED_COOKIE in request.cookies,
        has_single_sign_on=bool(service.settings.oidc_issuer),
    )


@router.post("/logout")
async def sign_out(visitor: AVisitor) -> Response:
    """End the session."""
    await visitor.run(lambda: visitor.service.logins.now().sign_out(visitor.session))
    answer = RedirectResponse("/login", 303)
    forget_session(answer)
    return answer


@router.post("/preferences")
async def preferences(request: Request, _visitor: AVisitor) -> Response:
    """Keep the language and the appearance that a browser has chosen."""
    given = await form_of(request)
    answer = RedirectResponse(own_path(given.get("next", "")) or "/", 303)
    for cookie, value, known in (
        (LANGUAGE_COOKIE, given.get("language", ""), set(LANGUAGES)),
        (THEME_COOKIE, given.get("theme", ""), THEMES),
    ):
        if value in known:
            answer.set_cookie(cookie, value, max_age=A_YEAR, path="/", secure=True, httponly=True, samesite="lax")
        else:
            answer.delete_cookie(cookie, path="/", secure=True, httponly=True, samesite="lax")
    return answer
