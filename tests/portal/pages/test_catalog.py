"""The catalogue, its search and help in a browser: for every role, by keyboard, from a column of a source to a KPI."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from shoplake.access.catalogue import load_catalogue
from shoplake.access.kpi import load_kpis
from shoplake.access.kpi_sources import may_see
from shoplake.access.rights import Rights
from shoplake.catalogue.opening import open_catalogue
from shoplake.contracts import load_contracts
from shoplake.portal.pages.catalog.naming import address_of
from shoplake.portal.pages.places import PLACES
from tests.access.released import COST, SOUTH, WORDS, identities
from tests.portal.pages.conftest import Person, built, signed_in, with_session
from tests.portal.pages.test_pages import faults
from tests.portal.serving import Serving

LOCKED = "data-lock"
SOME = ("/catalog/table/mart_finance__revenue_day", "/catalog/table/fct_interactions", "/catalog/source/pos")
Open = Callable[[str], Person]
in_browser = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")


@pytest.fixture
def as_(people: dict[str, Person], portal: Serving, browser: Browser) -> Open:
    """Give a function that gives a signed-in person."""
    return lambda name: signed_in(people, portal, browser, name)


@pytest.mark.parametrize("user", ["north_sales", "admin"])
def test_every_thing_has_a_page_that_shows_no_value_of_a_row(
    user: str, sessions: dict[str, httpx.Client], portal: Serving
) -> None:
    listed = sessions[user].get("/catalog").text
    for ref, entry in open_catalogue(portal.settings).entries.items():
        assert f'href="{address_of(ref)}"' in listed
        page = sessions[user].get(address_of(ref))
        assert page.status_code == 200, ref
        for column in entry.columns:
            assert f'data-column="{column.name}"' in page.text, ref
        for guard in entry.guards:
            assert f'data-guard="{guard.name}"' in page.text, ref
        for canary in (SOUTH, WORDS, str(COST)):
            assert canary not in page.text, ref


def test_what_a_role_may_not_see_is_locked_and_the_line_is_named(
    sessions: dict[str, httpx.Client], portal: Serving
) -> None:
    for identity in identities(portal.settings):
        rights, client = Rights.of(portal.settings, identity), sessions[identity.name]
        for path in SOME:
            name, page = path.rsplit("/", maxsplit=1)[-1], client.get(path).text
            decision = rights.table(name) if name in load_catalogue() else rights.may_use("lake")
            assert (LOCKED in page) == (not decision.is_allowed), (identity.name, path)
            assert (f"policy.yaml:{decision.line}" in page) == (not decision.is_allowed)
            may_query = name in load_catalogue() and bool(rights.columns(name)) and rights.may_use("sql").is_allowed
            assert ("LIMIT 100" in page) == may_query, (identity.name, path)
            has_console = any(place.address == "/sql" for place in PLACES)
            assert ('href="/sql?sql=SELECT+' in page) == (may_query and has_console)
            assert ("<dt>Size</dt>" in page) == (name in load_catalogue() and bool(rights.columns(name)))
        sees_kpi = rights.may_use("kpi").is_allowed and may_see(rights, load_kpis()["revenue"])
        page = client.get("/catalog/kpi/revenue").text
        assert (LOCKED in page) == (not sees_kpi)
        assert ('href="/finance/revenue"' in page) == sees_kpi


def test_a_hidden_column_is_marked_and_left_out_of_the_query(sessions: dict[str, httpx.Client]) -> None:
    page = sessions["sales"].get("/catalog/table/dim_product").text
    assert LOCKED not in page
    row = page.partition('data-column="unit_cost_amount"')[2].partition("</tr>")[0]
    assert "locked" in row
    assert "Cost" in row
    assert "unit_cost_amount" not in page.partition("LIMIT 100")[0].rpartition("SELECT")[2]


def test_a_limited_person_sees_the_number_of_their_own_rows(sessions: dict[str, httpx.Client]) -> None:
    path = "/catalog/table/mart_sales__store_day"
    assert "<dd>4</dd>" in sessions["sales"].get(path).text
    assert "<dd>2 (region: North)</dd>" in sessions["north_sales"].get(path).text


def test_an_address_of_nothing_is_said_to_be_one(sessions: dict[str, httpx.Client]) -> None:
    for path in ("/catalog/table/nothing", "/catalog/nothing/pos", "/catalog/source/pos?column=nothing"):
        assert sessions["sales"].get(path).status_code == 404, path
    assert sessions["sales"].get("/catalog?q=").headers["location"] == "/catalog"


def test_every_source_says_whether_it_is_late(sessions: dict[str, httpx.Client], portal: Serving) -> None:
    for name in load_contracts(portal.settings):
        page = sessions["data_engineer"].get(f"/catalog/source/{name}").text
        row = page.partition(f'data-source="{name}"')[2].partition("</tr>")[0]
        assert ("late" in row) == (name not in {"stores", "products", "warehouses"}), name
        assert "<dt>Rows landed</dt>" in page


def test_search_works_as_a_form_and_gives_proposals(sessions: dict[str, httpx.Client]) -> None:
    client = sessions["support"]
    page = client.get("/catalog", params={"q": "Absprungrate"}).text
    assert 'href="/catalog/kpi/bounce_rate"' in page
    assert 'value="Absprungrate"' in page
    part = client.get("/catalog/search", params={"q": "<script>"}, headers={"hx-request": "true"})
    assert "<script>" not in part.text
    part = client.get("/catalog/search", params={"q": "gross amount"}, headers={"hx-request": "true"})
    assert part.text.count('role="option"') == 9
    assert "locked" in part.text
    nobody = client.get("/catalog/search", params={"q": "x"}, headers={"hx-request": "true", "cookie": "none=1"})
    assert nobody.status_code in {200, 401}


@in_browser
def test_the_search_box_is_used_by_keyboard_from_any_page(as_: Open) -> None:
    person = as_("sales")
    page = person.page
    page.goto("/profile")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Find anything in the catalogue")
    expect(box).to_be_focused()
    page.keyboard.type("umstz")
    first = page.get_by_role("option").first
    expect(first).to_contain_text("Total sales")
    expect(box).to_have_attribute("aria-expanded", "true")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.type("/")
    expect(box).to_have_value("umstz/")
    page.keyboard.press("Backspace")
    expect(first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/kpi/total_sales")
    page.keyboard.press("/")
    page.keyboard.type("fct_sale_lines")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog?q=fct_sale_lines")
    expect(page.locator(".hits a").first).to_have_text("fct_sale_lines")
    assert (person.seen.problems, person.seen.foreign) == ([], [])


@in_browser
def test_lineage_leads_from_a_sources_column_to_a_kpi_and_back(as_: Open) -> None:
    person = as_("finance")
    page = person.page
    page.goto("/catalog/source/pos")
    page.locator("[data-column=revenue] a").click()
    way = page.locator("#lineage")
    expect(way).to_have_attribute("data-lineage", "pos.revenue")
    for name in (
        "stg_pos__sale_lines.gross_amount",
        "fct_sale_lines.gross_amount",
        "mart_sales__product_day.gross_amount",
        "mart_sales__store_day.net_amount",
        "total_sales.net",
    ):
        way.locator(f"[data-name='{name}']").click()
        expect(way).to_have_attribute("data-lineage", name)
    assert faults(page) == []
    expect(way.locator("[data-name='fct_interactions.rating']")).to_have_count(0)
    # And back by the keyboard, through the table that says the same.
    way.locator("summary").focus()
    page.keyboard.press("Enter")
    row = way.locator("tr", has=page.get_by_role("rowheader", name="stg_pos__sale_lines.gross_amount"))
    row.get_by_role("link", name="pos.revenue", exact=True).focus()
    page.keyboard.press("Enter")
    expect(way).to_have_attribute("data-lineage", "pos.revenue")
    steps = way.locator("tbody tr").count()
    assert steps == way.locator(".node").count()
    way.get_by_role("link", name="Back to all of it").click()
    expect(way).to_have_attribute("data-lineage", "pos")
    assert (person.seen.problems, person.seen.foreign) == ([], [])


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_in_german_without_sideways_scroll(scheme: str, portal: Serving, browser: Browser) -> None:
    size = {"width": 360, "height": 740}
    phone = with_session(
        Person(browser, portal.url, "analyst", viewport=size, color_scheme=scheme, locale="de-DE"), portal.settings
    )
    page = phone.page
    for path in (
        "/catalog",
        "/catalog?q=umsatz",
        "/catalog/kpi/revenue?column=gross_margin",
        "/catalog/table/mart_marketing__customer_day",
        "/help",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        assert faults(page) == [], path
    page.keyboard.press("/")
    page.wait_for_url("**/catalog")
    text = page.locator("main").inner_text()
    assert "Kennzahlen" in text
    assert "Staging-Sichten" in text
    assert "Sources" not in text
    assert (phone.seen.problems, phone.seen.foreign) == ([], [])
    phone.close()


@in_browser
def test_it_works_without_scripts(portal: Serving, browser: Browser) -> None:
    person = with_session(Person(browser, portal.url, "marketing", java_script_enabled=False), portal.settings)
    page: Page = person.page
    page.goto("/catalog")
    page.get_by_role("searchbox").last.fill("bounce rate")
    page.keyboard.press("Enter")
    page.locator(".hits a").first.click()
    page.wait_for_url("**/catalog/kpi/bounce_rate")
    page.locator("[data-name='mart_marketing__sessions']").click()
    page.wait_for_url("**/catalog/table/mart_marketing__sessions")
    person.close()


def test_help_is_for_the_one_who_asks(sessions: dict[str, httpx.Client], portal: Serving) -> None:
    for identity in identities(portal.settings):
        page = sessions[identity.name].get("/help").text
        rights = Rights.of(portal.settings, identity)
        assert f"with the role {identity.role}." in page
        assert "admin" in page.partition("data-administrators")[2].partition("</p>")[0]
        assert ("/v1/kpis/" in page) == rights.may_use("kpi").is_allowed
        assert ("shoplake.connect" in page) == rights.may_use("sql").is_allowed
        assert 'href="/help"' in page
    assert "region: North" in sessions["north_sales"].get("/help").text
    refused = sessions["sales"].get("/finance")
    assert (refused.status_code, 'href="/help#access"' in refused.text) == (403, True)
