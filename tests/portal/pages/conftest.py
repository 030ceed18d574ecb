"""One service over the released home for all tests of pages, and people signed in to it in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from shoplake.access.login import hash_password, open_logins
from shoplake.portal.callers import SESSION_COOKIE
from shoplake.settings import Settings, load_settings
from tests.access.released import identities, released
from tests.browser import PATIENCE_MS
from tests.portal.serving import PASSWORD, Serving

__all__ = ["released"]
USERS = ("sales", "marketing", "operations", "support", "finance", "analyst", "admin", "north_sales", "leaving")


@pytest.fixture(scope="module")
def portal_home(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a copy of the released home whose users have a password."""
    home = tmp_path_factory.mktemp("portal") / "home"
    shutil.copytree(released.home, home)
    (home / "settings.toml").write_text("portal_poll_seconds = 1\nportal_answer_seconds = 60\n", encoding="utf-8")
    settings = load_settings(home)
    hashed = hash_password(PASSWORD)
    with open_logins(settings) as logins:
        logins.users.add("leaving", "sales", {}, "unset")
        for name in USERS:
            logins.users.set_password(name, hashed)
    return settings


@pytest.fixture(scope="module")
def portal(portal_home: Settings) -> Iterator[Serving]:
    """Give a running service."""
    with Serving(portal_home, "--no-collect", "--no-stream", log=portal_home.home.parent / "service.log") as running:
        yield running


class Seen:
    """What went on in a browser that should not."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.problems: list[str] = []
        self.foreign: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.text} {message.location}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.foreign.append(request.url)


class Person:
    """Somebody at a browser of their own."""

    def __init__(self, browser: Browser, url: str, name: str, **how: object) -> None:
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            ignore_https_errors=True,
            reduced_motion="reduce",
            **{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}} | how,  # type: ignore[arg-type]
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.seen = Seen(url)
        self.page = self.context.new_page()
        self.seen.watch(self.page)
        self.name = name

    def sign_in(self, path: str = "/profile") -> Page:
        self.page.goto(path)
        self.page.fill("[name=name]", self.name)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button.main")
        self.page.wait_for_url(f"**{path}")
        return self.page

    def close(self) -> None:
        self.context.close()


@pytest.fixture(scope="module")
def people(browser: Browser) -> Iterator[dict[str, Person]]:
    """Give those who have signed in so far; `signed_in` adds to them."""
    found: dict[str, Person] = {}
    assert browser.is_connected()
    yield found
    for person in found.values():
        person.close()


def with_session(person: Person, settings: Settings) -> Person:
    """Give a person a session as signing in does, without the slow look at the password."""
    import datetime as dt

    with open_logins(settings) as logins:
        token, _ = logins.sign_ins.add_session(person.name, lasts=dt.timedelta(hours=1))
    person.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": person.seen.base}])
    return person


def signed_in(people: dict[str, Person], portal: Serving, browser: Browser, name: str) -> Person:
    """Give a signed-in person."""
    if name not in people:
        people[name] = with_session(Person(browser, portal.url, name), portal.settings)
    return people[name]


def asked(settings: Settings, user: str, *paths: str) -> list[httpx.Response]:
    """Ask a service in this process for pages, in a thread: a browser's driver has the loop of this one."""
    from tests.portal.pages.test_page_routes import ask

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask, settings, user, *paths).result()


@contextmanager
def persons_at(serving: Serving, browser: Browser) -> Iterator[Callable[..., Person]]:
    """Give a function that gives a signed-in person at a browser of a kind; nothing may go wrong in any of them."""
    made: list[Person] = []

    def person(name: str, **how: object) -> Person:
        made.append(with_session(Person(browser, serving.url, name, **how), serving.settings))
        return made[-1]

    yield person
    for one in made:
        assert (one.seen.problems, one.seen.foreign) == ([], [])
        one.close()


@pytest.fixture(scope="module")
def sessions(portal: Serving) -> Iterator[dict[str, httpx.Client]]:
    """Give a browserless client for each user, by a session made in the store."""
    import datetime as dt

    found = {}
    with open_logins(portal.settings) as logins:
        for identity in identities(portal.settings):
            token, _ = logins.sign_ins.add_session(identity.name, lasts=dt.timedelta(hours=1))
            found[identity.name] = portal.client()
            found[identity.name].cookies.set(SESSION_COOKIE, token)
    yield found
    for client in found.values():
        client.close()


def built() -> bool:
    """Say whether npm's packages are there."""
    from shoplake.portal.pages.assets import load_assets

    return bool(load_assets().address("htmx.js"))


def axe() -> str:
    """Give axe-core's script."""
    file = Path(__file__).parents[3] / "node_modules" / "axe-core" / "axe.min.js"
    if not file.is_file():
        pytest.skip("axe-core is not installed: call make setup")
    return file.read_text(encoding="utf-8")
