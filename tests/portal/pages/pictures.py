"""Takes the pictures in ``docs/pictures`` of a demo home: ``python -m tests.portal.pages.pictures --home .demo``."""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect, sync_playwright

from shoplake.access.login import open_logins
from shoplake.portal.callers import SESSION_COOKIE
from shoplake.settings import load_settings
from tests.portal.serving import Serving

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
LONGEST_MS = 300_000


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


PICTURES = (
    Picture("sales", "demo_sales", "/sales"),
    Picture("operations-dark", "demo_operations", "/operations", scheme="dark"),
    Picture("health", "demo_data_engineer", "/health", height=1300),
    Picture("quarantine", "demo_data_engineer", "/quarantine"),
    Picture("audit-dark", "demo_auditor", "/audit", scheme="dark"),
    Picture("explained", "demo_marketing", "/marketing/bounce_rate?by=device"),
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
        Serving(settings, "--no-collect", "--no-stream", log=Path(folder) / "log") as serving,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for picture in PICTURES:
            take(browser, serving, picture)
        browser.close()


if __name__ == "__main__":
    main()
