"""A real Chromium for the tests, without a window, driven by Playwright; and a server of pages for it."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

PATIENCE_MS = 60_000
"""How long to wait for what a click brings: a busy machine needs many times as long as an idle one."""
NO_SCREEN = ["--disable-gpu", "--disable-software-rasterizer"]
"""Nobody looks at the pages: a tenth less work."""
MISSING = "Chromium is not installed: call make packages as root"
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Give the path of Chromium."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture(scope="module")
def playwright(chromium: str) -> Iterator[Playwright]:  # noqa: ARG001 - nothing to drive without it
    """Give Playwright's driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """Give a running browser; each test opens contexts of its own in it."""
    running = playwright.chromium.launch(executable_path=chromium, args=NO_SCREEN)
    yield running
    running.close()


@contextmanager
def do_not_track(playwright: Playwright, chromium: str, folder: Path) -> Iterator[BrowserContext]:
    """Give a browser whose user has set Do Not Track."""
    profile = folder / "profile" / "Default"
    profile.mkdir(parents=True)
    (profile / "Preferences").write_text(json.dumps({"enable_do_not_track": True}), encoding="utf-8")
    context = playwright.chromium.launch_persistent_context(profile.parent, executable_path=chromium, args=NO_SCREEN)
    try:
        yield context
    finally:
        context.close()


@contextmanager
def serving(page: Callable[[str], str]) -> Iterator[int]:
    """Serve what ``page`` gives for each path; give the port. The machine has two origins: 127.0.0.1 and localhost."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = page(self.path).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(content)  # the browser may have left the page

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
