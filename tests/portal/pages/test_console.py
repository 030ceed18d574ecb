"""The SQL console in a real browser: what it offers, runs, shows, keeps and gives out, for whom it may."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from shoplake.access.login import open_logins
from shoplake.access.rights import Rights
from shoplake.audit.reading import Wanted, find
from shoplake.pipeline.releases import required
from shoplake.settings import Settings
from tests.access.released import COST, SOUTH, identities
from tests.portal.pages.conftest import Person, built, signed_in, with_session
from tests.portal.pages.test_pages import SLOW, Open, as_, faults
from tests.portal.serving import Serving
from tests.portal.test_sql import ENDLESS

__all__ = ["as_"]
pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")
STORES = "SELECT store_id, region, sale_date, net_amount FROM sales.mart_sales__store_day ORDER BY ALL"
CELLS = "rows => rows.map(row => [...row.cells].slice(1).map(cell => cell.textContent))"
ROWS = "#grid tbody tr:not(.space)"
Row = list[str]


def opened(person: Person, path: str = "/sql") -> Page:
    """Open the console, with its tables there."""
    page = person.page
    page.goto("about:blank")
    page.goto(path)
    expect(page.locator("#console[data-ready]")).to_be_attached()
    expect(page.locator("#tree")).not_to_have_attribute("aria-busy", "true")
    return page


def write(page: Page, sql: str) -> None:
    """Put a query into the editor as a person would, and leave it: completion then covers nothing."""
    page.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(sql)
    page.locator(".cm-content").blur()


def run(page: Page, sql: str, state: str = "ok") -> None:
    write(page, sql)
    page.locator(".cm-content").press("ControlOrMeta+Enter")
    expect(page.locator(f"#result[data-state={state}]")).to_be_visible(timeout=SLOW)


def rows_of(page: Page) -> list[Row]:
    found: list[Row] = page.locator(ROWS).evaluate_all(CELLS)
    return found


def problems(person: Person) -> list[str]:
    """Give what the browser complained of, beside the refusals that a test asked for."""
    return [one for one in person.seen.problems if "Failed to load resource" not in one] + person.seen.foreign


def until(check: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


@pytest.mark.parametrize("user", ["sales", "north_sales", "marketing", "analyst"])
def test_the_tree_holds_what_the_person_may_see_and_no_other_name(as_: Open, portal_home: Settings, user: str) -> None:
    who = next(identity for identity in identities(portal_home) if identity.name == user)
    shown = Rights.of(portal_home, who).narrowed(required(portal_home, None))
    expected = {f"{table.database}.{name}": set(table.columns) for name, table in shown.tables.items()}
    tree = as_(user).context.request.get("/sql/tree").text()
    page = opened(as_(user)) if user == "sales" else None
    for name, columns in expected.items():
        assert f'data-table="{name}"' in tree
        assert all(f'data-column="{column}"' in tree for column in columns)
    assert tree.count("data-table=") == len(expected)
    hidden = {name for name in required(portal_home, None).tables if name not in shown.tables}
    told = tree + (page.content() if page else "")
    assert [name for name in hidden if f"{name}" in told] == []
    assert ("unit_cost_amount" in tree) == (user == "analyst")
    assert str(COST) not in tree
    assert SOUTH not in tree


def test_completion_offers_tables_columns_functions_and_keywords_of_ones_own(as_: Open) -> None:
    page = opened(as_("sales"))
    options = page.locator(".cm-tooltip-autocomplete li")

    def offered(text: str) -> list[str]:
        write(page, "")
        page.locator(".cm-content").focus()
        page.keyboard.type(text)
        expect(options.first).to_be_visible(timeout=SLOW)
        return options.locator(".cm-completionLabel").all_inner_texts()

    assert {"mart_sales__store_day", "mart_sales__stock_now"} <= set(offered("SELECT * FROM mart_"))
    assert not [name for name in offered("SELECT * FROM mart_") if "finance" in name or "support" in name]
    offered("SELECT 1 FROM sales.mart_sales__store_day d WHERE d.net")
    expect(options.locator(".cm-completionLabel", has_text="net_amount").first).to_be_visible(timeout=SLOW)
    offered("SELECT count_")
    expect(options.locator(".cm-completionLabel", has_text="count_if").first).to_be_visible(timeout=SLOW)
    offered("SELECT 1 QUAL")
    expect(options.locator(".cm-completionLabel", has_text="QUALIFY").first).to_be_visible(timeout=SLOW)
    page.wait_for_timeout(200)  # the list takes no key in the moment in which it opens
    page.keyboard.press("Enter")
    expect(page.locator(".cm-content")).to_have_text("SELECT 1 QUALIFY")
    assert problems(as_("sales")) == []


def test_a_query_runs_by_keyboard_and_an_error_says_what_to_do(as_: Open, portal_home: Settings) -> None:
    person = as_("sales")
    page = opened(person)
    page.keyboard.press("Tab")  # to the way past the bar, and past it
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "editor", "the editor is the first thing after the bar"
    run(page, STORES)
    who = next(identity for identity in identities(portal_home) if identity.name == "sales")
    from shoplake.access.sql import query

    expected = [[str(value) for value in row] for row in query(portal_home, STORES, identity=who).rows]
    assert rows_of(page) == expected
    expect(page.locator("#said")).to_contain_text(f"{len(expected)} rows in")
    run(page, "SELECT unit_cost_amount FROM warehouse.dim_product", "failed")
    expect(page.locator("#problem")).to_contain_text("sensitive")
    expect(page.locator("#problem")).to_contain_text("shoplake access explain sales")
    assert page.locator(ROWS).count() == 0
    run(page, "DELETE FROM sales.mart_sales__store_day", "failed")
    expect(page.locator("#problem")).to_contain_text("Only one SELECT")
    run(page, "SELECT 1 WHERE false")
    expect(page.locator("#said")).to_contain_text("The query gives no rows.")
    assert faults(page) == []
    assert problems(person) == []


def test_a_long_query_is_cancelled_and_ends(as_: Open, portal_home: Settings) -> None:
    person = as_("sales")
    page = opened(person)
    write(page, ENDLESS)
    page.locator("#run").press("Enter")
    expect(page.locator("#clock")).to_contain_text("s")
    until(lambda: len(person.context.request.get("/v1/queries").json()) == 1)
    page.locator("#cancel").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result[data-state=cancelled]")).to_be_visible(timeout=SLOW)
    expect(page.locator("#said")).to_have_text("Cancelled. The query no longer runs.")
    assert page.evaluate("document.activeElement.id") == "run"
    until(lambda: person.context.request.get("/v1/queries").json() == [])
    (entry,) = [one for one in find(portal_home, Wanted(action="sql")) if one.detail.get("sql") == ENDLESS]
    assert (entry.actor, entry.outcome) == ("sales", "failed")
    run(page, "SELECT 42 AS answer")
    assert rows_of(page) == [["42"]]


def test_a_hundred_thousand_rows_scroll_with_few_of_them_in_the_page(as_: Open) -> None:
    person = as_("sales")
    page = opened(person)
    page.select_option("#limit", "100000")
    run(page, "SELECT range AS n, 'row ' || range AS words, NULL AS nothing FROM range(100000)")
    grid = page.get_by_role("grid", name="Result")
    assert grid.get_attribute("aria-rowcount") == "100001"
    expect(page.locator("#said")).to_contain_text("100,000 rows")
    box = page.locator(".grid")
    seen = set()
    for part in (0.25, 0.5, 0.75, 1):
        box.evaluate("(box, part) => { box.scrollTop = box.scrollHeight * part; }", part)
        expect(page.locator(f"{ROWS}[data-row]").first).not_to_have_attribute("data-row", "0")
        page.wait_for_function(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
        )
        assert page.locator(ROWS).count() < 80
        seen.add(page.locator(ROWS).first.get_attribute("data-row"))
    assert len(seen) == 4
    assert rows_of(page)[-1] == ["99999", "row 99999", "null"]
    grid.focus()
    page.keyboard.press("ControlOrMeta+Home")
    expect(page.locator("[data-here]")).to_have_text("0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageDown")
    active = grid.get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").inner_text().startswith("row ")
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".cell-view")).to_have_text("words 100000: row 99999")
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("ControlOrMeta+c")
    expect(page.locator("#said")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "row 99999"
    assert page.locator(ROWS).count() < 80
    assert faults(page) == []
    assert problems(person) == []


def test_a_query_is_shared_with_its_role_runs_with_the_readers_rights_and_is_the_authors_alone(as_: Open) -> None:
    author, reader, other = as_("sales"), as_("north_sales"), as_("marketing")
    page = opened(author)
    for name, is_shared in (("My own", False), ("All stores", True)):
        write(page, STORES)
        page.locator("#save").click()
        page.fill("#saving-name", name)
        page.locator("#saving-shared").set_checked(is_shared)
        page.locator("#saving-new").click()
        expect(page.locator("#saving")).to_be_hidden()
    page.locator("[data-tab=saved]").click()
    expect(page.locator("#saved .pick")).to_have_text(["All stores", "My own"])
    assert faults(page) == []
    query_id = page.locator("#saved li").first.get_attribute("data-query") or ""
    its = opened(reader)
    its.locator("[data-tab=saved]").click()
    expect(its.locator("#saved .pick")).to_have_text(["All stores"])
    expect(its.locator("#saved li")).to_contain_text("by sales · shared with sales")
    expect(its.locator("#saved .danger")).to_have_count(0)
    its.locator("#saved .pick").click()
    expect(its.locator(".cm-content")).to_have_text(STORES)
    assert its.url.endswith(f"/sql?query={query_id}")
    its.keyboard.press("ControlOrMeta+Enter")
    expect(its.locator("#result[data-state=ok]")).to_be_visible(timeout=SLOW)
    assert {row[1] for row in rows_of(its)} == {"North"}
    csrf = reader.context.request.get("/v1/me").json()["csrf_token"]
    changing: dict[str, Any] = {"headers": {"x-csrf-token": csrf}, "data": {"name": "Taken", "sql": "SELECT 1"}}
    assert reader.context.request.put(f"/v1/saved-queries/{query_id}", **changing).status == 404
    assert reader.context.request.delete(f"/v1/saved-queries/{query_id}", **changing).status == 404
    assert other.context.request.get("/v1/saved-queries").json() == []
    assert other.context.request.get(f"/sql?query={query_id}").status == 404
    page = opened(author, f"/sql?query={query_id}")
    page.locator("#save").click()
    page.fill("#saving-name", "Every store")
    page.locator("#saving-change").click()
    expect(page.locator("#saving")).to_be_hidden()
    page.locator("[data-tab=saved]").click()
    expect(page.locator("#saved .pick")).to_have_text(["Every store", "My own"])
    for _ in range(2):
        for _ in range(2):
            page.locator("#saved .danger").first.click()
        expect(page.locator("#saved .danger[data-sure]")).to_have_count(0)
    expect(page.locator("#saved li")).to_contain_text(["Nothing is saved yet."])
    assert reader.context.request.get("/v1/saved-queries").json() == []


def test_the_history_is_ones_own_and_can_be_cleared(as_: Open, portal_home: Settings) -> None:
    person, other = as_("support"), as_("marketing")
    page = opened(person)
    page.locator("[data-tab=history]").click()
    run(page, "SELECT 'MARKER of support' AS words")
    run(page, "SELECT nothing", "failed")
    until(lambda: len(person.context.request.get("/v1/query-history").json()) == 2)
    page.locator("[data-tab=tables]").click()
    page.locator("[data-tab=history]").click()
    expect(page.locator("#history code")).to_have_text(["SELECT nothing", "SELECT 'MARKER of support' AS words"])
    expect(page.locator("#history small").first).to_contain_text("failed")
    expect(page.locator("#history small").last).to_contain_text("1 row")
    assert other.context.request.get("/v1/query-history").json() == []
    page.locator("#history .pick").last.click()
    expect(page.locator(".cm-content")).to_have_text("SELECT 'MARKER of support' AS words")
    page.locator("#forget").click()
    expect(page.locator("#history li")).to_have_text(["You have not asked anything here yet."])
    assert "MARKER" not in (portal_home.home.parent / "service.log").read_text(encoding="utf-8")
    kept = [one for one in find(portal_home, Wanted(text="MARKER of support")) if one.action != "sql"]
    assert kept == [], "the audit log has the query as what was asked, and nowhere else"


def test_files_hold_what_is_on_the_screen_and_are_on_record(as_: Open, portal_home: Settings, tmp_path: Path) -> None:
    person = as_("sales")
    page = opened(person)
    run(page, f"SELECT * FROM ({STORES}) WHERE net_amount > 0")
    shown = rows_of(page)
    heads = page.locator("#grid thead th[title]").evaluate_all("heads => heads.map(head => head.title)")

    def saved(kind: str) -> bytes:
        with page.expect_download() as loading:
            page.locator(f"[data-file={kind}]").click()
        file = tmp_path / loading.value.suggested_filename
        loading.value.save_as(file)
        assert file.suffix == f".{kind}"
        return file.read_bytes()

    header, *rows = csv.reader(io.StringIO(saved("csv").decode(), newline=""))
    assert (header, rows) == (heads, shown)
    sheet = list(load_workbook(io.BytesIO(saved("xlsx"))).worksheets[0].iter_rows(values_only=True))
    assert [[row[0], row[1], float(str(row[3]))] for row in sheet[1:]] == [
        [int(row[0]), row[1], float(row[3])] for row in shown
    ]
    table = pq.read_table(io.BytesIO(saved("parquet"))).to_pylist()
    assert [[str(value) for value in row.values()] for row in table] == shown
    records = [one for one in find(portal_home, Wanted(action="sql", user="sales")) if one.detail.get("is_export")]
    assert [one.detail["format"] for one in records[-3:]] == ["csv", "xlsx", "parquet"]
    assert {one.rows for one in records[-3:]} == {len(shown)}
    assert problems(person) == []


def test_who_may_not_export_sees_pages_and_has_no_files(as_: Open) -> None:
    page = opened(as_("support"))
    assert page.locator("#limit option").all_inner_texts() == ["1,000"]
    run(page, "SELECT range AS n FROM range(3000)")
    expect(page.locator("#said")).to_contain_text("only the first 1,000 are shown")
    expect(page.locator("#said")).to_contain_text("need the right to export")
    assert page.locator("[data-file]").count() == 0


def test_a_result_is_drawn_from_a_table_that_says_the_same(as_: Open) -> None:
    person = as_("sales")
    page = opened(person)
    run(page, "SELECT region, sum(net_amount) AS net, sum(units) AS units FROM sales.mart_sales__store_day GROUP BY 1")
    page.locator("#draw").click()
    expect(page.locator("#chart-place [data-drawn]")).to_be_visible(timeout=SLOW)
    page.get_by_role("checkbox", name="units").check()
    expect(page.locator("#chart-place [data-drawn] svg text", has_text="units").first).to_be_visible(timeout=SLOW)
    page.locator("#chart-place summary").click()
    twin = page.locator("#chart-table tbody tr").evaluate_all(
        "rows => rows.map(r => [...r.cells].map(c => c.textContent))"
    )
    assert twin == rows_of(page)
    page.select_option("#kind", "line")
    expect(page.locator("#chart-place [data-chart=line][data-drawn]")).to_be_visible(timeout=SLOW)
    assert faults(page) == []
    assert problems(person) == []


def test_a_link_holds_the_query_where_no_server_reads_it(as_: Open) -> None:
    person = as_("sales")
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = opened(person)
    write(page, "SELECT 'ä & #' AS words")
    page.locator("#link").click()
    expect(page.locator("#said")).to_have_text("The link is copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert "#sql=" in link
    opened(person, link)
    expect(page.locator(".cm-content")).to_have_text("SELECT 'ä & #' AS words")
    page.locator("#tree [data-table]").first.locator("summary").click()
    page.locator("[data-look]").first.click()
    expect(page.locator("#result[data-state=ok]")).to_be_visible(timeout=SLOW)
    page.fill("#find", "net_amount")
    expect(page.locator("[data-column=net_amount]").first).to_be_visible()
    page.fill("#find", "no such thing")
    expect(page.locator("#no-match")).to_have_text("No table or column has such a name.")


def test_without_scripts_a_form_gives_a_table_and_files(as_: Open) -> None:
    request = as_("sales").context.request
    plain = request.get("/sql?plain=1").text()
    csrf = plain.partition('name="csrf" value="')[2].partition('"')[0]
    assert "mart_sales__store_day" in plain
    assert "<script" in plain, "the bar's own"
    assert "editor" not in plain.partition("</main>")[2]
    answered = request.post("/sql", form={"csrf": csrf, "sql": STORES})
    assert answered.status == 200
    assert answered.text().count("<tr>") == 5
    assert ">10.00<" in answered.text() or ">20.00<" in answered.text()
    file = request.post("/sql", form={"csrf": csrf, "sql": STORES, "format": "csv"})
    assert len(list(csv.reader(io.StringIO(file.text())))) == 5
    wrong = request.post("/sql", form={"csrf": csrf, "sql": "SELECT nothing"})
    assert (wrong.status, "nothing" in wrong.text(), "The query failed" in wrong.text()) == (400, True, True)
    assert request.post("/sql", form={"csrf": csrf, "sql": " "}).status == 400
    assert request.post("/sql", form={"csrf": "guess", "sql": "SELECT 1"}).status == 403


def test_a_phone_a_dark_room_and_german(portal: Serving, browser: Browser) -> None:
    how: dict[str, Any] = {"viewport": {"width": 360, "height": 780}, "color_scheme": "dark", "locale": "de-DE"}
    person = with_session(Person(browser, portal.url, "sales", **how), portal.settings)
    page = opened(person)
    run(page, "SELECT * FROM sales.mart_sales__product_day")
    page.locator("#draw").click()
    page.locator("#tree [data-table]").first.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.get_by_role("button", name="Ausführen")).to_be_visible()
    text = page.locator("main").inner_text()
    assert "Zeilen in" in text
    assert "Columns" not in text
    assert faults(page) == []
    assert problems(person) == []
    person.close()


def test_only_the_console_loads_the_editor(as_: Open, portal: Serving, browser: Browser) -> None:
    assert "editor." not in as_("sales").context.request.get("/sales").text()
    with open_logins(portal.settings) as logins:
        assert logins.users.find("auditor") is not None
    refused = signed_in({}, portal, browser, "auditor")
    assert refused.context.request.get("/sql").status == 403
    refused.close()
