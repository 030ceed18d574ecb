"""Has a person show once more who they are, before a change that somebody at an open browser must not make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from shoplake.audit.entry import Actor, acting_as
from shoplake.errors import ShoplakeError
from shoplake.portal.callers import keep_session

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.responses import Response

    from shoplake.access.login import Logins, Session
    from shoplake.portal.pages.visitors import Visitor

T = TypeVar("T")


def prove(logins: Logins, request: Request, visitor: Visitor, given: Mapping[str, str]) -> Session:
    """Look at the password, and at the code where there is one; the session that begins replaces the one in use.

    Raises:
        AuthenticationFailed: they are not the person's.
        ThrottledError: there were too many attempts.

    """
    address = request.client.host if request.client else ""
    name, password, code = visitor.identity.name, given.get("password", ""), given.get("code", "")
    return logins.sign_in(name, password, code=code, address=address, replaces=visitor.session)


@dataclass(frozen=True)
class Proven(Generic[T]):
    """What came of a change: its result, or why there is none, and the visitor with the session that is left."""

    visitor: Visitor
    result: T | None = None
    problem: ShoplakeError | None = None

    def keep(self, answer: Response) -> Response:
        """Have the browser keep the session."""
        keep_session(answer, self.visitor.session, int(self.visitor.service.settings.session_hours * 3600))
        return answer


async def proven(request: Request, visitor: Visitor, given: Mapping[str, str], act: Callable[[Logins], T]) -> Proven[T]:
    """Do something once the person has shown who they are; what fails is told, and does not end their session."""

    def run() -> Proven[T]:
        logins, now = visitor.service.logins.now(), visitor
        try:
            now = replace(visitor, session=prove(logins, request, visitor, given).token)
            return Proven(now, act(logins))
        except ShoplakeError as error:
            return Proven(now, problem=error)

    with acting_as(Actor(visitor.identity.name, visitor.identity.role)):
        return await visitor.service.signing_in.run(run)
