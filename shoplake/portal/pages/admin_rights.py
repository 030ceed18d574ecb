"""What roles may see: the policy as a page, and the portal as a role or a user would see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shoplake.access.administration import checked
from shoplake.access.identity import Identity
from shoplake.access.login import identity_of
from shoplake.access.policy import load_policy
from shoplake.access.rights import Rights
from shoplake.access.seen_as import SeenAs, may_show_figures, seen_as
from shoplake.audit.recording import showing
from shoplake.errors import ShoplakeError
from shoplake.portal.pages.admin import Administrator, admin_frame
from shoplake.portal.pages.answering import PageRoute, nothing_there
from shoplake.portal.pages.boards import TEAMS, panels
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.panels import humanised, title_of
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.tiles import Tile, tile
from shoplake.portal.pages.visitors import Visitor

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.viewer import Viewer

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class ShownKpi:
    """A tile of a team page as somebody else sees it; its figure only where who looks may see it too."""

    title: str
    definition: str
    dimensions: list[str]
    is_in_figures_only: bool
    tile: Tile | None


@dataclass(frozen=True)
class ShownPanel:
    """A panel of a team page, without its rows."""

    title: str
    columns: list[str]


@router.get("/admin/roles")
async def roles(request: Request, visitor: Administrator) -> Response:
    """Show what each role may see and do, with the lines of the policy."""

    def shown() -> Response:
        viewer, settings = visitor.viewer(), visitor.service.settings
        with showing(settings, "access roles") as entry:
            policy = load_policy(settings)
            _, problems = checked(settings)
            users = visitor.service.logins.now().users.list()
            entry.rows = len(policy.roles)
        counts = {name: sum(u.role == name and u.disabled_at is None for u in users) for name in policy.roles}
        about: dict[str, Any] = {"policy": policy, "file": policy.file.name, "problems": problems, "counts": counts}
        around = admin_frame(request, visitor, viewer, "/admin/roles")
        return page("admin_roles.html", visitor.language, visitor.theme, **around, **about, problem=None)

    return await visitor.run(shown)


@router.get("/admin/view")
async def view(request: Request, visitor: Administrator) -> Response:
    """Show the portal as a role, or a user, would see it."""
    return await visitor.run(lambda: _view(request, visitor))


def _view(request: Request, visitor: Visitor) -> Response:
    viewer, settings = visitor.viewer(), visitor.service.settings
    policy, users = load_policy(settings), visitor.service.logins.now().users.list()
    asked = request.query_params
    about: dict[str, Any] = {
        "seen": None,
        "team_shown": "",
        "role": asked.get("role", ""),
        "person": asked.get("user", ""),
    }
    identity = _identity(visitor, about["role"], about["person"])
    if identity is not None:
        with showing(settings, "access view", seen_role=identity.role, seen_as=identity.name) as entry:
            seen = seen_as(Rights.of(settings, identity))
            entry.rows = len(seen.tables)
        about |= _seen(visitor, viewer, seen, identity, asked.get("page", ""))
    names = [user.name for user in users if user.role in policy.roles]
    around = admin_frame(request, visitor, viewer, "/admin/view")
    return page(
        "admin_view.html",
        visitor.language,
        visitor.theme,
        **around,
        **about,
        roles=policy.roles,
        names=names,
        problem=None,
        file=policy.file.name,
    )


def _identity(visitor: Visitor, role: str, user: str) -> Identity | None:
    """Give who is looked at: a user with their limits, or nobody in particular of a role.

    Raises:
        NotFoundError: there is no such user or role.

    """
    policy = load_policy(visitor.service.settings)
    if user:
        found = identity_of(visitor.service.logins.now().users.get(user))
        role = found.role
    elif role:
        found = Identity(f"any {role}"[:100], role)
    else:
        return None
    if role not in policy.roles:
        raise nothing_there("The policy has no such role.")
    return found


def _seen(visitor: Visitor, viewer: Viewer, seen: SeenAs, identity: Identity, wanted: str) -> dict[str, Any]:
    other = visitor.viewer_as(identity)
    team = wanted if wanted in other.teams else next(iter(other.teams), "")
    kpis = other.kpis(team) if team else []
    by_name = {kpi.name: kpi for kpi in kpis}
    return {
        "seen": seen,
        "identity": identity,
        "other": other,
        "team_shown": team,
        "all_teams": TEAMS,
        "tiles": [_tile(viewer, other, kpi) for kpi in kpis],
        "panels": [
            ShownPanel(title_of(other, by_name[one.kpi], one), _columns(other, by_name[one.kpi], one))
            for one in (panels(team, set(by_name)) if team else ())
        ],
    }


def _tile(viewer: Viewer, other: Viewer, kpi: Kpi) -> ShownKpi:
    """Give a tile; its figure is answered with the other's rights, and only to who may see all that it is made of."""
    text = viewer.language.text
    figure = None
    if may_show_figures(viewer.rights, other.rights, kpi):
        try:
            figure = tile(other, kpi, Filters())
        except ShoplakeError:
            figure = None
    names = [text(name) for name in other.dimensions(kpi)]
    only = any(other.rights.table(name).figures_only for name in _tables(other, kpi))
    title = text(kpi.definitions[kpi.default_definition].title)
    return ShownKpi(text(kpi.title), title, names, only, figure)


def _tables(other: Viewer, kpi: Kpi) -> list[str]:
    from shoplake.access.kpi_scope import Scope

    return Scope(other.rights, kpi).tables()


def _columns(other: Viewer, kpi: Kpi, panel: Any) -> list[str]:  # noqa: ANN401 - a panel of the boards
    text = other.language.text
    if panel.kind == "list" and kpi.listing is not None:
        return [text(humanised(name.removesuffix("_name"))) for name in kpi.listing.columns]
    if panel.kind == "parts":
        return [text(humanised(name.partition("-")[0])) for name in panel.parts]
    if panel.kind == "curve":
        return [text("Time since the complaint"), text("Still open")]
    shown = kpi.definitions[panel.definition or kpi.default_definition].title
    return [text(panel.by).capitalize(), text(shown), *(text(humanised(name)) for name in panel.parts)]
