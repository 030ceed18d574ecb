"""Data health and the quarantine in a real browser: a late source, a failed release, a file that a person lands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from shoplake.audit.reading import Wanted, find
from shoplake.audit.recording import close_logs
from shoplake.errors import AuditFailed
from shoplake.lake.landing import land
from shoplake.pipeline import releases
from shoplake.pipeline.run import run
from shoplake.settings import Settings, load_settings
from tests.access.released import contacts, tills, write
from tests.portal.pages.conftest import Person, built, persons_at
from tests.portal.pages.looking import faults, width
from tests.portal.serving import Serving

pytestmark = pytest.mark.skipif(not built(), reason="npm's packages are not installed: call make setup")
SALES = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
PERSON, WORDS = 987654321, "WordsOfSomebody"
As = Callable[..., Person]


@pytest.fixture(scope="module")
def troubled(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give a home with a failed and a refused file, rows in quarantine, a restatement, and a release that failed."""
    folder = tmp_path_factory.mktemp("troubled")
    close_logs()
    shutil.copytree(released.home, folder / "home")
    settings = load_settings(folder / "home")
    bad = [f"B{n},1,1,x,9.5,0.5,1772400000" for n in range(2)]
    (folder / "bad.csv").write_text(SALES + "B9,1,1,1,9.5,0.5,1772400000\n" + "\n".join(bad) + "\n", encoding="utf-8")
    (folder / "unreadable.csv").write_text("no;header\n1;2\n", encoding="utf-8")
    land(settings, "pos", [folder / "bad.csv", folder / "unreadable.csv"])
    odd = contacts(9)[0] | {"customer_id": PERSON, "message_excerpt": WORDS, "rating": 77}
    many = [contacts(9)[0] | {"customer_id": n} for n in range(40)]
    land(settings, "interactions", [write(folder, "interactions", "odd", [*many, odd])])
    again = [row | {"revenue": 25.0} if row["store_id"] == 1 else row for row in tills(1)]
    land(settings, "pos", [write(folder, "pos", "day1", again)])
    good = releases.required(settings, None)
    table = good.tables["fct_interactions"]
    doubled = tuple(msgspec.structs.replace(p, files=p.files * 2) for p in table.partitions)
    tables = {**good.tables, "fct_interactions": msgspec.structs.replace(table, partitions=doubled)}
    releases.replace_manifest(settings, msgspec.structs.replace(good, tables=tables))
    with pytest.raises(AuditFailed):
        run(settings)
    releases.replace_manifest(settings, good)
    close_logs()
    return settings


@pytest.fixture(scope="module")
def serving(troubled: Settings) -> Iterator[Serving]:
    with Serving(troubled, "--no-collect", "--no-stream", log=troubled.home.parent / "service.log") as running:
        yield running


@pytest.fixture
def as_(serving: Serving, browser: Browser) -> Iterator[As]:
    """Give a function that gives a signed-in person at a browser of a kind."""
    with persons_at(serving, browser) as person:
        yield person


def fact(page: Page, name: str) -> tuple[str | None, str | None]:
    tile = page.locator(f"[data-fact={name}]")
    return tile.get_attribute("data-value"), tile.get_attribute("data-state")


