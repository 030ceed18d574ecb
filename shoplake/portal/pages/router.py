"""Every route of the pages, in the order in which addresses are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoplake.portal.pages import (
    admin,
    admin_keys,
    admin_rights,
    exports,
    figures_explained,
    files,
    help,
    live,
    origins,
    profile,
    signing_in,
    teams,
)
from shoplake.portal.pages.answering import answer_browsers
from shoplake.portal.pages.assets import ADDRESS
from shoplake.portal.pages.audit import routes as audit
from shoplake.portal.pages.catalog import routes as catalog
from shoplake.portal.pages.console import page as console
from shoplake.portal.pages.health import routes as health
from shoplake.portal.pages.quarantine import routes as quarantine

if TYPE_CHECKING:
    from fastapi import FastAPI

ROUTERS = (
    files.router,
    signing_in.router,
    profile.router,
    health.router,
    quarantine.router,
    audit.router,
    help.router,
    catalog.router,
    teams.router,
    figures_explained.router,
    exports.router,
    live.router,
    console.router,
    origins.router,
    admin.router,
    admin_rights.router,
    admin_keys.router,
)
OPEN = frozenset([f"{ADDRESS}{{name}}", "/login"])
"""Pages for everybody; every other one asks who looks."""


def add_pages(app: FastAPI) -> None:
    """Add the pages to an application."""
    for router in ROUTERS:
        app.include_router(router)
    answer_browsers(app)
