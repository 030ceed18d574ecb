"""The live page in a real browser: it moves when events come, says when it doesn't, and shows each role its half."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

import shoplake.portal.api.live as live_api
from shoplake.access.login import open_logins
from shoplake.audit.reading import Wanted, find
from shoplake.settings import Settings, load_settings
from tests.collector.running import add_producer, ndjson
from tests.portal.pages.conftest import Person, built, with_session
from tests.portal.pages.test_pages import SLOW, faults
from tests.portal.serving import Serving, token_of

pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")


@pytest.fixture(scope="module")
def live_home(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("collecting") / "home"
    shutil.copytree(released.home, home)
    return load_settings(home)


@pytest.fixture(scope="module")
def producer(live_home: Settings) -> str:
    """Give a key that the collector knows from its beginning."""
    return add_producer(live_home)


@pytest.fixture(scope="module")
def collecting(live_home: Settings, producer: str) -> Iterator[Serving]:
    """Give a running service with its collector."""
    assert producer
    with Serving(live_home, "--no-stream", log=live_home.home.parent / "service.log") as serving:
        yield serving


def views(number: int, page: str = "/tea") -> list[dict[str, Any]]:
    made = {"page": page, "user_id": 7, "device_type": "Mobile", "event_type": "View"}
    return [made | {"session_id": f"{page}{n}", "timestamp": time.time()} for n in range(number)]


def send(serving: Serving, key: str, source: str, rows: list[dict[str, Any]]) -> None:
    headers = {"authorization": f"Bearer {key}"}
    answer = serving.anybody.post(f"/v1/events/{source}", content=ndjson(rows), headers=headers)
    assert answer.status_code == 200, answer.text


def following(person: Person) -> Page:
    person.page.goto("/live")
    expect(person.page.locator("#pulse[data-state=ok]")).to_be_visible(timeout=SLOW)
    return person.page


def test_it_moves_when_events_come(collecting: Serving, producer: str, browser: Browser) -> None:
    person = with_session(Person(browser, collecting.url, "data_engineer"), collecting.settings)
    page = following(person)
    events, complaints = page.locator("[data-live=events]"), page.locator("[data-live=complaints]")
    for tile in page.locator("[data-live]").all():
        expect(tile).to_have_attribute("data-state", "no-data")
        assert tile.get_attribute("data-value") == ""
        assert "0" not in tile.inner_text(), "what is not there is never a bare 0"
    expect(page.locator("[data-quiet=web_events]")).to_contain_text("The collector at this address is open")
    expect(page.locator("#age")).to_have_text("No event in the last hour")
    assert faults(page) == []
    before = len(find(collecting.settings, Wanted(action="live")))
    send(collecting, producer, "web_events", views(30))
    expect(events).to_have_attribute("data-value", "30")
    calls = [
        {"customer_id": n, "interaction_type": kind, "rating": rating, "timestamp": time.time()}
        for n, (kind, rating) in enumerate([("Complaint", 2), ("Feedback", 5), ("Feedback", None)])
    ]
    send(collecting, producer, "interactions", calls)
    expect(complaints).to_have_attribute("data-value", "1")
    expect(complaints).to_contain_text("of 3 interactions")
    expect(page.locator("[data-live=mean_rating] .figure")).to_have_text("3.50")
    send(collecting, producer, "web_events", views(12, "/cart"))
    expect(events).to_have_attribute("data-value", "42")
    expect(page.locator("#age")).to_contain_text("Newest event")
    expect(page.locator("#web-events-pages tbody tr")).to_have_count(2)
    expect(page.locator("#web-events-pages tbody tr").first).to_contain_text("/tea")
    expect(page.locator("#web-events-minutes [data-drawn]")).to_be_visible(timeout=SLOW)
    page.locator("#web-events-minutes summary").click()
    cells = page.locator("#web-events-minutes tbody tr td:nth-child(2)").evaluate_all(
        "cells => cells.map(c => c.dataset.value)"
    )
    assert (len(cells), sum(map(int, cells))) == (60, 42)
    assert len(find(collecting.settings, Wanted(action="live"))) == before, "a connection is one record, not each tick"
    assert faults(page) == []
    assert (person.seen.problems, person.seen.foreign) == ([], [])
    person.close()


def test_each_role_sees_the_half_whose_mart_it_may_see(collecting: Serving, producer: str) -> None:
    send(collecting, producer, "web_events", views(1))
    expected = {
        "marketing": {"web_events"},
        "support": {"interactions"},
        "analyst": {"web_events"},
        "data_engineer": {"web_events", "interactions"},
    }
    for user, halves in expected.items():
        with collecting.client(token_of(collecting.settings, user)) as client:
            found = client.get("/v1/live").json()
            assert found.keys() & {"web_events", "interactions"} == halves, user
            with client.stream("GET", "/v1/live", headers={"accept": "text/event-stream"}) as stream:
                assert stream.headers["content-type"] == "text/event-stream"
                for line in stream.iter_lines():
                    if line.startswith("data: {"):
                        assert json.loads(line[6:]).keys() & {"web_events", "interactions"} == halves
                        break
        (entry,) = find(collecting.settings, Wanted(action="live", user=user))[-1:]
        assert entry.tables == [f"{half} (live)" for half in live_api.MARTS if half in halves]
    with collecting.client(token_of(collecting.settings, "sales")) as client:
        assert client.get("/v1/live").status_code == 403
    assert collecting.anybody.get("/v1/live").status_code == 401


def test_a_stream_ends_with_its_readers_session_and_the_page_leads_to_sign_in(
    collecting: Serving, browser: Browser
) -> None:
    person = with_session(Person(browser, collecting.url, "support"), collecting.settings)
    page = following(person)
    with open_logins(collecting.settings) as logins:
        logins.sign_ins.end_sessions("support")
    page.wait_for_url("**/login?next=%2Flive", timeout=SLOW)
    person.close()


def test_a_page_that_hears_nothing_says_so_and_goes_on_when_it_does(collecting: Serving, browser: Browser) -> None:
    person = with_session(Person(browser, collecting.url, "marketing"), collecting.settings)
    person.page.route("**/v1/live", lambda route: route.abort())
    person.page.goto("/live")
    expect(person.page.locator("#pulse[data-state=lost]")).to_be_visible(timeout=SLOW)
    expect(person.page.locator("#state")).to_contain_text("Not connected: figures may be old.")
    person.page.unroute("**/v1/live")
    expect(person.page.locator("#pulse[data-state=ok]")).to_be_visible(timeout=SLOW)
    person.close()


def test_a_phone_a_dark_room_and_german(collecting: Serving, producer: str, browser: Browser) -> None:
    send(collecting, producer, "web_events", views(5, f"/{'long' * 40}"))
    how: dict[str, Any] = {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark", "locale": "de-DE"}
    person = with_session(Person(browser, collecting.url, "analyst", **how), collecting.settings)
    page = following(person)
    expect(page.locator("#web-events-devices [data-drawn]")).to_be_visible(timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.locator("#age")).to_contain_text("Neuestes Ereignis vor")
    assert page.locator("[data-half=interactions]").count() == 0
    assert faults(page) == []
    assert (person.seen.problems, person.seen.foreign) == ([], [])
    person.close()


def test_without_scripts_the_page_shows_the_hour_as_it_is(collecting: Serving, producer: str, browser: Browser) -> None:
    send(collecting, producer, "web_events", views(2, "/plain"))
    person = with_session(Person(browser, collecting.url, "marketing"), collecting.settings)

    def shown() -> str:
        return person.context.request.get("/live?plain=1").text()

    deadline = time.monotonic() + 60
    while "/plain" not in (text := shown()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert 'data-state="loading"' not in text
    assert text.count("<table") == 3
    person.close()


def test_a_producers_key_reads_the_window_as_before(collecting: Serving, producer: str) -> None:
    answer = httpx.get(
        f"{collecting.url}/v1/live", headers={"authorization": f"Bearer {producer}"}, verify=collecting.trusted
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (403, "This key may not read the live window.")


def test_without_a_collector_the_page_says_that_none_runs_here(portal: Serving, browser: Browser) -> None:
    person = with_session(Person(browser, portal.url, "marketing"), portal.settings)
    page = following(person)
    expect(page.locator("[data-quiet=web_events]")).to_contain_text("No collector runs at this address.")
    expect(page.locator("[data-quiet=web_events]")).to_contain_text("What has been released reaches to")
    person.close()