def test_health_says_what_is_late_what_waits_what_failed_and_what_was_restated(as_: As) -> None:
    page = as_("data_engineer").page
    page.goto("/health")
    late = page.locator("[data-source=pos]")
    assert late.get_attribute("data-state") == "late"
    expect(late).to_contain_text("2 Mar 2026")
    assert late.locator(".bad").inner_text().startswith("by ")
    assert fact(page, "late") == ("4", "late")
    assert fact(page, "waiting") == ("2", "failed")
    assert page.locator("[data-source=products]").get_attribute("data-state") == "landed"
    failed, refused = (page.locator(f"tr[data-file='{name}.csv']") for name in ("bad", "unreadable"))
    expect(failed).to_contain_text("2 of 3 rows break a rule")
    expect(failed).to_contain_text("quantity:not_an_integer")
    assert refused.get_attribute("data-state") == "refused"
    failure = page.locator("[data-failure]")
    assert failure.get_attribute("data-failure") == "audit"
    twice = failure.locator("tr", has_text="counted once")
    expect(twice).to_contain_text("A landed row stands in the table twice")
    expect(twice).to_contain_text("interactions-day0.jsonl")
    assert fact(page, "release")[1] == "failed"
    outcomes = page.locator("tr[data-outcome]").evaluate_all("rows => rows.map(row => row.dataset.outcome)")
    assert outcomes[:2] == ["failed", "published"]
    restated = page.locator("tr[data-file='pos-day1.csv']")
    assert [float(v or "nan") for v in [restated.locator("[data-value]").get_attribute("data-value")]] == [30.0]
    assert page.locator("#daily-table tbody tr").count() == 30
    expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "yes")
    assert faults(page) == []


def test_the_chart_shows_a_source_and_a_figure_that_the_address_holds(as_: As) -> None:
    page = as_("data_engineer").page
    page.goto("/health")
    page.get_by_role("navigation", name="Days").get_by_role("link", name="Last 90 days").click()
    page.get_by_role("navigation", name="Figure").get_by_role("link", name="Quarantined").click()
    page.get_by_role("navigation", name="Source").get_by_role("link", name="interactions").click()
    page.wait_for_url("**/health?days=90&source=interactions&measure=quarantined*")
    heads = page.locator("#daily-table th[data-series]")
    assert [head.strip() for head in heads.all_text_contents()] == ["Quarantined"]
    last = page.locator("#daily-table tbody tr").last.locator("[data-value]")
    values = last.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
    assert values[2] == "1"
    first = page.locator("#daily-table tbody tr").first.locator("td")
    assert first.evaluate_all("cells => cells.map(cell => cell.dataset.value)") == [""] * 4
    request = page.context.request
    for wrong in ("days=7", "source=nothing", "measure=all"):
        assert request.get(f"/health?{wrong}").status == 400, wrong


def test_a_release_is_compared_with_the_one_before_for_those_who_may(as_: As, troubled: Settings) -> None:
    served = releases.required(troubled, None).release_id
    for name, status in (("data_engineer", 200), ("auditor", 200), ("privacy_officer", 403)):
        person = as_(name)
        assert person.context.request.get(f"/health/releases/{served}").status == status, name
        assert (f"/health/releases/{served}" in person.context.request.get("/health").text()) == (status == 200)
    page = as_("auditor").page
    page.goto(f"/health/releases/{served}")
    expect(page.locator("main")).to_contain_text("It is the oldest that is kept.")
    assert faults(page) == []


def test_only_who_may_use_a_page_opens_it(as_: As) -> None:
    for name, paths in (
        ("sales", ("/health", "/health/now", "/quarantine", "/quarantine/rows/1", "/audit")),
        ("auditor", ("/quarantine", "/quarantine/rows.csv")),
        ("admin", ("/audit/export/audit.csv",)),
    ):
        request = as_(name).context.request
        for path in paths:
            answered = request.get(path)
            assert answered.status == 403, (name, path)
            assert "Whom to ask: admin" in answered.text()


def test_the_quarantine_hides_persons_and_tells_why_and_where(as_: As, troubled: Settings) -> None:
    person = as_("data_engineer")
    page = person.page
    page.goto("/quarantine?source=interactions")
    row = page.locator("tr[data-row]")
    assert row.count() == 1
    expect(row).to_contain_text("rating:above_maximum")
    expect(row).to_contain_text("line 41")
    row.get_by_role("link").click()
    assert page.locator("[data-field=customer_id] .veil").inner_text() == "hidden: personal"
    assert page.locator("[data-field=rating] .veil").inner_text() == "digits: 2"
    for path in (page.url, f"{person.seen.base}/quarantine", f"{person.seen.base}/quarantine/rows.csv"):
        text = person.context.request.get(path).text()
        assert str(PERSON) not in text
        assert WORDS not in text
    assert faults(page) == []
    record = find(troubled, Wanted(action="quarantine show"))[-1]
    assert (record.actor, record.detail["hidden"], record.rows) == ("data_engineer", True, 1)
    assert person.context.request.get("/quarantine/rows/999999").status == 404
    assert person.context.request.get("/quarantine?day=nonsense").status == 400


