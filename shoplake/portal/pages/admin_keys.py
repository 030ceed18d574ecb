"""Keys of programs: tokens of all users, and producers that send events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shoplake.access.producer_keys import add_producer, list_producers, revoke_producer
from shoplake.audit.recording import changing, showing
from shoplake.errors import InputError, NotFoundError, ShoplakeError
from shoplake.portal.pages.admin import Administrator, admin_frame
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.visitors import Visitor, form_of
from shoplake.portal.refusals import status_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
KEY_WORDS = "This is the key. It is shown this once."


@router.get("/admin/tokens")
async def tokens(request: Request, visitor: Administrator) -> Response:
    """List the tokens in force, of all users."""

    def shown() -> Response:
        require(visitor, "tokens")
        viewer, now = visitor.viewer(), dt.datetime.now(dt.UTC).replace(tzinfo=None)
        with showing(viewer.settings, "tokens list") as entry:
            found = visitor.service.logins.now().sign_ins.tokens()
            entry.rows = len(found)
        in_force = [token for token in found if token.revoked_at is None and token.expires_at > now]
        around = admin_frame(request, visitor, viewer, "/admin/tokens")
        return page("admin_tokens.html", visitor.language, visitor.theme, **around, tokens=in_force, problem=None)

    return await visitor.run(shown)


@router.post("/admin/tokens")
async def revoke_token(request: Request, visitor: Administrator) -> Response:
    """End a token."""
    token = (await form_of(request)).get("token", "")

    def revoke() -> None:
        require(visitor, "tokens")
        sign_ins = visitor.service.logins.now().sign_ins
        owner = next((one.user_name for one in sign_ins.tokens() if one.token_id == token), None)
        if owner is None:
            raise NotFoundError("There is no token of that id.")
        with changing(visitor.service.settings, "tokens revoke", token=token, user=owner):
            sign_ins.revoke_token(token)

    await visitor.run(revoke)
    return RedirectResponse("/admin/tokens", 303)


@router.get("/admin/producers")
async def producers(request: Request, visitor: Administrator) -> Response:
    """List the producers."""
    return await _producers(request, visitor)


@router.post("/admin/producers")
async def add(request: Request, visitor: Administrator) -> Response:
    """Make a producer, and show its key this once."""
    given = await form_of(request)
    name, rate = given.get("name", "").strip(), given.get("rate", "").strip()
    sources = [field.removeprefix("source-") for field in given if field.startswith("source-")]

    def make() -> str:
        require(visitor, "producers")
        if not name or len(name) > 100:  # noqa: PLR2004 - as users' names
            raise InputError("A producer has a name, of 100 characters at most.")
        if rate and not (rate.isdigit() and int(rate)):
            raise InputError("The limit is a number of events a second.")
        settings, limit = visitor.service.settings, int(rate) if rate else None
        return add_producer(settings, name, sources, reads_live="live" in given, rate_limit=limit)[0]

    return await _told(request, visitor, make)


@router.post("/admin/producers/revoke")
async def revoke_key(request: Request, visitor: Administrator) -> Response:
    """End a producer's key."""
    name = (await form_of(request)).get("name", "")

    def revoke() -> None:
        require(visitor, "producers")
        revoke_producer(visitor.service.settings, name)

    await visitor.run(revoke)
    return RedirectResponse("/admin/producers", 303)


def require(visitor: Visitor, console: str) -> None:
    """Pass an administrator who may use a further console.

    Raises:
        AccessDenied: the policy does not let them.

    """
    rights = visitor.viewer().rights
    rights.require(rights.may_use(console), f"use {console}")


async def _told(request: Request, visitor: Visitor, make: Callable[[], str]) -> Response:
    try:
        key = await visitor.run(make)
    except ShoplakeError as error:
        if status_of(error) != 400:  # noqa: PLR2004 - what was typed is wrong
            raise
        return await _producers(request, visitor, problem=error)
    return await _producers(request, visitor, secret=key)


async def _producers(
    request: Request, visitor: Visitor, *, problem: ShoplakeError | None = None, secret: str = ""
) -> Response:
    from shoplake.contracts import stream_contracts

    def shown() -> Response:
        require(visitor, "producers")
        viewer = visitor.viewer()
        about: dict[str, Any] = {
            "producers": list_producers(viewer.settings),
            "streams": sorted(stream_contracts(viewer.settings)),
            "problem": problem,
            "secret": secret,
            "secret_words": visitor.language.text(KEY_WORDS),
        }
        status = status_of(problem) if problem else 200
        around = admin_frame(request, visitor, viewer, "/admin/producers")
        return page("admin_producers.html", visitor.language, visitor.theme, status=status, **around, **about)

    return await visitor.run(shown)
