"""A search goes back from the newest record, page by page, over all chains and segments, and stops when time is out."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from shoplake.audit import search as searching
from shoplake.audit.entry import Actor, acting_as, new_entry
from shoplake.audit.kinds import KINDS, kind_of
from shoplake.audit.log import AuditLog
from shoplake.audit.reading import Wanted, find
from shoplake.audit.recording import close_logs
from shoplake.audit.search import Address, Found, record, search
from shoplake.audit.segments import chain_folders, numbers
from shoplake.errors import InputError, NotFoundError
from shoplake.home import HomePaths
from shoplake.settings import Settings

PEOPLE = ("ada", "bob", "cleo")
ACTIONS = ("kpi", "sql", "kpi export", "quarantine replay")
LONG = 60.0


@pytest.fixture
def filled(make_home: Callable[..., Settings]) -> Settings:
    """Give a home whose log two writers have filled in turns, in several segments each."""
    settings = make_home(audit_segment_bytes=4096)
    close_logs()
    logs = [AuditLog(settings), AuditLog(settings)]
    for number in range(120):
        with acting_as(Actor(PEOPLE[number % 3], "sales")):
            known = {"kpi": "total_sales"} if number % 2 == 0 else {"tables": ["sales.mart_sales__store_day"]}
            entry = new_entry(ACTIONS[number % 4], number=number, persons=[f"c_{number % 5:016x}"], **known)
            logs[number % 7 == 0].write(entry)
    for log in logs:
        log.close()
    folders = chain_folders(HomePaths(settings.home).audit)
    assert min(len(numbers(folder)) for folder in folders.values()) >= 2
    return settings


def told(found: Found) -> list[int | None]:
    return [one.entry.detail.get("number") for one in found.records]


def pages(settings: Settings, wanted: Wanted, limit: int, seconds: float = LONG) -> list[Found]:
    found = [search(settings, wanted, limit=limit, seconds=seconds)]
    while not found[-1].is_complete:
        found.append(search(settings, wanted, limit=limit, seconds=seconds, before=found[-1].next))
        assert len(found) < 1_000
    return found


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(user="ada"),
        Wanted(action="kpi"),
        Wanted(role="sales", kpi="total_sales"),
        Wanted(table="mart_sales__store_day", user="bob"),
        Wanted(person="c_0000000000000003"),
        Wanted(kind="export"),
        Wanted(kind="change", outcome="ok"),
        Wanted(text='"NUMBER":11'),
        Wanted(first=dt.datetime.now(dt.UTC).date(), last=dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)),
        Wanted(outcome="failed"),
        Wanted(last=dt.date(2020, 1, 1)),
    ],
    ids=str,
)
def test_pages_hold_together_what_the_whole_log_holds_the_newest_first(filled: Settings, wanted: Wanted) -> None:
    expected = sorted((entry.at, str(entry.detail)) for entry in find(filled, wanted))
    for limit in (7, 1_000):
        found = [one for page in pages(filled, wanted, limit) for one in page.records]
        assert sorted((one.entry.at, str(one.entry.detail)) for one in found) == expected
        assert all(newer.address > older.address for newer, older in pairwise(found))


def test_a_search_that_runs_out_of_time_says_how_far_it_came_and_goes_on_from_there(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOOKED_EVERY", 5)
    monkeypatch.setattr(searching, "DISORDER", 0)
    wanted = Wanted(user="cleo")
    first, *rest = found = pages(filled, wanted, 1_000, seconds=0)
    assert rest
    assert first.reaches is not None
    assert all(one.address.at > first.reaches for one in first.records)
    assert [number for page in found for number in told(page)] == list(range(119, -1, -3))


def test_segments_of_other_times_are_not_read(filled: Settings) -> None:
    whole = search(filled, Wanted(), limit=1_000, seconds=LONG)
    newest = search(filled, Wanted(), limit=3, seconds=LONG)
    assert told(newest) == told(whole)[:3]
    assert search(filled, Wanted(last=dt.date(2020, 1, 1)), limit=3, seconds=LONG).looked_at == 0


def test_a_record_has_an_address_of_its_own(filled: Settings) -> None:
    for one in search(filled, Wanted(), limit=200, seconds=LONG).records[::17]:
        assert record(filled, one.address.name) == one
        assert Address.read(one.address.mark) == one.address
    for name in ("", "1-2", "0-1-99999", "77-1-1", "../1-1", "a-b-c"):
        with pytest.raises(NotFoundError):
            record(filled, name)
    for mark in ("x", "1-2-3", f"{'9' * 30}-1-1-1"):
        with pytest.raises(InputError):
            search(filled, Wanted(), limit=1, seconds=LONG, before=mark)


def test_every_kind_has_its_actions() -> None:
    kinds = {name: kind_of(new_entry(name)) for name in ("kpi", "kpi export", "sign in", "users add", "land batch")}
    assert tuple(kinds.values()) == KINDS[:1] + KINDS[1:2] + KINDS[2:3] + KINDS[3:4] + KINDS[4:]
    assert kind_of(new_entry("keys status")) == "look"
    assert kind_of(new_entry("quarantine replay", outcome="begun")) == "change"


@pytest.mark.proof
def test_what_a_search_costs_for_a_million_records(
    make_home: Callable[..., Settings], record_proof: Callable[[str, str], None]
) -> None:
    from bench.audit_search import fill

    settings = make_home()
    fill(settings, 1_000_000)
    lines = []
    for words, wanted in (("the newest page", Wanted()), ("a user who is in no record", Wanted(user="nobody"))):
        started, spent = time.perf_counter(), time.process_time()
        found = search(settings, wanted, limit=50, seconds=600)
        lines.append(
            f"- {words}: {time.perf_counter() - started:.2f} s, {time.process_time() - spent:.2f} s of a processor, "
            f"{found.looked_at:,} records opened"
        )
        assert found.is_complete or found.records
    record_proof("audit-search", "\n".join(lines))
