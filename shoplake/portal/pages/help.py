"""Help: what each page is for, for the person who asks."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from shoplake.access.policy import CONSOLES, EXPORTS
from shoplake.portal.pages.answering import PageRoute, administrators
from shoplake.portal.pages.filters import Filters
from shoplake.portal.pages.language import Language
from shoplake.portal.pages.pieces import frame
from shoplake.portal.pages.rendering import page
from shoplake.portal.pages.visitors import AVisitor, Visitor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/help")
async def help_page(request: Request, visitor: AVisitor) -> Response:
    """Say what there is to do here, and how to get at what there is not."""
    return await visitor.run(lambda: _shown(request, visitor))


def _shown(request: Request, visitor: Visitor) -> Response:
    viewer = visitor.viewer()
    rights, role = viewer.rights, viewer.rights.role
    first = next((kpi for team in viewer.teams for kpi in viewer.kpis(team)), None)
    return page(
        "help.html",
        visitor.language,
        visitor.theme,
        **frame(request, visitor, viewer, "", Filters()),
        role=role,
        sensitive=[rule.text for rule in role.sensitive],
        places=[(place, purpose(visitor.language, place.address)) for place in viewer.places],
        consoles=sorted(name for name in CONSOLES if rights.may_use(name).is_allowed),
        exports=sorted(name for name in EXPORTS if rights.may_export(name).is_allowed),
        administrators=administrators(visitor.service),
        base=str(request.base_url).rstrip("/"),
        sample_kpi=first.name if first else "",
        may=lambda console: rights.may_use(console).is_allowed,
    )


def purpose(language: Language, address: str) -> str:
    """Say what a page beside the teams' is for."""
    words = {
        "/live": "The last hour as it happens, before it is in a release.",
        "/sql": "Ask in SQL: tables and columns with their docs, results as a table, a chart or a file.",
        "/catalog": "Every source, table, column and KPI: what it means, where it comes from, who uses it.",
        "/health": "Whether sources came in time, what is held in quarantine, how the last releases went.",
        "/quarantine": "Rows that break a rule, with their reasons, and another check of them.",
        "/alerts": "What went out of bounds, and who looks after it.",
        "/privacy": "Requests of persons about their data.",
        "/audit": "Who looked at what, and when.",
        "/admin": "Users, their roles and their tokens.",
    }
    return language.text(words.get(address, ""))
