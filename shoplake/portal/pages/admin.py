"""Administration of users: who may sign in, with which role and limits. Changes take the administrator's password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shoplake.access.people import CONSOLE, People
from shoplake.access.policy import load_policy
from shoplake.access.releasing import apply
from shoplake.audit.recording import showing
from shoplake.errors import InputError, LockedError, ShoplakeError
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.proving import Proven, proven
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.visitors import Visitor, form_of, visiting
from shoplake.portal.refusals import status_of

if TYPE_CHECKING:
    from shoplake.access.login import Logins
    from shoplake.portal.pages.viewer import Viewer

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Administrator = Annotated[Visitor, Depends(visiting(CONSOLE))]
TABS = (
    ("/admin", "Users", "users"),
    ("/admin/roles", "Roles", "users"),
    ("/admin/view", "View as", "users"),
    ("/admin/tokens", "Tokens", "tokens"),
    ("/admin/producers", "Producers", "producers"),
)
"""Address, title and console of each page of the administration."""
SHOWN_ONCE = "The password is shown this once. Hand it over on a safe way; it can be changed in the profile."
BUSY = "The home is busy: the user's files come with the end of what runs."


def admin_frame(request: Request, visitor: Visitor, viewer: Viewer, here: str) -> dict[str, Any]:
    """Give what every page of the administration shows around its content."""
    tabs = [(address, title) for address, title, console in TABS if viewer.rights.may_use(console).is_allowed]
    is_released = bool(viewer.manifest.release_id)
    shown = frame(request, visitor, viewer, "", Filters()) | {
        "here": here,
        "tabs": tabs,
        "moment": viewer.figures.moment,
    }
    return shown if is_released else shown | {"release_text": ""}


@router.get("/admin")
async def users(request: Request, visitor: Administrator) -> Response:
    """List the users."""
    return await _users(request, visitor)


@router.post("/admin")
async def add(request: Request, visitor: Administrator) -> Response:
    """Make a user, and show the first password this once."""
    given = await form_of(request)
    name, role = given.get("name", "").strip(), given.get("role", "")
    people = _people(visitor, lambda people: people.add(name, role, where_of(given)), needs_files=True)
    done = await proven(request, visitor, given, people)
    shown = await _users(request, done.visitor, made=name if not done.problem else "", done=done)
    return done.keep(shown)


@router.get("/admin/users/{name}")
async def user(name: str, request: Request, visitor: Administrator) -> Response:
    """Show a user, and what can be changed of them."""
    return await _user(request, visitor, name)


@router.post("/admin/users/{name}/{change}")
async def change_user(name: str, change: str, request: Request, visitor: Administrator) -> Response:
    """Change a user."""
    if change not in CHANGES:
        raise nothing_there("There is no such change.")
    given, (act, needs_files) = await form_of(request), CHANGES[change]
    changed = _people(visitor, lambda people: act(people, name, given), needs_files=needs_files)
    done = await proven(request, visitor, given, changed)
    return done.keep(await _user(request, done.visitor, name, done=done, words=SAID[change]))


def where_of(given: Mapping[str, str]) -> list[str]:
    """Read limits out of a form: a field for each attribute, a value on each line.

    Raises:
        InputError: a line is far too long.

    """
    found = []
    for field, text in given.items():
        attribute = field.removeprefix("limit-")
        if attribute != field:
            found += [f"{attribute}={line.strip()}" for line in text.splitlines() if line.strip()]
    if any(len(one) > 200 for one in found):  # noqa: PLR2004 - as filters of pages
        raise InputError("A limit is too long.", hint="One value stands on each line.")
    return found


Act = Callable[[People, str, Mapping[str, str]], Any]
CHANGES: dict[str, tuple[Act, bool]] = {
    "role": (lambda people, name, given: people.set_role(name, given.get("role", ""), where_of(given)), True),
    "disable": (lambda people, name, _: people.set_disabled(name, is_disabled=True), False),
    "enable": (lambda people, name, _: people.set_disabled(name, is_disabled=False), True),
    "sessions": (lambda people, name, _: people.end_sessions(name), False),
    "password": (lambda people, name, _: people.new_password(name), False),
    "factor": (lambda people, name, _: people.end_second_factor(name), False),
}
"""What each change does, and whether the user may need files of their own in the release."""
SAID = {
    "role": "The role is changed.",
    "disable": "The user is shut out.",
    "enable": "The user may sign in again.",
    "sessions": "The user's sessions have ended.",
    "password": "The user has a new password; their sessions have ended.",
    "factor": "The user signs in by password alone.",
}


def _people(
    visitor: Visitor, act: Callable[[People], Any], *, needs_files: bool
) -> Callable[[Logins], tuple[Any, str]]:
    """Give what makes a change, and then what it calls for; gives its result, and what did not work besides."""
    settings, by = visitor.service.settings, visitor.identity.name

    def changed(logins: Logins) -> tuple[Any, str]:
        from shoplake.publication.postgres import publish_after_release

        found, notice = act(People(settings, logins, by)), ""
        if needs_files:
            try:
                apply(settings)
            except LockedError:
                notice = BUSY
        published = publish_after_release(settings) or {}
        return found, published.get("error", {}).get("message", notice)

    return changed


async def _users(
    request: Request, visitor: Visitor, *, made: str = "", done: Proven[tuple[Any, str]] | None = None
) -> Response:
    settings, text = visitor.service.settings, visitor.language.text

    def shown() -> Response:
        viewer, logins = visitor.viewer(), visitor.service.logins.now()
        with showing(settings, "users list") as entry:
            found, sessions = logins.users.list(), logins.sign_ins.session_counts()
            entry.rows = len(found)
        problem = done.problem if done else None
        about = {
            "users": found,
            "sessions": sessions,
            "said": text("%(name)s may sign in.", name=made) if made else "",
            **_secret(done, made, text),
        }
        return _page("admin_users.html", request, visitor, viewer, logins, "/admin", problem, about)

    return await visitor.run(shown)


async def _user(
    request: Request, visitor: Visitor, name: str, *, done: Proven[tuple[Any, str]] | None = None, words: str = ""
) -> Response:
    settings, text = visitor.service.settings, visitor.language.text

    def shown() -> Response:
        viewer, logins = visitor.viewer(), visitor.service.logins.now()
        with showing(settings, "users show", user=name[:100]) as entry:
            found = logins.users.get(name)
            entry.rows = 1
        problem = done.problem if done else None
        about = {
            "user": found,
            "sessions": logins.sign_ins.session_counts().get(name, 0),
            "said": text(words) if done and not problem else "",
            **_secret(done, name, text),
        }
        return _page("admin_user.html", request, visitor, viewer, logins, f"/admin/users/{name}", problem, about)

    return await visitor.run(shown)


def _secret(done: Proven[tuple[Any, str]] | None, name: str, text: Callable[[str], str]) -> dict[str, str]:
    """Give a password that was made, and what else there is to say."""
    result, notice = done.result if done and done.result else ("", "")
    secret = result if isinstance(result, str) else ""
    return {"secret": secret, "secret_of": name, "secret_words": text(SHOWN_ONCE), "notice": text(notice)}


def _page(
    template: str,
    request: Request,
    visitor: Visitor,
    viewer: Viewer,
    logins: Logins,
    here: str,
    problem: ShoplakeError | None,
    about: Mapping[str, Any],
) -> Response:
    own, policy = logins.users.get(visitor.identity.name), load_policy(viewer.settings)
    limited = {name: [one.attribute for one in role.limits if not one.values] for name, role in policy.roles.items()}
    return page(
        template,
        visitor.language,
        visitor.theme,
        status=status_of(problem) if problem else 200,
        **admin_frame(request, visitor, viewer, here),
        **about,
        problem=problem,
        own=own,
        roles=policy.roles,
        limited=limited,
        attributes=sorted({name for names in limited.values() for name in names}),
    )
