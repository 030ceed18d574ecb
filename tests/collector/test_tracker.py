"""tracker.js in a real browser: what people do on a page of another origin lands once, or not at all if they say so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, Route

from shoplake.collector.drain import drain
from shoplake.collector.tracker import SCRIPT
from shoplake.pipeline.init import init_home
from shoplake.settings import Settings, load_settings
from tests.browser import do_not_track, serving
from tests.collector.running import Running, add_producer, landed_rows

HEIGHT = 2880
"""Of a page, four times that of the window."""
HTML = """<!doctype html><title>Shop</title><body style="margin: 0; height: {height}px">
<script>history.scrollRestoration = "manual"</script>
<script src="{host}/tracker.js" data-key="{key}" {more}></script>
<button id="buy">Buy</button> <a id="next" href="{next}">Next</a>
<button id="push" onclick="history.pushState({{}}, '', '{next}')">Push</button>
<button id="query" onclick="history.pushState({{}}, '', '?mail=MARKER')">Query</button>"""
ANALYTICS_JS = Path(__file__).parents[2] / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd"
SEGMENT_HTML = """<!doctype html><title>Shop</title><script src="/analytics.js/index.js"></script>
<script>
const host = { protocol: "http", apiHost: "COLLECTOR/v1" };
const analytics = AnalyticsNext.AnalyticsBrowser.load(
  { writeKey: "KEY", cdnSettings: { integrations: { "Segment.io": { apiKey: "KEY", ...host } } } },
);
analytics.identify("7700000000002", { email: "MARKER@shop.example" });
analytics.page("Home");
analytics.track("Click", { price: 3 });
</script>"""
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"
NO_STORAGE = """for (const area of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, area, { get: () => { throw new Error("forbidden"); } });"""
SCROLL = """(top) => new Promise((done) => {
  addEventListener("scroll", () => requestAnimationFrame(done), { once: true });
  scrollTo(0, top);
})"""

ACKNOWLEDGED = "sessionStorage.shoplake === '[]'"


@dataclass
class Shop:
    """A shop on one origin and a collector on another."""

    settings: Settings
    running: Running
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rows(self, folder: str) -> list[dict[str, Any]]:
        drain(self.settings)
        return [row for row in landed_rows(self.settings) if row["page"].startswith(folder)]

    def landed(self, page: Page, folder: str, events: int) -> list[dict[str, Any]]:
        """Wait until so many events of pages in a folder have landed."""
        deadline = time.monotonic() + 120
        while len(rows := self.rows(folder)) < events:
            assert time.monotonic() < deadline, [(row["page"], row["event_type"]) for row in rows]
            page.wait_for_timeout(200)
        return rows

    def requests(self, status: str = "") -> float:
        """Count the requests that were answered, with a status or with any."""
        name = f'shoplake_collector_requests_total{{status="{status}'
        return sum(count for metric, count in self.running.metrics().items() if metric.startswith(name))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Shop]:  # noqa: ARG001 - or skip
    """Give a shop whose pages below ``/user`` are a customer's; below ``/slow`` have a key with a limit.

    Those below ``/own`` load the script from the shop itself.
    """
    settings = load_settings(tmp_path_factory.mktemp("shop") / "home")
    init_home(settings)
    keys = {"": add_producer(settings), "/slow": add_producer(settings, "slow", rate_limit=1)}
    collector = ""

    def html(path: str) -> str:
        folder = "/" + path.split("/")[1]
        if path == "/tracker.js":
            return SCRIPT.read_text(encoding="utf-8")
        if folder == "/analytics.js":
            return (ANALYTICS_JS / Path(path).name).read_text(encoding="utf-8")
        if folder == "/segment":
            return SEGMENT_HTML.replace("COLLECTOR", collector.removeprefix("http://")).replace("KEY", keys[""])
        more = {"/user": 'data-user="7700000000001"', "/own": f'data-endpoint="{collector}/"'}.get(folder, "")
        host, key, following = "" if folder == "/own" else collector, keys.get(folder, keys[""]), f"{folder}/next"
        return HTML.format(height=HEIGHT, host=host, key=key, next=f"{following}?mail=MARKER#MARKER", more=more)

    with serving(html) as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPLAKE_COLLECTOR_ALLOWED_ORIGINS", f'["http://127.0.0.1:{port}"]')
        with Running(settings, keys[""], is_clear=True) as running:
            collector = running.url
            yield Shop(settings, running, port)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser's window of a person who is new."""
    made = browser.new_context(viewport={"width": 1280, "height": HEIGHT // 4})
    yield made
    made.close()


def test_views_clicks_and_scrolls_land_once(shop: Shop, context: BrowserContext) -> None:
    page, sent = context.new_page(), list[Request]()
    page.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    page.goto(f"{shop.url}/user/a")
    page.click("#buy")
    for top in (100, 720, 800, 2160, 0, 2160):
        page.evaluate(SCROLL, top)
    page.click("#query")
    page.click("#push")
    for top in (1500, 0):
        page.evaluate(SCROLL, top)
    page.go_back()
    page.go_back()
    page.wait_for_function(ACKNOWLEDGED)
    page.click("#next")
    page.wait_for_url("**/next?*")
    page.click("#buy")
    page.goto("about:blank")
    rows = shop.landed(page, "/user", 13)
    happened = [(row["page"].removeprefix("/user/"), row["event_type"]) for row in rows]
    assert happened == [
        ("a", "View"),
        ("a", "Click"),
        ("a", "Scroll"),  # a quarter
        ("a", "Scroll"),  # half
        ("a", "Scroll"),  # to the end
        ("a", "Click"),
        ("a", "Click"),
        ("next", "View"),
        ("next", "Scroll"),
        ("a", "View"),
        ("a", "Click"),
        ("next", "View"),
        ("next", "Click"),
    ]
    assert {(row["device_type"], row["browser"]) for row in rows} == {("Desktop", "HeadlessChrome")}
    assert len({row["session_id"] for row in rows}) == 1
    assert len({row["user_id"] for row in rows} - {None}) == 1
    told = [(r.url, r.headers, r.post_data) for r in sent if r.url.startswith(shop.running.url)]
    assert any(url.endswith("/v1/batch") for url, _, _ in told)
    assert "MARKER" not in str(told)


def test_a_phone_on_a_page_with_a_script_of_its_own(shop: Shop, playwright: Playwright, browser: Browser) -> None:
    context = browser.new_context(**playwright.devices["iPhone 13"])
    page = context.new_page()
    page.goto(f"{shop.url}/own/a")
    page.goto("about:blank")
    (row,) = shop.landed(page, "/own", 1)
    assert (row["device_type"], row["browser"], row["user_id"]) == ("Mobile", "Safari", None)
    context.close()


def test_without_storage_it_works_for_a_page(shop: Shop, context: BrowserContext) -> None:
    context.add_init_script(NO_STORAGE)
    page = context.new_page()
    page.goto(f"{shop.url}/bare/a")
    page.click("#buy")
    page.goto("about:blank")
    assert len({row["session_id"] for row in shop.landed(page, "/bare", 2)}) == 1


def test_a_visit_spans_pages_and_tabs_and_ends_after_half_an_hour(shop: Shop, context: BrowserContext) -> None:
    page, tab = context.new_page(), context.new_page()
    page.clock.install()
    page.goto(f"{shop.url}/visit/a")
    page.clock.fast_forward("29:00")
    page.click("#buy")
    page.clock.fast_forward("29:00")
    page.click("#buy")
    page.clock.fast_forward("31:00")
    page.click("#buy")
    page.goto("about:blank")
    visits = [row["session_id"] for row in shop.landed(page, "/visit", 4)]
    assert visits[0] == visits[1] == visits[2] != visits[3]
    tab.goto(f"{shop.url}/tab/a")
    tab.goto(f"{shop.url}/tab/b")
    tab.goto("about:blank")
    tabs = {row["session_id"] for row in shop.landed(page, "/tab", 2)}
    assert tabs == {visits[3]}


def test_an_answer_that_is_lost_counts_nothing_twice(shop: Shop, context: BrowserContext) -> None:
    page, lost = context.new_page(), list[int]()

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/v1/batch", lose)
    page.goto(f"{shop.url}/lost/a")
    page.click("#buy")
    page.wait_for_function(ACKNOWLEDGED)
    assert lost == [200]
    assert [row["event_type"] for row in shop.rows("/lost")] == ["View", "Click"]


def test_who_sends_too_much_waits_and_loses_nothing(shop: Shop, context: BrowserContext) -> None:
    page, before = context.new_page(), shop.requests("429")
    page.goto(f"{shop.url}/slow/a")
    for _ in range(3):
        page.click("#buy")
    # These four are taken at once, and paid off over four seconds.
    for path in ("b", "c"):
        page.goto(f"{shop.url}/slow/{path}")
    page.wait_for_function(ACKNOWLEDGED)
    rows = [(row["page"].removeprefix("/slow/"), row["event_type"]) for row in shop.rows("/slow")]
    assert rows == [("a", "View"), *[("a", "Click")] * 3, ("b", "View"), ("c", "View")]
    assert shop.requests("429") > before


def nothing_is_sent(shop: Shop, context: BrowserContext, folder: str) -> None:
    page, before = context.new_page(), shop.requests()
    with page.expect_response("**/tracker.js"):
        page.goto(f"{shop.url}{folder}/a")
    page.click("#buy")
    page.click("#next")
    page.wait_for_url("**/next?*")
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    page.goto("about:blank")
    assert shop.rows(folder) == []
    assert shop.requests() == before


def test_do_not_track_is_kept(shop: Shop, playwright: Playwright, chromium: str, tmp_path: Path) -> None:
    with do_not_track(playwright, chromium, tmp_path) as context:
        nothing_is_sent(shop, context, "/dnt")


def test_global_privacy_control_is_kept(shop: Shop, context: BrowserContext) -> None:
    context.add_init_script(GPC)
    nothing_is_sent(shop, context, "/gpc")


def test_segments_own_script_sends_here_too(shop: Shop, context: BrowserContext) -> None:
    if not ANALYTICS_JS.is_dir():
        pytest.skip("npm or Segment's analytics.js is not installed: call make node_modules/.ready")
    page = context.new_page()
    page.goto(f"{shop.url}/segment/a?mail=MARKER")
    rows = shop.landed(page, "/segment", 2)
    assert [(row["page"], row["event_type"]) for row in rows] == [("/segment/a", "View"), ("/segment/a", "Click")]
    assert len({row["session_id"] for row in rows}) == 1
    assert len({row["user_id"] for row in rows} - {None}) == 1
    assert {(row["device_type"], row["browser"]) for row in rows} == {("Desktop", "HeadlessChrome")}


def test_a_page_of_another_origin_sends_nothing(shop: Shop, context: BrowserContext) -> None:
    page, before = context.new_page(), shop.requests("403")
    page.goto(f"http://localhost:{shop.port}/blocked/a")
    page.click("#buy")
    page.goto("about:blank")
    deadline = time.monotonic() + 60
    while shop.requests("403") == before:
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)
    assert shop.rows("/blocked") == []
