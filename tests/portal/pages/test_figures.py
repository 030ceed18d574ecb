"""Team pages beyond their tiles: windows to compare with, several filters, pictures, what is behind a figure, paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from shoplake.access.kpi import answer
from shoplake.access.sql import query
from shoplake.audit.reading import Wanted, find
from shoplake.errors import AuditFailed
from shoplake.pipeline.releases import required
from shoplake.pipeline.run import run
from shoplake.portal.pages import viewer as looking
from shoplake.portal.pages.boards import BOARDS
from shoplake.portal.pages.places import PLACES, Place
from shoplake.settings import Settings
from tests.access.released import SOUTH, identities, land_day
from tests.pipeline.test_stream import _with_doubled_interactions
from tests.portal.pages.conftest import Person, asked, built, signed_in, with_session
from tests.portal.pages.test_pages import SLOW, Open, faults, opened, settled, tiles
from tests.portal.serving import Serving

pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")
DAY = "from=2026-03-02&to=2026-03-02"


@pytest.fixture
def as_(people: dict[str, Person], portal: Serving, browser: Browser) -> Open:
    """Give a function that gives a signed-in person."""
    return lambda name: signed_in(people, portal, browser, name)


def previous(page: Page) -> str:
    return page.locator("dd[data-previous]").get_attribute("data-previous") or ""


def test_what_is_compared_with_is_in_the_address_and_in_every_figure(as_: Open, portal_home: Settings) -> None:
    person = as_("sales")
    page = opened(person, f"/sales?{DAY}")
    page.locator("[name=against-from]").fill("2026-03-02")
    page.locator("[name=against-to]").fill("2026-03-02")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**against-from=2026-03-02&against-to=2026-03-02*")
    settled(page)
    tile = page.locator("[data-kpi=total_sales]")
    expect(tile).to_contain_text("±0.0 %")
    table = page.locator("#total_sales-region")
    row = table.locator("tbody tr").first.locator("td").evaluate_all("cells => cells.map(c => c.dataset.value)")
    assert row[0] == row[1]
    table.locator("summary").click()
    assert "Days of your choice" in table.locator("thead").inner_text()
    tile.locator("h2 a").click()
    page.wait_for_url("**/sales/total_sales?*against-from*")
    settled(page)
    value = answer(portal_home, "total_sales", from_="2026-03-02", to="2026-03-02").total.value
    assert float(previous(page)) == float(value)
    page.get_by_role("link", name="A year before").click()
    page.wait_for_url("**against=year*")
    settled(page)
    assert previous(page) == ""
    expect(page.locator("main")).to_contain_text("no data in the previous window")
    page.get_by_role("link", name="Window before").click()
    page.wait_for_url(f"**/sales/total_sales?{DAY}")
    settled(page)
    before = answer(portal_home, "total_sales", from_="2026-03-01", to="2026-03-01").total.value
    assert float(previous(page)) == float(before)
    assert (person.seen.problems, person.seen.foreign) == ([], [])


def test_uneven_days_are_said(as_: Open) -> None:
    page = opened(as_("finance"), f"/finance?{DAY}&against-from=2026-03-01&against-to=2026-03-02")
    expect(page.locator("[data-kpi=revenue]")).to_contain_text("1 days against 2")
    for wrong in ("against=never", "against-from=soon", "against-from=2026-03-02&against-to=2026-03-01"):
        assert as_("finance").context.request.get(f"/finance?{wrong}").status == 400


def test_several_values_are_chosen_taken_away_and_reset(as_: Open, portal_home: Settings) -> None:
    page = opened(as_("sales"), "/sales?region=North")
    page.locator("details.filters > summary").click()
    region = page.locator("details.choose[data-dimension=region]")
    expect(region.locator("label")).to_have_count(2)
    region.locator("summary").click()
    region.get_by_label(SOUTH).check()
    product = page.locator("details.choose[data-dimension=product]")
    region.locator("summary").click()
    product.locator("summary").click()
    product.locator("input[list]").fill("Thing 1")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**product=Thing+1")
    settled(page)
    assert f"region=North&region={SOUTH}" in page.url
    both = answer(portal_home, "total_sales", where={"region": ["North", SOUTH], "product": ["Thing 1"]}).total.value
    assert float(tiles(page)["total_sales"]) == float(both)
    page.get_by_role("link", name=re.compile(f"Remove the filter region: {SOUTH}")).click()
    settled(page)
    assert "region=North&product" in page.url
    page.locator("details.filters > summary").click()
    page.get_by_role("link", name="Clear all").click()
    page.wait_for_url("**/sales")


def test_every_cell_of_a_figure_leads_to_what_explains_it(as_: Open) -> None:
    page = opened(as_("operations"), "/operations")
    for panel in BOARDS["operations"]:
        place = page.locator(f"[data-panel='{panel.panel_id}']")
        links = place.locator("a.explain").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert links, panel.panel_id
        assert all(link.startswith(f"/operations/{panel.kpi}") for link in links)
    link = page.locator("#stockout_alerts-list tbody a.explain").first
    value = link.locator("xpath=..").get_attribute("data-value")
    link.click()
    page.wait_for_url("**/operations/stockout_alerts?*warehouse=*")
    settled(page)
    assert value
    expect(page.locator("main")).to_contain_text("Expected net sales lost daily")


def test_cases_have_a_curve_with_a_table_that_says_the_same(as_: Open, portal_home: Settings) -> None:
    person = as_("support")
    expected = answer(portal_home, "time_to_resolution").curve
    for path in ("/support", "/support/time_to_resolution"):
        page = opened(person, path)
        curve = page.locator("#time_to_resolution-curve")
        expect(curve.locator("[data-chart=curve]")).to_have_attribute("data-drawn", "yes")
        rows = curve.locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.dataset.value))")
        assert [(float(row[0]), float(row[1])) for row in rows] == [(p["seconds"], p["value"]) for p in expected]
    withheld = opened(as_("analyst"), "/support").locator("#time_to_resolution-curve")
    expect(withheld).to_have_attribute("data-state", "not-measurable")
    expect(withheld).to_contain_text("single cases")


def saved(page: Page, panel: str, kind: str, folder: Path) -> bytes:
    with page.expect_download() as download:
        page.locator(f"[data-panel='{panel}'] [data-picture={kind}]").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file.read_bytes()


def test_a_chart_is_exported_as_a_picture_that_says_what_it_is_and_is_on_record(
    as_: Open, portal_home: Settings, tmp_path: Path
) -> None:
    person = as_("finance")
    page = opened(person, "/finance?region=North&region=" + SOUTH)
    before = len(find(portal_home, Wanted(action="kpi export")))
    release = required(portal_home, None).release_id
    said = saved(page, "revenue-store", "svg", tmp_path).decode()
    assert said.startswith("<svg")
    rows = page.locator("#revenue-store tbody tr")
    shown = rows.locator("td[data-text]").evaluate_all("cells => cells.map(c => c.dataset.text)")
    for words in ("Net revenue by store", release, f"Region: North, {SOUTH}", "Shop N", *shown):
        assert words in said, words
    assert "dashed" not in saved(page, "revenue-day", "svg", tmp_path).decode(), "there is nothing before"
    days = "from=2026-03-01&to=2026-03-02"
    page = opened(person, f"/finance?{days}&against-{days.replace('&', '&against-')}")
    line = saved(page, "revenue-day", "svg", tmp_path).decode()
    assert "dashed: Days of your choice" in line
    assert "stroke-dasharray" in line
    png = saved(page, "revenue-day", "png", tmp_path)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20], "big") == 1920
    records = find(portal_home, Wanted(action="kpi export"))[before:]
    assert [r.detail["format"] for r in records[:1] + records[-1:]] == ["svg", "png"]
    assert records[0].rows == rows.count()
    assert {(r.actor, r.role, r.release) for r in records} == {("finance", "finance", release)}
    assert (person.seen.problems, person.seen.foreign) == ([], [])


def test_a_picture_needs_the_right_to_export_and_the_release_of_the_page(as_: Open, portal_home: Settings) -> None:
    request = as_("sales").context.request
    release = required(portal_home, None).release_id
    address = "/sales/total_sales/picture/total_sales-region?kind=png&release="
    assert request.get(address + release).json()["lines"][0] == "Net sales by region"
    assert request.get(f"{address}other").status == 409
    for wrong in ("kind=gif", ""):
        assert request.get(f"/sales/total_sales/picture/total_sales-region?{wrong}&release={release}").status == 404
    assert request.get(f"/sales/stock_availability/picture/stock_availability-product?release={release}").status == 404
    assert as_("marketing").context.request.get(address + release).status == 403


def test_without_the_right_to_export_no_export_is_offered_or_made(portal_home: Settings) -> None:
    from shoplake.access.policy import PACKAGED

    own = portal_home.home / "policy.yaml"
    policy = PACKAGED.read_text(encoding="utf-8").replace("exports: [kpi, sql]", "exports: [sql]")
    own.write_text(policy, encoding="utf-8")
    release = required(portal_home, None).release_id
    panel = "/sales/total_sales/panel/total_sales-region"
    try:
        shown, picture, table = asked(
            portal_home,
            "sales",
            panel,
            f"/sales/total_sales/picture/total_sales-region?kind=svg&release={release}",
            "/sales/total_sales/export/total_sales-region.csv",
        )
    finally:
        own.unlink()
    assert "data-picture" not in shown.text
    assert "/export/" not in shown.text
    assert (picture.status_code, table.status_code) == (403, 403)


def test_a_figure_names_its_files_rows_and_what_is_held_back(
    portal_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = (*PLACES, Place("/sql", "SQL", "sql"), Place("/health", "Health", "quarantine"))
    monkeypatch.setattr(looking, "PLACES", places)
    (part,) = asked(portal_home, "sales", "/sales/total_sales/origins?region=North")
    assert 'data-rows="2"' in part.text
    assert "pos-day1.csv" in part.text
    assert 'href="/health"' not in part.text, "the role has no such page"
    address = re.search(r'href="(/sql\?[^"]+)"', part.text)
    assert address is not None
    (who,) = (one for one in identities(portal_home) if one.name == "sales")
    (sql,) = parse_qs(urlsplit(address[1].replace("&amp;", "&")).query)["sql"]
    assert len(query(portal_home, sql, identity=who).rows) == 2
    (limited,) = asked(portal_home, "north_sales", "/sales/total_sales/origins")
    assert 'data-rows="2"' in limited.text
    assert "Rows of these days" not in limited.text, "the counts of files are of all regions"
    (stranger,) = asked(portal_home, "marketing", "/sales/total_sales/origins")
    assert stranger.status_code == 403


def test_on_paper_there_are_figures_and_tables_and_nothing_to_press(portal: Serving, browser: Browser) -> None:
    size = {"width": 690, "height": 980}
    person = with_session(Person(browser, portal.url, "finance", viewport=size), portal.settings)
    page = opened(person, "/finance?region=North")
    expect(page.locator("[data-chart]:not([data-drawn])")).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (".bar", ".presets", ".filters", ".panel-foot nav", ".live", ".twin > summary"):
        assert not any(one.is_visible() for one in page.locator(hidden).all()), hidden
    assert all(table.is_visible() for table in page.locator(".panel table").all())
    text = page.locator("main").inner_text()
    release = required(portal.settings, None).release_id
    for said in ("Finance", "Region: North", release, "Compared with: Window before"):
        assert said in text
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate("getComputedStyle(document.querySelector('.panel')).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert person.seen.problems == []
    person.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_that_explain_fit_a_phone_and_have_no_faults(scheme: str, portal: Serving, browser: Browser) -> None:
    size = {"width": 360, "height": 740}
    phone = with_session(Person(browser, portal.url, "support", viewport=size, color_scheme=scheme), portal.settings)
    page = opened(phone, "/support/time_to_resolution?channel=Email&against=year")
    page.locator("details.filters > summary").click()
    page.locator("details.choose summary").first.click()
    expect(page.locator("#origins-of-days")).to_have_attribute("data-state", "ok", timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert faults(page) == []
    assert (phone.seen.problems, phone.seen.foreign) == ([], [])
    phone.close()


@pytest.mark.parametrize("team", ["sales", "support"])
def test_a_page_is_worked_by_keyboard_alone(team: str, as_: Open) -> None:
    page = opened(as_(team), f"/{team}")
    page.locator("details.filters > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.choose").first).to_be_visible()
    page.locator("details.twin summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.twin[open] table").first).to_be_visible()
    page.keyboard.press("Tab")
    focused = "document.activeElement.closest('.sheet, a') !== null"
    assert page.evaluate(focused), "the table can be scrolled"
    page.locator("[data-kpi] h2 a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{team}/*")


def test_a_release_that_fails_changes_no_page(as_: Open, portal_home: Settings, tmp_path: Path) -> None:
    from shoplake.pipeline import releases

    page = opened(as_("support"), "/support")
    before, good = tiles(page), required(portal_home, None)
    land_day(portal_home, tmp_path, 2)
    releases.replace_manifest(portal_home, _with_doubled_interactions(good))
    try:
        with pytest.raises(AuditFailed):
            run(portal_home)
    finally:
        releases.replace_manifest(portal_home, good)
    page = opened(as_("support"), "/support")
    assert tiles(page) == before
    release: Any = page.locator("body").get_attribute("data-release")
    assert release == good.release_id
    expect(page.locator("[data-kpi=interaction_volume]")).to_have_attribute("data-state", "late")
