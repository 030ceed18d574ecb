"""Every page asks who looks, and opens for the roles whose KPIs it shows, and for no other."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi.routing import APIRoute

from shoplake.access.kpi import load_kpis
from shoplake.access.kpi_sources import may_see
from shoplake.access.login import open_logins
from shoplake.access.rights import Rights
from shoplake.portal.app import make_app
from shoplake.portal.callers import SESSION_COOKIE
from shoplake.portal.pages.answering import PageRoute
from shoplake.portal.pages.boards import BOARDS, TEAMS
from shoplake.portal.pages.places import PLACES, Place
from shoplake.portal.pages.router import OPEN, ROUTERS
from shoplake.portal.pages.visitors import visitor
from shoplake.portal.service import Service
from shoplake.settings import Settings
from tests.access.released import identities
from tests.portal.serving import Serving
from tests.portal.test_routes import depended_on

ROUTES = [route for router in ROUTERS for route in router.routes]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.methods} {route.path}")
def test_a_page_asks_who_looks(route: APIRoute) -> None:
    assert isinstance(route, PageRoute)
    assert (visitor in list(depended_on(route.dependant))) != (route.path in OPEN)


def test_a_team_page_opens_for_those_who_may_see_a_kpi_of_it(
    sessions: dict[str, httpx.Client], portal: Serving
) -> None:
    for identity in identities(portal.settings):
        rights = Rights.of(portal.settings, identity)
        seen = {kpi.team for kpi in load_kpis().values() if rights.may_use("kpi").is_allowed and may_see(rights, kpi)}
        client = sessions[identity.name]
        profile = client.get("/profile")
        assert profile.status_code == 200
        for team in TEAMS:
            answered = client.get(f"/{team}")
            assert answered.status_code == (200 if team in seen else 403), (identity.name, team)
            assert (f'href="/{team}"' in profile.text) == (team in seen)


def test_a_place_opens_for_those_who_have_its_console(sessions: dict[str, httpx.Client], portal: Serving) -> None:
    for identity in identities(portal.settings):
        rights = Rights.of(portal.settings, identity)
        client = sessions[identity.name]
        bar = client.get("/profile").text
        for place in PLACES:
            may_open = rights.may_use(place.console).is_allowed
            assert client.get(place.address).status_code == (200 if may_open else 403), (identity.name, place)
            assert (f'href="{place.address}"' in bar) == may_open


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.address)
def test_every_route_of_a_place_asks_for_its_console(place: Place) -> None:
    for route in ROUTES:
        if route.path == place.address or route.path.startswith(f"{place.address}/"):
            consoles = [one.console for one in depended_on(route.dependant) if hasattr(one, "console")]
            assert consoles == [place.console], route.path


def test_nobody_is_led_to_sign_in_and_parts_are_refused(portal: Serving) -> None:
    for path in ("/", "/sales", "/sales/total_sales", "/profile", "/sales/total_sales/export/total_sales-day.csv"):
        answered = portal.anybody.get(path)
        assert (answered.status_code, answered.headers["location"].partition("?")[0]) == (303, "/login"), path
    part = portal.anybody.get("/sales/total_sales/tile", headers={"hx-request": "true"})
    assert (part.status_code, part.text) == (401, "")


def test_a_page_keeps_to_itself_and_files_are_kept_for_good(portal: Serving) -> None:
    answered = portal.anybody.get("/login")
    policy = answered.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answered.text
    assert 'style="' not in answered.text
    style = answered.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    file = portal.anybody.get(style)
    assert file.status_code == 200
    assert "immutable" in file.headers["cache-control"]
    assert portal.anybody.get("/static/portal.000000000000.css").status_code == 404


def test_the_first_load_is_small(sessions: dict[str, httpx.Client]) -> None:
    from shoplake.portal.pages.assets import ADDRESS, load_assets

    page = sessions["sales"].get("/sales")
    tile = sessions["sales"].get("/sales/total_sales/tile")
    assert tile.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in page.headers, "it holds the CSRF token"
    used = [asset for asset in load_assets().by_name.values() if f"{ADDRESS}{asset.name}" in page.text]
    assert len(used) >= 3
    assert sum(len(asset.best("gzip, br")[0]) for asset in used) + len(page.content) < 290_000


def test_signing_in_goes_on_to_own_pages_only(portal: Serving) -> None:
    for target in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        assert "elsewhere" not in portal.anybody.get("/login", params={"next": target}).text
    foreign = portal.anybody.post("/login", data={"name": "sales"}, headers={"origin": "https://elsewhere.example"})
    assert foreign.status_code == 403


def ask(settings: Settings, user: str, *paths: str) -> list[httpx.Response]:
    """Ask a service in this process for pages, as a user with a session."""
    import datetime as dt

    with open_logins(settings) as logins:
        token, _ = logins.sign_ins.add_session(user, lasts=dt.timedelta(hours=1))
    service = Service(settings)

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(settings, service))
        cookies = {SESSION_COOKIE: token}
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost", cookies=cookies) as client:
            return [await client.get(path) for path in paths]

    with service.running():
        return asyncio.run(asked())


def test_before_the_first_release_a_page_says_that_there_is_none(settings: Settings) -> None:
    with open_logins(settings) as logins:
        logins.users.add("maria", "sales", {}, "unset")
    page, tile, panel, profile = ask(
        settings,
        "maria",
        "/sales",
        "/sales/total_sales/tile",
        "/sales/total_sales/panel/total_sales-region",
        "/profile",
    )
    assert "Nothing has been released yet." in page.text
    for part in (tile, panel):
        assert 'data-state="no-data"' in part.text
        assert "Nothing has been released yet." in part.text
    assert profile.status_code == 200


def test_before_anything_has_landed_data_health_shows_no_zero(settings: Settings) -> None:
    with open_logins(settings) as logins:
        logins.users.add("dana", "data_engineer", {}, "unset")
    health, quarantine = ask(settings, "dana", "/health", "/quarantine")
    assert 'data-fact="late" data-value="" data-state="no-data"' in health.text
    assert 'data-fact="quarantine" data-value=""' in health.text
    assert "Nothing has been released yet." in health.text
    assert "Nothing is in quarantine" in quarantine.text


def test_what_takes_too_long_is_said_so(portal_home: Settings) -> None:
    hasty = portal_home.model_copy(update={"portal_answer_seconds": 1e-6})
    tile, panel = ask(hasty, "sales", "/sales/total_sales/tile", "/sales/total_sales/panel/total_sales-day")
    for part in (tile, panel):
        assert 'data-state="failed"' in part.text
        assert "It took too long." in part.text
        assert "Try again" in part.text


def test_without_scripts_a_page_comes_whole_with_every_table(portal_home: Settings) -> None:
    (page,) = ask(portal_home, "finance", "/finance?plain=1")
    assert 'data-state="loading"' not in page.text
    assert page.text.count("<table") == len(BOARDS["finance"])
    assert '<details class="twin"' not in page.text
