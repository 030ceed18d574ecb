"""Single sign-on through the service: to a real provider and back, in one browser, with a session in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from shoplake.audit.reading import Wanted, find
from shoplake.portal.app import make_app
from shoplake.portal.front import Front
from shoplake.portal.service import Service
from shoplake.settings import Settings
from tests.oidc import CLIENT, SECRET, come_back, started_provider

BACK = "https://localhost/v1/sign-on/callback"
Browser = httpx.AsyncClient


def with_browsers(settings: Settings, act: Callable[[Browser, Browser], Awaitable[None]]) -> None:
    """Run the service in this process, with two browsers before it."""
    service = Service(settings)
    transport = httpx.ASGITransport(Front(make_app(settings, service), service))

    async def run() -> None:
        with service.running():
            async with (
                Browser(transport=transport, base_url="https://localhost") as one,
                Browser(transport=transport, base_url="https://localhost") as other,
            ):
                await act(one, other)

    asyncio.run(run())


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running provider."""
    with started_provider(tmp_path_factory.mktemp("provider"), BACK) as found:
        yield found


@pytest.mark.parametrize(("asked", "after"), [("/sales?by=day", "/sales?by=day"), ("//evil.example", "/v1/me")])
def test_a_person_comes_back_with_a_session(
    make_home: Callable[..., Settings], tmp_path: Path, issuer: str, asked: str, after: str
) -> None:
    (tmp_path / "client-secret").write_text(SECRET, encoding="utf-8")
    settings = make_home(
        oidc_issuer=issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret_file=tmp_path / "client-secret",
        oidc_roles={"shop-sales": "sales"},
        oidc_limits={"region": "regions"},
    )

    async def act(browser: Browser, other: Browser) -> None:
        begun = await browser.get("/v1/sign-on", params={"next": asked})
        assert begun.status_code == 303
        address = await asyncio.to_thread(come_back, begun.headers["location"], "nora")
        assert address.startswith(f"{BACK}?")
        stolen = await other.get(address)
        assert (stolen.status_code, "set-cookie" in stolen.headers) == (401, False)
        done = await browser.get(address)
        assert (done.status_code, done.headers["location"]) == (303, after)
        me = (await browser.get("/v1/me")).json()
        assert (me["name"], me["role"], me["limits"]) == ("nora@shop.example", "sales", {"region": ["North"]})
        again = await browser.get(address)
        assert again.status_code == 401, "a login comes back once"

    with_browsers(settings, act)
    signed = [entry for entry in find(settings, Wanted(action="sign in")) if entry.outcome == "ok"]
    assert [entry.detail["user"] for entry in signed] == ["nora@shop.example"]
