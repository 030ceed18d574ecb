"""Administration: users, roles, tokens and producers, for who has the console, with a password for each change."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from shoplake.access.login import open_logins
from shoplake.access.policy import PACKAGED, load_policy
from shoplake.access.producer_keys import list_producers
from shoplake.audit.reading import Wanted, find
from shoplake.settings import Settings
from tests.portal.pages.conftest import Person, asked, built, signed_in, with_session
from tests.portal.pages.test_pages import Open, faults
from tests.portal.serving import PASSWORD, Serving

pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")
PAGES = ("/admin", "/admin/users/sales", "/admin/roles", "/admin/view?role=sales", "/admin/tokens", "/admin/producers")


@pytest.fixture
def as_(people: dict[str, Person], portal: Serving, browser: Browser) -> Open:
    """Give a function that gives a signed-in person."""
    return lambda name: signed_in(people, portal, browser, name)


def fill(page: Page, form: str, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"{form} [name='{name}']").fill(value)


def test_a_user_is_made_limited_and_shut_out(as_: Open, portal: Serving, browser: Browser) -> None:
    admin = as_("admin")
    page = admin.page
    page.goto("/")
    page.goto("/admin")
    form = "form[action='/admin']"
    page.locator(f"{form} [name=role]").select_option("sales")
    fill(page, form, name="maria", **{"limit-region": "North", "password": PASSWORD})
    page.get_by_role("button", name="Add").click()
    password = page.locator(".secret").inner_text()
    expect(page.get_by_role("status")).to_contain_text("maria may sign in.")
    assert faults(page) == []

    maria = Person(browser, portal.url, "maria")
    maria.page.goto("/sales")
    maria.page.fill("[name=name]", "maria")
    maria.page.fill("[name=password]", password)
    maria.page.click("main button.main")
    maria.page.wait_for_url("**/sales")
    expect(maria.page.locator("[data-kpi=total_sales]")).to_have_attribute("data-value", "40.00", timeout=60_000)
    assert maria.context.request.get("/admin").status == 403
    assert "Whom to ask: admin" in maria.context.request.get("/admin").text()

    page.locator("[data-user=maria] a").click()
    form = "form[action='/admin/users/maria/role']"
    page.locator(f"{form} [name=role]").select_option("support")
    fill(page, form, **{"limit-region": "", "password": PASSWORD})
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("status")).to_contain_text("The role is changed.")
    assert maria.context.request.get("/sales").status == 403
    assert maria.context.request.get("/support").status == 200
    fill(page, "form[action='/admin/users/maria/sessions']", password=PASSWORD)
    page.get_by_role("button", name="Shut out").click()
    expect(page.get_by_text("disabled since")).to_be_visible()
    assert maria.context.request.get("/support", max_redirects=0).status == 303
    records = [r for r in find(portal.settings, Wanted()) if r.action.startswith("users ") and r.actor == "admin"]
    changed = [r.action for r in records if r.outcome == "ok" and r.detail.get("user") == "maria"]
    assert [action for action in changed if action != "users show"] == ["users add", "users role", "users disable"]
    assert {"users list", "users show"} <= {r.action for r in records}
    assert password not in "".join(str(r.detail) for r in records)
    assert (admin.seen.problems, admin.seen.foreign) == ([], [])
    maria.close()


def test_without_the_password_nothing_changes(as_: Open, portal: Serving) -> None:
    page = as_("admin").page
    page.goto("/admin/users/finance")
    form = "form[action='/admin/users/finance/sessions']"
    page.locator(f"{form} [name=password]").fill("not the password")
    page.locator(form).get_by_role("button", name="Shut out").click()
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
    as_("admin").seen.problems.clear()  # the browser tells of the status
    with open_logins(portal.settings) as logins:
        assert logins.users.get("finance").disabled_at is None
    page.goto("/admin/users/finance")
    assert page.locator("h1").inner_text() == "finance", "the session goes on"


def test_what_cannot_be_is_said_and_the_session_goes_on(as_: Open) -> None:
    page = as_("admin").page
    page.goto("/admin")
    fill(page, "form[action='/admin']", name="sales", password=PASSWORD)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a user 'sales' already.")
    page.goto("/admin/users/admin")
    expect(page.get_by_text("This is you.")).to_be_visible()
    assert page.locator("main form").count() == 0
    assert as_("admin").context.request.get("/admin/users/nobody").status == 404
    as_("admin").seen.problems.clear()


def test_a_form_of_another_page_or_of_a_stranger_changes_nobody(as_: Open, portal: Serving) -> None:
    for name in ("admin", "sales", "analyst"):
        request = as_(name).context.request
        for path in ("/admin", "/admin/users/finance/disable", "/admin/tokens", "/admin/producers"):
            given = {"csrf": "guess", "password": PASSWORD, "name": "eve", "role": "admin"}
            assert request.post(path, form=given, max_redirects=0).status == 403, (name, path)
    with open_logins(portal.settings) as logins:
        assert logins.users.find("eve") is None
        assert logins.users.get("finance").disabled_at is None


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_for_administrators_alone_and_have_no_faults(path: str, as_: Open) -> None:
    admin = as_("admin")
    page = admin.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark" if PAGES.index(path) % 2 else "light")
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert faults(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    assert (admin.seen.problems, admin.seen.foreign) == ([], [])
    for name in ("sales", "analyst", "operations"):
        assert as_(name).context.request.get(path).status == 403, name


def test_the_policy_is_shown_with_its_lines(as_: Open, portal: Serving) -> None:
    page = as_("admin").page
    page.goto("/admin/roles")
    for name, role in load_policy(portal.settings).roles.items():
        text = page.locator(f"[data-role={name}]").inner_text()
        for rule in (*role.tables, *role.consoles, *role.exports, *role.sensitive):
            assert rule.text in text, (name, rule)
        assert f"policy.yaml:{role.line}" in text


def test_an_administrator_sees_the_shape_of_a_page_and_none_of_its_figures(as_: Open, portal_home: Settings) -> None:
    page = as_("admin").page
    page.goto("/admin/view?user=north_sales")
    expect(page.locator("#pages")).to_be_visible()
    text = page.locator("main").inner_text()
    for said in ("Total sales", "Figure withheld", "Net sales by region", "region: North"):
        assert said in text
    assert page.locator("[data-value]").count() == 0
    assert "40.00" not in page.content()
    row = page.locator("[data-table='warehouse.dim_product']")
    assert row.get_attribute("data-sight") == "part"
    expect(row).to_contain_text("unit_cost_amount")
    assert page.locator("[data-seen-kpi=revenue]").get_attribute("data-open") == "no"
    assert find(portal_home, Wanted(action="access view"))[-1].detail["seen_as"] == "north_sales"
    page.goto("/admin/view?role=operations&page=sales")
    expect(page.get_by_role("navigation", name="Pages that open").locator("[aria-current]")).to_have_text("Sales")
    for wrong in ("role=nothing", "user=nobody"):
        assert as_("admin").context.request.get(f"/admin/view?{wrong}").status == 404


def test_who_may_see_the_tables_too_sees_the_figures_as_the_other_would(portal_home: Settings) -> None:
    own = portal_home.home / "policy.yaml"
    policy = PACKAGED.read_text(encoding="utf-8")
    policy = policy.replace("consoles: [kpi, kpis, sql, releases", "consoles: [kpi, kpis, users", 1)
    own.write_text(policy, encoding="utf-8")
    try:
        (page, support) = asked(portal_home, "finance", "/admin/view?user=north_sales", "/admin/view?role=support")
    finally:
        own.unlink()
    assert re.search(r'class="figure" data-value="40\.00"', page.text)
    assert "Figure withheld" not in page.text
    assert "data-value" not in support.text
    assert "Figure withheld" in support.text


def test_tokens_of_all_users_are_listed_and_revoked(as_: Open, portal: Serving) -> None:
    import datetime as dt

    with open_logins(portal.settings) as logins:
        secret, token = logins.sign_ins.add_token("sales", ["kpis"], lasts=dt.timedelta(days=3))
    page = as_("admin").page
    page.goto("/admin/tokens")
    row = page.locator(f"[data-token='{token.token_id}']")
    expect(row).to_contain_text("sales")
    assert secret not in page.content()
    with portal.client(secret) as client:
        assert client.get("/v1/kpis").status_code == 200
        row.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(row).to_have_count(0)
        assert client.get("/v1/kpis").status_code == 401
    assert find(portal.settings, Wanted(action="tokens revoke"))[-1].detail["user"] == "sales"


def test_producers_get_a_key_once_and_lose_it(as_: Open, portal: Serving) -> None:
    page = as_("admin").page
    page.goto("/admin/producers")
    page.get_by_label("Name").fill("shop-web")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("alert")).to_contain_text("for nothing")
    page.get_by_label("Name").fill("shop-web")
    page.get_by_label("web_events").check()
    page.get_by_role("button", name="Make a key").click()
    key = page.locator(".secret").inner_text()
    (made,) = list_producers(portal.settings)
    assert made.fits(key)
    assert made.sources == ("web_events",)
    page.goto("/admin/producers")
    assert key not in page.content()
    page.locator("[data-producer=shop-web]").get_by_role("button").click()
    expect(page.locator("[data-producer=shop-web]")).to_contain_text("revoked")
    as_("admin").seen.problems.clear()


def test_german_administration(portal: Serving, browser: Browser) -> None:
    person = with_session(Person(browser, portal.url, "admin", locale="de-DE"), portal.settings)
    for path, words in (("/admin", "Benutzer anlegen"), ("/admin/view?role=sales", "Zahl zurückgehalten")):
        person.page.goto(path)
        assert words in person.page.locator("main").inner_text()
    assert person.seen.problems == []
    person.close()
