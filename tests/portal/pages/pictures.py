"""Takes the pictures in ``docs/pictures`` of a demo home: ``python -m tests.portal.pages.pictures --home .demo``."""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

from shoplake.access.login import open_logins
from shoplake.portal.callers import SESSION_COOKIE
from shoplake.settings import load_settings
from tests.collector.running import add_producer, ndjson
from tests.portal.serving import Serving

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
LONGEST_MS = 300_000
UNKNOWN = 401


@dataclass(frozen=True)
class Picture:
    """One picture."""

    name: str
    user: str
    path: str
    width: int = 1440
    height: int = 1050
    scheme: Literal["light", "dark"] = "light"
    locale: str = "en-GB"
    prepare: Callable[[Page, Serving], None] = lambda _page, _serving: None
    """Does what a person does before there is something to see."""


def run_a_query(page: Page, _serving: Serving) -> None:
    """Ask in the SQL console, and draw the answer."""
    expect(page.locator("#tree")).not_to_have_attribute("aria-busy", "true", timeout=LONGEST_MS)
    page.locator("[data-table='finance.mart_finance__revenue_day'] summary").click()
    page.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(QUERY)
    page.keyboard.press("ControlOrMeta+Enter")
    expect(page.locator("#result[data-state=ok]")).to_be_visible(timeout=LONGEST_MS)
    page.locator("#draw").click()
    page.get_by_label("margin", exact=True).check()
    expect(page.locator("#chart-place svg text", has_text="margin").first).to_be_visible(timeout=LONGEST_MS)


def send_an_hour(page: Page, serving: Serving) -> None:
    """Send an hour of a shop's events, and wait until they are counted."""
    draw, now = random.Random(7), time.time()
    key = add_producer(serving.settings, f"pictures-{now}")
    moments = [now - draw.betavariate(1.2, 1.6) * 3_400 for _ in range(4_200)]
    views = [
        {
            "session_id": f"s{draw.randrange(900)}",
            "page": draw.choice(["/", "/", "/tea", "/tea/green", "/cart", "/shoes", "/help"]),
            "device_type": draw.choice(["Mobile", "Mobile", "Mobile", "Desktop", "Desktop", "Tablet"]),
            "timestamp": moment,
        }
        for moment in moments
    ]
    calls = [
        {
            "customer_id": draw.randrange(1, 900),
            "interaction_type": draw.choice(["Feedback", "Feedback", "Loyalty", "Complaint"]),
            "rating": draw.choice([None, 2, 4, 4, 5]),
            "timestamp": moment,
        }
        for moment in moments[:160]
    ]
    headers = {"authorization": f"Bearer {key}"}
    for source, rows in (("web_events", views), ("interactions", calls)):
        while (
            serving.anybody.post(f"/v1/events/{source}", content=ndjson(rows), headers=headers).status_code == UNKNOWN
        ):
            time.sleep(0.5)  # a new key takes effect within a few seconds
    expect(page.locator("[data-live=events]")).to_have_attribute("data-state", "ok", timeout=LONGEST_MS)
    expect(page.locator("[data-live=interactions]")).to_have_attribute("data-state", "ok", timeout=LONGEST_MS)


QUERY = """SELECT category, sum(net_amount) AS net, sum(net_amount_with_cost - cost_amount) AS margin
FROM finance.mart_finance__revenue_day
GROUP BY category
ORDER BY net DESC"""
PICTURES = (
    Picture("sales", "demo_sales", "/sales"),
    Picture("operations-dark", "demo_operations", "/operations", scheme="dark"),
    Picture("health", "demo_data_engineer", "/health", height=1300),
    Picture("quarantine", "demo_data_engineer", "/quarantine"),
    Picture("audit-dark", "demo_auditor", "/audit", scheme="dark"),
    Picture("explained", "demo_marketing", "/marketing/bounce_rate?by=device"),
    Picture("sql", "demo_finance", "/sql", prepare=run_a_query),
    Picture("live", "demo_data_engineer", "/live", prepare=send_an_hour),
    Picture("support", "demo_support", "/support"),
    Picture("behind", "demo_operations", "/operations/stockout_alerts?against=year", height=1900),
    Picture("admin", "demo_admin", "/admin", height=800),
    Picture("admin-roles-dark", "demo_admin", "/admin/roles", scheme="dark"),
    Picture("admin-view", "demo_admin", "/admin/view?role=analyst"),
    Picture("catalogue", "demo_finance", "/catalog"),
    Picture("lineage", "demo_finance", "/catalog/source/pos?column=revenue#lineage", height=1200),
    Picture("lineage-dark", "demo_analyst", "/catalog/kpi/total_sales?column=net", scheme="dark"),
    Picture("help", "demo_sales", "/help"),
    Picture("finance-phone-german", "demo_finance", "/finance", width=360, height=780, locale="de-DE"),
)


def take(browser: Browser, serving: Serving, picture: Picture) -> None:
    """Take one picture, once nothing of the page loads any more."""
    with open_logins(serving.settings) as logins:
        token, _ = logins.sign_ins.add_session(picture.user, lasts=dt.timedelta(hours=1))
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
        locale=picture.locale,
        reduced_motion="reduce",
        ignore_https_errors=True,
    )
    context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": serving.url}])
    page = context.new_page()
    page.goto(f"{serving.url}{picture.path}")
    picture.prepare(page, serving)
    expect(page.locator("[data-state=loading]")).to_have_count(0, timeout=LONGEST_MS)
    expect(page.locator("[data-chart]:not([data-drawn])")).to_have_count(0)
    page.evaluate("document.fonts.ready")
    page.evaluate("scrollTo(0, 0)")
    shot = context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": 82})
    (FOLDER / f"{picture.name}.webp").write_bytes(base64.b64decode(shot["data"]))
    context.close()


def main() -> None:
    """Serve the home for as long as it takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="A home that `shoplake demo` has made.")
    settings = load_settings(parser.parse_args().home)
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Serving(settings, "--no-stream", log=Path(folder) / "log") as serving,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for picture in PICTURES:
            take(browser, serving, picture)
        browser.close()


if __name__ == "__main__":
    main()
