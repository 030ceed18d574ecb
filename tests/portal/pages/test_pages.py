"""The pages in a real browser: each team's, its figures, filters and exports, for who may see them and who may not."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from shoplake.access.kpi import answer, load_kpis
from shoplake.access.login import open_logins
from shoplake.access.rendering import json_text
from shoplake.audit.reading import Wanted, find
from shoplake.pipeline.releases import next_release_id, required, save
from shoplake.portal.pages.boards import TEAMS
from shoplake.portal.pages.places import PLACES
from shoplake.settings import Settings
from tests.access.released import SOUTH
from tests.portal.pages.conftest import Person, built, signed_in, with_session
from tests.portal.pages.looking import faults
from tests.portal.serving import Serving

pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")
FOREIGN = {"sales": "finance", "marketing": "sales", "operations": "finance", "support": "sales", "finance": "support"}
SLOW = 60_000
Open = Callable[[str], Person]


@pytest.fixture
def as_(people: dict[str, Person], portal: Serving, browser: Browser) -> Open:
    """Give a function that gives a signed-in person."""
    return lambda name: signed_in(people, portal, browser, name)


def opened(person: Person, path: str) -> Page:
    """Open a page and wait until nothing of it loads any more."""
    person.page.goto(path)
    settled(person.page)
    return person.page


def settled(page: Page) -> None:
    expect(page.locator("[data-state=loading]")).to_have_count(0, timeout=SLOW)


def tiles(page: Page) -> dict[str, str]:
    found: list[Any] = page.eval_on_selector_all(
        "[data-kpi]", "tiles => tiles.map(t => [t.dataset.kpi, t.dataset.value])"
    )
    return dict(found)


@pytest.mark.parametrize("team", TEAMS)
def test_a_team_sees_every_kpi_of_its_own_as_the_command_shows_it(team: str, as_: Open, portal_home: Settings) -> None:
    person = as_(team)
    page = opened(person, f"/{team}")
    expected = {name: answer(portal_home, name).total.value for name, kpi in load_kpis().items() if kpi.team == team}
    shown = tiles(page)
    assert shown.keys() == expected.keys()
    for name, value in expected.items():
        assert (json.loads(shown[name]) if shown[name] else None) == json.loads(json_text(value)), name
    for tile in page.locator("[data-kpi]").all():
        state = tile.get_attribute("data-state")
        assert state in {"ok", "late", "not-measurable"}
        assert tile.inner_text().strip()
        assert bool(tile.get_attribute("data-value")) == (state != "not-measurable")
    assert page.locator("[data-state=failed]").count() == 0
    for chart in page.locator("[data-chart]").all():
        table = page.locator(f"table[id='{chart.get_attribute('data-table')}']")
        assert table.locator("tbody tr").count() > 0, "a chart has a table that says the same"
    expect(page.locator("[data-chart]:not([data-drawn])")).to_have_count(0)
    assert faults(page) == []
    assert (person.seen.problems, person.seen.foreign) == ([], [])


@pytest.mark.parametrize("team", TEAMS)
def test_a_page_of_another_team_says_whom_to_ask(team: str, as_: Open) -> None:
    person = as_(team)
    answered = person.context.request.get(f"/{FOREIGN[team]}")
    assert answered.status == 403
    assert "Whom to ask: admin" in answered.text()
    kpi = next(name for name, kpi in load_kpis().items() if kpi.team == FOREIGN[team])
    for path in (f"/{FOREIGN[team]}/{kpi}/tile", f"/{FOREIGN[team]}/{kpi}/export/{kpi}-day.csv"):
        assert person.context.request.get(path).status == 403, path


def test_the_first_page_is_the_persons_own(as_: Open) -> None:
    assert as_("support").context.request.get("/").url.endswith("/support")
    assert as_("admin").context.request.get("/").url.endswith(tuple(place.address for place in PLACES))


def test_filters_are_in_the_address_and_drill_down_narrows_every_figure(as_: Open, portal_home: Settings) -> None:
    person = as_("sales")
    page = opened(person, "/sales")
    whole = float(tiles(page)["total_sales"])
    page.locator("#total_sales-region summary").click()
    page.locator("#total_sales-region").get_by_role("link", name="North").click()
    settled(page)
    assert page.url.endswith("/sales?region=North")
    north = float(answer(portal_home, "total_sales", where={"region": "North"}).total.value)
    assert float(tiles(page)["total_sales"]) == north < whole
    turnover = page.locator("[data-kpi=product_turnover_rate]")
    assert (turnover.get_attribute("data-state"), turnover.get_attribute("data-value")) == ("not-measurable", "")
    page.locator("#total_sales-store summary").click()
    page.locator("#total_sales-store").get_by_role("link", name="Shop N").click()
    settled(page)
    assert page.url.endswith("/sales?region=North&store=1")
    page.locator("#total_sales-day summary").click()
    page.locator("#total_sales-day tbody a").first.click()
    settled(page)
    assert "from=2026-03-01&to=2026-03-01&region=North&store=1" in page.url
    assert float(tiles(page)["total_sales"]) == 20.0
    page.get_by_role("navigation", name="Way").get_by_role("link", name="Region: North").click()
    settled(page)
    assert float(tiles(page)["total_sales"]) == north
    assert (person.seen.problems, person.seen.foreign) == ([], [])


def test_the_filter_form_offers_what_the_data_holds(as_: Open) -> None:
    page = opened(as_("sales"), "/sales?days=7")
    page.locator("details.filters > summary").focus()
    page.keyboard.press("Enter")
    region = page.locator("details.choose[data-dimension=region]")
    expect(region.locator("label")).to_have_text(["North", SOUTH])
    region.locator("summary").focus()
    page.keyboard.press("Enter")
    region.get_by_label(SOUTH).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    expect(region).not_to_have_attribute("open", "")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"**/sales?days=7&region={SOUTH}")


def test_a_person_of_one_region_sees_only_it(as_: Open, portal_home: Settings) -> None:
    page = opened(as_("north_sales"), "/sales")
    north = answer(portal_home, "total_sales", where={"region": "North"}).total.value
    assert float(tiles(page)["total_sales"]) == float(north)
    assert SOUTH not in page.content()


def test_a_figure_explains_itself(as_: Open, portal_home: Settings) -> None:
    person = as_("marketing")
    page = opened(person, "/marketing")
    page.locator("[data-kpi=bounce_rate] h2 a").click()
    page.wait_for_url("**/marketing/bounce_rate")
    found = answer(portal_home, "bounce_rate", by=("day",))
    text = page.locator("main").inner_text()
    assert load_kpis()["bounce_rate"].formula in text
    for said in (found.release, "Bounces", "Sessions", "web_events", "marketing.mart_marketing__sessions"):
        assert said in text
    ga4 = page.locator("[data-definition=ga4]")
    assert float(ga4.get_attribute("data-value") or "nan") == float(found.alternatives["ga4"])
    page.get_by_role("navigation", name="Break it down").get_by_role("link", name="By page").click()
    assert page.locator("#bounce_rate-page tbody tr").count() == 1
    assert faults(page) == []
    assert (person.seen.problems, person.seen.foreign) == ([], [])


def test_what_is_exported_is_what_is_on_the_screen_and_is_on_record(as_: Open, portal_home: Settings) -> None:
    person = as_("finance")
    page = opened(person, "/finance")
    panel = page.locator("#revenue-category")
    shown = panel.locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.dataset.value))")
    heads = panel.locator("thead th").all_inner_texts()
    before = len(find(portal_home, Wanted(action="kpi export")))
    text = person.context.request.get(panel.get_by_role("link", name="CSV").get_attribute("href") or "").text()
    header, *rows = csv.reader(io.StringIO(text))
    assert header == heads
    assert rows == shown
    book = person.context.request.get(panel.get_by_role("link", name="XLSX").get_attribute("href") or "").body()
    sheet = list(load_workbook(io.BytesIO(book)).worksheets[0].iter_rows(values_only=True))
    assert list(sheet[0]) == heads
    assert [[float(cell) for cell in row[1:3] if cell is not None] for row in sheet[1:]] == [
        [float(cell) for cell in row[1:3] if cell] for row in shown
    ]
    assert all(isinstance(row[1], float | int) for row in sheet[1:])
    records = find(portal_home, Wanted(action="kpi export"))[before:]
    assert [(r.actor, r.role, r.detail["format"], r.rows) for r in records] == [
        ("finance", "finance", "csv", len(shown)),
        ("finance", "finance", "xlsx", len(shown)),
    ]


def test_an_expired_session_leads_to_sign_in_and_back(portal: Serving, browser: Browser, portal_home: Settings) -> None:
    person = Person(browser, portal.url, "leaving")
    page = person.sign_in("/sales")
    settled(page)
    with open_logins(portal_home) as logins:
        logins.sign_ins.end_sessions("leaving")
    page.wait_for_url("**/login?next=%2Fsales", timeout=SLOW)
    page.goto("/sales?days=7")
    assert "/login?next=" in page.url
    page.fill("[name=name]", "leaving")
    page.fill("[name=password]", "not the password")
    page.click("main button.main")
    expect(page.get_by_role("alert")).to_be_visible()
    assert faults(page) == []
    person.sign_in("/sales?days=7")
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    assert person.context.request.get("/sales", max_redirects=0).status == 303
    person.close()


def test_a_late_source_and_a_failure_are_said_and_a_retry_helps(as_: Open) -> None:
    person = as_("sales")
    page = person.page
    path = "**/sales/total_sales/tile*"
    page.route(path, lambda route: route.abort())
    page.goto("/sales")
    tile = page.locator("[data-kpi=total_sales]")
    expect(tile).to_have_attribute("data-state", "failed", timeout=SLOW)
    expect(tile).to_contain_text("Could not be loaded")
    page.unroute(path)
    tile.get_by_role("button", name="Try again").click()
    expect(tile).to_have_attribute("data-state", "late", timeout=SLOW)
    expect(tile).to_contain_text("2 Mar 2026")
    settled(page)
    person.seen.problems.clear()  # the browser tells of the request that was cut


@pytest.mark.parametrize(
    ("scheme", "paths"),
    [("light", ["/sales?region=North", "/finance"]), ("dark", ["/profile", "/operations", "/sales/total_sales"])],
    ids=["light", "dark"],
)
def test_a_phone_shows_it_without_sideways_scroll(
    scheme: str, paths: list[str], portal: Serving, browser: Browser
) -> None:
    size = {"width": 360, "height": 740}
    phone = with_session(Person(browser, portal.url, "analyst", viewport=size, color_scheme=scheme), portal.settings)
    for path in paths:
        page = opened(phone, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        assert faults(page) == [], path
    assert (phone.seen.problems, phone.seen.foreign) == ([], [])
    phone.close()


def test_the_keyboard_reaches_everything_and_focus_is_visible(as_: Open) -> None:
    page = opened(as_("finance"), "/finance")
    page.keyboard.press("Tab")
    reached = []
    for _ in range(40):
        reached.append(
            page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return [e.innerText.trim(), s.outlineStyle, e.matches(':focus-visible')]; })()"
            )
        )
        page.keyboard.press("Tab")
    names = [name for name, _, _ in reached]
    for name in ("Skip to content", "Finance", "Last 7 days", "Filters", "Revenue", "Table", "CSV"):
        assert name in names, names
    assert all(outline != "none" for name, outline, is_seen in reached if is_seen and name)


def test_german_words_and_figures(portal: Serving, browser: Browser) -> None:
    person = with_session(Person(browser, portal.url, "finance", locale="de-DE"), portal.settings)
    page = opened(person, "/finance")
    text = page.locator("main").inner_text()
    assert page.locator("html").get_attribute("lang") == "de"
    assert "Nettoerlös" in text
    assert "120,00\N{NO-BREAK SPACE}€" in text
    assert "Released" not in text
    assert person.seen.problems == []
    person.close()


def test_an_address_that_leads_nowhere_is_a_page_for_people_and_json_for_programs(as_: Open) -> None:
    request = as_("sales").context.request
    for path in ("/nothing", "/sales/nothing", "/sales/total_sales/panel/nothing"):
        answered = request.get(path, headers={"accept": "text/html"})
        assert (answered.status, "There is nothing here" in answered.text()) == (404, True), path
    assert request.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert request.get("/sales?days=nonsense").status == 400
    assert request.get("/sales?from=2026-03-02&to=2026-03-01").status == 400


def test_a_form_of_another_page_changes_nothing(as_: Open) -> None:
    request = as_("sales").context.request
    for path in ("/logout", "/profile/sessions", "/preferences"):
        assert request.post(path, form={"csrf": "guess"}, max_redirects=0).status == 403, path
    assert request.get("/profile", max_redirects=0).status == 200


def test_the_profile_makes_and_ends_tokens(as_: Open, portal: Serving) -> None:
    page = as_("support").page
    page.goto("/profile")
    page.select_option("[name=scope]", "kpis")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator(".secret").inner_text()
    with portal.client(token) as client:
        assert client.get("/v1/kpis").status_code == 200
        page.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("You have none.")).to_be_visible()
        assert client.get("/v1/kpis").status_code == 401
    assert faults(page) == []


def test_a_new_password_ends_other_sessions_and_keeps_this_one(portal: Serving, browser: Browser) -> None:
    first, second = (with_session(Person(browser, portal.url, "analyst"), portal.settings) for _ in range(2))
    page = second.page
    page.goto("/profile")
    page.fill("form[action='/profile/password'] [name=password]", "correct horse battery")
    page.fill("[name=new]", "correct horse battery")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    assert first.context.request.get("/profile", max_redirects=0).status == 303
    assert second.context.request.get("/profile", max_redirects=0).status == 200
    first.close()
    second.close()


def test_a_new_release_is_shown_without_a_reload(as_: Open, portal_home: Settings) -> None:
    page = opened(as_("finance"), "/finance")
    before = float(tiles(page)["revenue"])
    page.evaluate("window.sameDocument = true")
    release_without_the_last_day(portal_home, "mart_finance__revenue_day")
    expect(page.locator("[data-kpi=revenue]")).to_have_attribute("data-value", f"{before / 2:.2f}", timeout=SLOW)
    expect(page.locator("#revenue-day tbody tr")).to_have_count(1, timeout=SLOW)
    assert page.evaluate("window.sameDocument") is True


def release_without_the_last_day(settings: Settings, name: str) -> None:
    """Publish the served release once more, one day of a table less."""
    manifest = required(settings, None)
    table = manifest.tables[name]
    shorter = msgspec.structs.replace(table, partitions=table.partitions[:-1])
    now = dt.datetime.now(dt.UTC)
    made = msgspec.structs.replace(
        manifest, release_id=next_release_id(settings, now), created_at=now, tables=manifest.tables | {name: shorter}
    )
    save(settings, made)
