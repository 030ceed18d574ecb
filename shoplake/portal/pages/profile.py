"""What a person changes of their own: password, second factor, sessions, tokens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shoplake.access.administration import add_token
from shoplake.access.login import Session, hash_password
from shoplake.access.policy import CONSOLES
from shoplake.audit.entry import Actor, acting_as
from shoplake.audit.recording import changing
from shoplake.errors import InputError, NotFoundError, ShoplakeError
from shoplake.portal.callers import forget_session, keep_session
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.proving import prove
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.viewer import Viewer, release_text
from shoplake.portal.pages.visitors import AVisitor, Visitor, form_of
from shoplake.portal.refusals import status_of

if TYPE_CHECKING:
    from shoplake.access.login import Logins

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/profile")
async def profile(visitor: AVisitor) -> Response:
    """Show what a person can change of their own."""
    return await _profile(visitor)


@router.post("/profile/password")
async def change_password(request: Request, visitor: AVisitor) -> Response:
    """Set a new password; it ends every session but one that begins now."""
    given = await form_of(request)
    made = hash_password(given["new"]) if "new" in given else ""

    def change(logins: Logins) -> Session:
        prove(logins, request, visitor, given)
        with changing(visitor.service.settings, "profile password", user=visitor.identity.name):
            logins.users.set_password(visitor.identity.name, made)
        return logins.begin_session(logins.users.get(visitor.identity.name))

    return await _changed(visitor, change, "Your password is changed; other sessions of yours have ended.")


@router.post("/profile/factor")
async def change_factor(request: Request, visitor: AVisitor) -> Response:
    """Make a second factor, and show its secret this once."""
    given, secret = await form_of(request), dict[str, str]()

    def change(logins: Logins) -> Session:
        session = prove(logins, request, visitor, given)
        with changing(visitor.service.settings, "profile second factor", user=visitor.identity.name):
            secret["secret"], secret["address"] = logins.second_factor().enroll(visitor.identity.name)
        return session

    words = "Your authenticator makes the codes from this secret, which is shown this once."
    return await _changed(visitor, change, "Signing in takes a code from now on.", words, secret)


@router.post("/profile/sessions")
async def end_sessions(visitor: AVisitor) -> Response:
    """End every session of the person."""
    name = visitor.identity.name

    def end() -> None:
        with changing(visitor.service.settings, "profile sessions", user=name):
            visitor.service.logins.now().sign_ins.end_sessions(name)

    await visitor.run(end)
    answer = RedirectResponse("/login", 303)
    forget_session(answer)
    return answer


@router.post("/profile/tokens")
async def make_token(request: Request, visitor: AVisitor) -> Response:
    """Make a token, and show it this once."""
    given, name, settings = await form_of(request), visitor.identity.name, visitor.service.settings
    scopes, days = [given["scope"]] if given.get("scope") else [], given.get("days", "")

    def make() -> str:
        if not days.isdigit() or int(days) < 1:
            raise InputError("A token is good for a day or more.", hint="Give a number of days.")
        with changing(settings, "profile token", user=name, scopes=scopes, days=int(days)):
            return add_token(settings, name, scopes, int(days))[0]

    try:
        token = await visitor.run(make)
    except ShoplakeError as error:
        return await _profile(visitor, problem=error)
    words = "This is the token. It is shown this once."
    return await _profile(visitor, secret={"secret": token}, secret_words=words)


@router.post("/profile/tokens/revoke")
async def revoke_token(request: Request, visitor: AVisitor) -> Response:
    """End a token of the person's own."""
    token, name = (await form_of(request)).get("token", ""), visitor.identity.name

    def revoke() -> None:
        sign_ins = visitor.service.logins.now().sign_ins
        if token not in {one.token_id for one in sign_ins.tokens(name)}:
            raise NotFoundError("You have no such token.")
        with changing(visitor.service.settings, "profile token revoke", user=name, token=token):
            sign_ins.revoke_token(token)

    await visitor.run(revoke)
    return RedirectResponse("/profile", 303)


async def _changed(
    visitor: Visitor,
    change: Callable[[Logins], Session],
    done: str,
    secret_words: str = "",
    secret: Mapping[str, str] | None = None,
) -> Response:
    """Make a change that takes the password, and show the profile with the session that it leaves."""
    service, identity = visitor.service, visitor.identity
    try:
        with acting_as(Actor(identity.name, identity.role)):
            session = await service.signing_in.run(lambda: change(service.logins.now()))
    except ShoplakeError as error:
        return await _profile(visitor, problem=error)
    renewed = Visitor(identity, service, visitor.language, visitor.theme, session.token)
    answer = await _profile(renewed, done=done, secret=secret, secret_words=secret_words)
    keep_session(answer, session.token, int(service.settings.session_hours * 3600))
    return answer


async def _profile(
    visitor: Visitor,
    *,
    problem: ShoplakeError | None = None,
    done: str = "",
    secret: Mapping[str, str] | None = None,
    secret_words: str = "",
) -> Response:
    settings, name, text = visitor.service.settings, visitor.identity.name, visitor.language.text

    def shown() -> Response:
        logins, viewer = visitor.service.logins.now(), visitor.viewer()
        user = logins.users.get(name)
        tokens = [t for t in logins.sign_ins.tokens(name) if t.revoked_at is None and t.expires_at > _now()]
        rights = viewer.rights
        return page(
            "profile.html",
            visitor.language,
            visitor.theme,
            status=status_of(problem) if problem else 200,
            **_frame(visitor, viewer),
            problem=problem,
            done=text(done),
            secret=(secret or {}).get("secret", ""),
            address=(secret or {}).get("address", ""),
            secret_words=text(secret_words),
            has_password=bool(user.password_hash),
            has_second_factor=user.has_second_factor,
            tokens=tokens,
            consoles=sorted(console for console in CONSOLES if rights.may_use(console).is_allowed),
            token_days=settings.token_days,
            moment=viewer.figures.moment,
        )

    return await visitor.run(shown)


def _frame(visitor: Visitor, viewer: Viewer) -> dict[str, Any]:
    is_released = bool(viewer.manifest.release_id)
    return {
        "viewer": viewer,
        "team": "",
        "filters": Filters(),
        "csrf": visitor.csrf,
        "here": "/profile",
        "currency": viewer.settings.currency,
        "release_id": viewer.manifest.release_id if is_released else "",
        "release_text": release_text(viewer) if is_released else "",
        "poll_ms": int(viewer.settings.portal_poll_seconds * 1000),
    }


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
