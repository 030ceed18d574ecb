"""A person at a real Chromium without a window: what they see when, and how many bytes that takes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.portal.callers import SESSION_COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

LONGEST_MS = 60_000
TILES_THERE = """() => document.querySelectorAll('[data-kpi]').length
    && !document.querySelector('[data-kpi][data-state=loading]') && performance.now()"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
MARK_TILES = "document.querySelectorAll('[data-kpi]').forEach(tile => { tile.dataset.before = 'yes' })"
TILES_NEW = """() => document.querySelectorAll('[data-kpi]').length
    && !document.querySelector('[data-kpi][data-before], [data-kpi][data-state=loading]')"""


@dataclass(frozen=True)
class Seen:
    """Milliseconds from the start of the navigation."""

    paint: float
    tiles: float


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser.

    Raises:
        FileNotFoundError: Chromium is not installed.

    """
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("Chromium is not installed: call make packages as root")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path)
        yield running
        running.close()


@contextmanager
def at(browser: Browser, url: str, session: str) -> Iterator[Page]:
    """Give an empty tab of somebody who is signed in, with nothing in its cache."""
    context: BrowserContext = browser.new_context(base_url=url, ignore_https_errors=True, locale="en-GB")
    context.add_cookies([{"name": SESSION_COOKIE, "value": session, "url": url}])
    page = context.new_page()
    page.set_default_timeout(LONGEST_MS)
    yield page
    context.close()


def look(page: Page, path: str) -> Seen:
    """Open a page and wait for its last tile."""
    page.goto(path, wait_until="commit")
    tiles = page.wait_for_function(TILES_THERE, polling="raf").json_value()
    paint = page.evaluate(FIRST_PAINT)
    return Seen(float(paint if paint is not None else tiles), float(tiles))


def first_load_bytes(page: Page, path: str) -> int:
    """Count the bytes over the wire until nothing more is loaded, with an empty cache."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes = list[float]()

    def finished(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    session.on("Network.loadingFinished", finished)
    page.goto(path, wait_until="networkidle")
    session.detach()
    return int(sum(sizes))


def seconds_to_show(page: Page, path: str, publish: Callable[[], None]) -> float:
    """Give the seconds from a release's pointer to a page that stands open with all tiles of it."""
    look(page, path)
    page.wait_for_load_state("networkidle")
    page.evaluate(MARK_TILES)
    publish()
    started = time.perf_counter()
    page.wait_for_function(TILES_NEW, polling=20)
    return time.perf_counter() - started


def rounds(page: Page, paths: Sequence[str]) -> list[Seen]:
    """Look at pages one after the other, each until its tables are there, too."""
    seen = list[Seen]()
    for path in paths:
        seen.append(look(page, path))
        page.wait_for_load_state("networkidle")
    return seen
