"""What tests of pages look for in a browser."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.portal.pages.conftest import axe


def faults(page: Page) -> list[str]:
    """Give axe-core's serious and critical faults."""
    page.evaluate(axe())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]


def width(page: Page) -> int:
    """Give how wide the page is."""
    return int(page.evaluate("document.documentElement.scrollWidth"))