def test_a_data_engineer_lands_the_good_rows_of_a_file_and_sees_what_that_did(as_: As, troubled: Settings) -> None:
    page = as_("data_engineer").page
    page.goto("/quarantine?source=pos")
    file = page.locator("tr[data-file='bad.csv']")
    file.get_by_role("button", name="Check again: bad.csv").click()
    assert page.locator("[data-replayed='bad.csv']").get_attribute("data-state") == "failed"
    file.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    file.get_by_role("button", name="Check again: bad.csv").focus()
    page.keyboard.press("Enter")
    done = page.locator("[data-replayed='bad.csv']")
    expect(done).to_have_attribute("data-state", "landed")
    assert done.locator("td.number").all_text_contents() == ["1", "0", "2"]
    expect(page.locator("tr[data-past]").first).to_contain_text("data_engineer")
    expect(page.locator("tr[data-past]").first).to_contain_text("good rows, however many are bad")
    assert faults(page) == []
    replayed = find(troubled, Wanted(action="quarantine replay", outcome="ok"))
    assert [(r.actor, r.role, r.rows) for r in replayed] == [("data_engineer", "data_engineer", n) for n in (0, 1)]
    page.goto("/health")
    assert fact(page, "waiting")[0] == "1"


def test_a_form_of_another_page_replays_nothing(as_: As) -> None:
    request = as_("data_engineer").context.request
    assert request.post("/quarantine/replay", form={"csrf": "guess", "source": "pos"}).status == 403
    assert request.post("/quarantine/replay", form={"csrf": "", "source": "pos"}).status == 403


@pytest.mark.parametrize(("scheme", "locale"), [("light", "de-DE"), ("dark", "en-GB")])
def test_a_phone_shows_it_without_sideways_scroll(as_: As, scheme: str, locale: str) -> None:
    size = {"width": 360, "height": 740}
    page = as_("data_engineer", viewport=size, color_scheme=scheme, locale=locale).page
    for path in ("/health?days=90", "/quarantine", "/quarantine/rows/1"):
        page.goto(path)
        assert width(page) <= size["width"], path
        assert faults(page) == [], path
        if locale == "de-DE":
            assert page.locator("h1").inner_text().split()[0] in {"Datenzustand", "Quarantäne", "Zeile"}


def test_the_bar_shows_every_place_and_the_present_one_where_it_is_narrow(as_: As) -> None:
    page = as_("data_engineer", viewport={"width": 1440, "height": 900}).page
    page.goto("/quarantine")
    bar = page.locator("nav.teams")
    assert bar.evaluate("bar => bar.scrollWidth - bar.clientWidth") == 0
    page.set_viewport_size({"width": 700, "height": 900})
    page.reload()
    expect(bar.locator("[aria-current]")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0


def test_a_release_reaches_an_open_page(as_: As, troubled: Settings, tmp_path: Path) -> None:
    (troubled.home / "settings.toml").touch()
    page = as_("data_engineer").page
    page.goto("/health")
    expect(page.locator("[data-failure]")).to_have_count(1)
    more = contacts(12)
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in more), encoding="utf-8")
    land(troubled, "interactions", [path])
    assert run(troubled).published
    expect(page.locator("[data-failure]")).to_have_count(0, timeout=60_000)
    expect(page.locator("tr[data-outcome]").first).to_have_attribute("data-outcome", "published")
