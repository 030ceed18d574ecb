"""The audit log in a real browser: who saw a table, one record in full, files, a log that somebody has changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from shoplake.access.login import open_logins
from shoplake.audit.entry import Actor, acting_as, new_entry
from shoplake.audit.reading import Wanted, find
from shoplake.audit.recording import close_logs, write
from shoplake.audit.segments import chain_folders, segment_path
from shoplake.home import HomePaths
from shoplake.settings import Settings
from tests.portal.pages.conftest import Person, built, persons_at
from tests.portal.pages.looking import faults, width
from tests.portal.serving import Serving

pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")
TABLE = "sales.mart_sales__store_day"
SEEN = "c_00000000deadbeef"
As = Callable[..., Person]


@pytest.fixture(scope="module")
def watched(module_home: Settings) -> Settings:
    """Give a home with an auditor, an administrator, and people who looked at things."""
    with open_logins(module_home) as logins:
        for role in ("auditor", "admin", "sales", "data_engineer"):
            logins.users.add(role, role, {}, "unset")
    for name, number in (("ada", 60), ("bob", 3)):
        with acting_as(Actor(name, "sales" if name == "ada" else "analyst")):
            for n in range(number):
                known = {"kpi": "total_sales"} if n % 2 else {"sql": f"select {n}"}
                write(module_home, new_entry("kpi" if n % 2 else "sql", tables=[TABLE], rows=n, **known))
            if name == "bob":
                write(module_home, new_entry("kpi export", tables=["x.y"], persons=[SEEN], outcome="failed"))
    close_logs()
    return module_home


@pytest.fixture(scope="module")
def serving(watched: Settings) -> Iterator[Serving]:
    with Serving(watched, "--no-collect", "--no-stream", log=watched.home.parent / "service.log") as running:
        yield running


@pytest.fixture
def as_(serving: Serving, browser: Browser) -> Iterator[As]:
    """Give a function that gives a signed-in person at a browser of a kind."""
    with persons_at(serving, browser) as person:
        yield person


def actors(person: Person) -> list[str]:
    found: list[str] = person.page.locator("tr[data-actor]").evaluate_all("rows => rows.map(r => r.dataset.actor)")
    return found


def test_a_search_finds_who_saw_a_table_page_by_page(as_: As, watched: Settings) -> None:
    person = as_("auditor")
    page = person.page
    page.goto("/audit")
    page.fill("[name=table]", TABLE)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/audit?table={TABLE}")
    assert actors(person) == ["bob"] * 3 + ["ada"] * 47
    page.get_by_role("link", name="Older").click()
    assert actors(person) == ["ada"] * 13
    page.get_by_role("link", name="Newest").click()
    page.select_option("[name=role]", "analyst")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/audit?*role=analyst*")
    assert actors(person) == ["bob"] * 3
    assert faults(page) == []
    record = find(watched, Wanted(action="audit search"))[-1]
    assert (record.actor, record.detail, record.rows) == (
        "auditor",
        {"asked_role": "analyst", "asked_table": TABLE},
        3,
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user=bob", ["bob"] * 4),
        (f"person={SEEN}", ["bob"]),
        ("kpi=total_sales&user=bob", ["bob"]),
        ("kind=export", ["bob"]),
        ("outcome=failed", ["bob"]),
        ("text=SELECT%202&user=bob", ["bob"]),
        ("action=kpi%20export", ["bob"]),
        ("to=2020-01-01", []),
        ("release=20200101T000000Z-000000", []),
    ],
)
def test_records_are_narrowed_by_what_they_say(as_: As, query: str, expected: list[str]) -> None:
    person = as_("auditor")
    person.page.goto(f"/audit?{query}")
    assert [name for name in actors(person) if name in {"ada", "bob"}] == expected
    if not expected:
        expect(person.page.locator("[data-records='0']")).to_contain_text("Nothing in the log is like this.")


def test_one_record_is_shown_in_full(as_: As) -> None:
    page = as_("auditor").page
    page.goto(f"/audit?person={SEEN}")
    page.locator("tr[data-action='kpi export'] a").click()
    page.wait_for_url("**/audit/records/*")
    expect(page.locator("main")).to_contain_text(SEEN)
    expect(page.locator("h1")).to_contain_text("failed")
    assert faults(page) == []
    page.locator("main").get_by_role("link", name="x.y").click()
    page.wait_for_url("**/audit?table=x.y")
    request = page.context.request
    assert request.get("/audit/records/9-9-9").status == 404
    for wrong in ("from=yesterday", "kind=all", "before=1-2"):
        assert request.get(f"/audit?{wrong}").status == 400, wrong


def test_records_leave_as_a_file_by_the_right_to_export_alone(as_: As, watched: Settings) -> None:
    request = as_("auditor").context.request
    lines = request.get("/audit/export/audit.jsonl?user=bob").text().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["sql", "kpi", "sql", "kpi export"]
    rows = list(csv.DictReader(io.StringIO(request.get("/audit/export/audit.csv?user=bob").text())))
    assert [row["actor"] for row in rows] == ["bob"] * 4
    assert json.loads(rows[0]["tables"]) == [TABLE]
    assert request.get("/audit/export/audit.xlsx").status == 404
    assert find(watched, Wanted(action="audit export", user="auditor"))[-1].rows == 4
    admin = as_("admin").context.request
    assert admin.get("/audit/export/audit.csv?user=bob").status == 403
    assert "/audit/export/" not in admin.get("/audit").text()
    for name in ("sales", "data_engineer"):
        assert as_(name).context.request.get("/audit").status == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_sideways_scroll(as_: As, scheme: str) -> None:
    size = {"width": 360, "height": 740}
    page = as_("auditor", viewport=size, color_scheme=scheme, locale="de-DE").page
    page.goto("/audit?user=bob")
    assert width(page) <= size["width"]
    expect(page.locator("main")).to_contain_text("Ist das Protokoll vollständig?")
    assert faults(page) == []
    page.locator("tr[data-actor] a").first.click()
    assert width(page) <= size["width"]
    assert faults(page) == []


def test_a_whole_log_is_said_whole_and_one_that_was_changed_broken(as_: As, watched: Settings) -> None:
    person = as_("auditor")
    page = person.page
    page.goto("/audit")
    page.get_by_role("button", name="Check it now").click()
    expect(page.locator("[data-whole]")).to_have_attribute("data-whole", "yes")
    assert page.locator(".chain").get_attribute("data-findings") == "0"
    path = segment_path(chain_folders(HomePaths(watched.home).audit)[0], 1)
    kept = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(700)
        byte = file.read(1)
        file.seek(700)
        file.write(bytes([byte[0] ^ 1]))
    page.get_by_role("button", name="Check it now").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-whole]")).to_have_attribute("data-whole", "no")
    assert page.locator("tr[data-finding]").count() >= 1
    assert faults(page) == []
    page.goto("/audit")
    assert int(page.locator(".chain").get_attribute("data-findings") or 0) >= 1
    expect(page.locator(".chain .mark")).to_have_text("broken")
    assert len(kept) > 700
    assert person.context.request.post("/audit/verify", form={"csrf": "guess"}).status == 403
