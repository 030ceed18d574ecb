"""Who looks at a page: signed in by the browser's session, in a language and an appearance of their own."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from shoplake.access.identity import Identity
from shoplake.access.kpi_window import Window
from shoplake.audit.entry import Actor, acting_as
from shoplake.errors import AuthenticationFailed, ForeignRequestError
from shoplake.portal import csrf
from shoplake.portal.callers import SESSION_COOKIE, require_console
from shoplake.portal.pages.language import Language, language_of
from shoplake.portal.pages.served import current_manifest
from shoplake.portal.pages.viewer import Viewer
from shoplake.portal.service import Service, TheService

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer

T = TypeVar("T")
LANGUAGE_COOKIE, THEME_COOKIE = "__Host-language", "__Host-theme"
THEMES = {"light", "dark"}
CSRF_FIELD = "csrf"


@dataclass(frozen=True)
class Visitor:
    """A signed-in person at a browser."""

    identity: Identity
    service: Service = field(repr=False)
    language: Language
    theme: str
    session: str = field(repr=False)

    @property
    def csrf(self) -> str:
        """Give what forms of this session carry."""
        return csrf.token_for(self.session)

    def viewer(self) -> Viewer:
        """Give the person as they look at the current release."""
        settings = self.service.settings
        manifest = current_manifest(settings)
        return Viewer(settings, self.identity, manifest, self.language, partial(_ask, self.service, self.identity))

    def viewer_as(self, identity: Identity) -> Viewer:
        """Give somebody else as they would look at the release: for who may see all that is then shown, no one else."""
        settings = self.service.settings
        manifest = current_manifest(settings)
        return Viewer(settings, identity, manifest, self.language, partial(_ask, self.service, identity))

    async def run(self, act: Callable[[], T]) -> T:
        """Do something for the person in a thread; what it puts on record is theirs.

        Raises:
            BusyError: too many wait already.

        """
        return await self.service.answer(self.identity, act)

    async def glance(self, act: Callable[[], T]) -> T:
        """Do something short for the person in a thread, which is not behind the answers that are made.

        Raises:
            BusyError: too many wait already.

        """
        with acting_as(Actor(self.identity.name, self.identity.role)):
            return await self.service.looking_up.run(act)


def language_for(request: Request) -> Language:
    """Give the language that a browser has chosen, or asks for."""
    return language_of(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def theme_for(request: Request) -> str:
    """Give the appearance that a browser has chosen; empty for the system's."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


async def visitor(request: Request, service: TheService) -> Visitor:
    """Give who looks, as the store has them at this moment; a form that changes something must be the session's own.

    Raises:
        AuthenticationFailed: nobody is signed in, or the session has ended.
        ForeignRequestError: a form that is not of a page of this session.

    """
    session = request.cookies.get(SESSION_COOKIE, "")
    if not session:
        raise AuthenticationFailed("Nobody is signed in.", hint="Sign in.")
    identity = await service.looking_up.run(lambda: service.logins.look(lambda now: now.of_session(session)))
    if request.method not in csrf.SAFE_METHODS:
        csrf.check_origin(request)
        given = (await form_of(request)).get(CSRF_FIELD, "")
        if not hmac.compare_digest(given.encode(), csrf.token_for(session).encode()):
            raise ForeignRequestError("This form is of another session.", hint="Load the page again.")
    return Visitor(identity, service, language_for(request), theme_for(request), session)


AVisitor = Annotated[Visitor, Depends(visitor)]


@cache
def visiting(console: str) -> Callable[..., Awaitable[Visitor]]:
    """Give the dependency of a page for users of a console: it gives who looks.

    Raises:
        AccessDenied: (when it is called) the policy does not let them use the console.

    """

    async def visitor_of_console(who: AVisitor) -> Visitor:
        await require_console(who.service, who.identity, console)
        return who

    visitor_of_console.console = console  # type: ignore[attr-defined]
    return visitor_of_console


async def form_of(request: Request) -> Mapping[str, str]:
    """Read a form's fields; of a name that stands twice the last counts."""
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _ask(
    service: Service,
    identity: Identity,
    name: str,
    *,
    window: Window,
    by: tuple[str, ...],
    where: Mapping[str, tuple[str, ...]],
    definition: str,
    against: Window | None,
) -> KpiAnswer:
    from shoplake.access.kpi import answer

    service.ahead.saw(identity)
    return answer(
        service.settings,
        name,
        from_=window.first,
        to=window.last,
        by=by,
        where=where,
        definition=definition,
        identity=identity,
        warm=service.warm,
        against=against,
    )
