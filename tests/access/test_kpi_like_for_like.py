"""Windows, and the comparison of a running day: an earlier day cut at noon is what was known at that noon."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from shoplake.access.kpi_definition import load_kpis
from shoplake.access.kpi_window import Clock, Window
from shoplake.errors import InputError
from shoplake.pipeline.manifest import AuditCounts, Manifest
from tests.access.conftest import KpiLab, printed
from tests.warehouse.lab import Compiled, Lab, Row

FIRST = dt.datetime(2026, 3, 2)
LAST_NOON = FIRST + dt.timedelta(days=5, hours=12)
CUT = LAST_NOON - dt.timedelta(days=2)


def test_the_default_window_is_thirty_days_up_to_the_business_day_of_the_watermark() -> None:
    clock = Clock(release("Pacific/Auckland", pos=dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)))
    assert clock.window(["pos"], None, None) == Window(dt.date(2026, 2, 1), dt.date(2026, 3, 2))


def test_of_several_sources_the_one_that_reaches_least_far_ends_the_window() -> None:
    clock = Clock(release("UTC", pos=FIRST, inventory=FIRST - dt.timedelta(days=3)))
    assert clock.window(["pos", "inventory", "web_events"], None, None).last == dt.date(2026, 2, 27)


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    clock = Clock(release("UTC", pos=FIRST))
    with pytest.raises(InputError, match="before it starts"):
        clock.window(["pos"], dt.date(2026, 3, 2), dt.date(2026, 3, 1))
    with pytest.raises(InputError, match="latest is of 2026-03-02"):
        clock.window(["pos"], dt.date(2026, 3, 3), None)


def test_a_running_day_is_cut_at_the_same_wall_time_across_a_clock_change() -> None:
    """Berlin went to summer time on 29 March 2026: 15:30 was 13:30 UTC after, and 14:30 UTC before."""
    mark = dt.datetime(2026, 3, 29, 13, 30, tzinfo=dt.UTC)
    clock = Clock(release("Europe/Berlin", pos=mark, created_at=mark + dt.timedelta(hours=1)))
    sight = clock.earlier(["pos"], Window(dt.date(2026, 3, 28), dt.date(2026, 3, 29)))
    assert sight.cut == {"pos": dt.datetime(2026, 3, 27, 14, 30)}
    assert sight.is_running


def test_a_source_that_has_nothing_of_the_running_day_yet_has_nothing_of_the_earlier_one() -> None:
    marks = {"pos": FIRST - dt.timedelta(hours=3), "inventory": FIRST + dt.timedelta(hours=9)}
    clock = Clock(release("UTC", **marks, created_at=FIRST + dt.timedelta(hours=10)))
    sight = clock.earlier(["pos"], Window(FIRST.date(), FIRST.date()))
    midnight = FIRST - dt.timedelta(days=1)
    assert sight.cut == {
        "pos": midnight - dt.timedelta(microseconds=1),
        "inventory": midnight + dt.timedelta(hours=9),
    }


def test_a_past_window_is_not_cut() -> None:
    clock = Clock(release("UTC", pos=FIRST, created_at=FIRST + dt.timedelta(days=1)))
    sight = clock.earlier(["pos"], Window(FIRST.date(), FIRST.date()))
    assert not sight.is_running


@pytest.fixture(scope="module")
def running(mart_project: Compiled) -> KpiLab:
    """Six days of every source, up to the noon of the last, which is still running."""
    return filled(mart_project, LAST_NOON)


@pytest.fixture(scope="module")
def as_it_was(mart_project: Compiled) -> KpiLab:
    """The same files, as far as they reached two days earlier."""
    return filled(mart_project, CUT)


@pytest.mark.parametrize("kpi", load_kpis().values(), ids=lambda kpi: kpi.name)
def test_the_earlier_window_is_what_was_known_at_the_same_time_of_its_last_day(
    kpi: Any, running: KpiLab, as_it_was: KpiLab
) -> None:
    for definition in kpi.definitions:
        now = printed(running.ask(kpi.name, from_="2026-03-06", to="2026-03-07", definition=definition))
        then = printed(as_it_was.ask(kpi.name, from_="2026-03-04", to="2026-03-05", definition=definition))
        assert then["total"]["value"] is not None
        assert now["total"]["previous"] == pytest.approx(then["total"]["value"], rel=1e-9)


@pytest.mark.parametrize("name", [kpi.name for kpi in load_kpis().values() if kpi.dimensions.keys() - {"day"}])
def test_the_groups_of_the_earlier_window_are_cut_as_the_total_is(
    name: str, running: KpiLab, as_it_was: KpiLab
) -> None:
    dimension = next(one for one in load_kpis()[name].dimensions if one != "day")
    now = printed(running.ask(name, from_="2026-03-06", to="2026-03-07", by=[dimension]))["rows"]
    then = printed(as_it_was.ask(name, from_="2026-03-04", to="2026-03-05", by=[dimension]))["rows"]
    known = {row[dimension]: row["value"] for row in then}
    assert any(value is not None for value in known.values())
    assert [row["previous"] for row in now] == [near(known.get(row[dimension])) for row in now]


def near(value: Any) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-9)


def release(timezone: str, *, created_at: dt.datetime | None = None, **marks: dt.datetime) -> Manifest:
    made = created_at or dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    return Manifest("r", made, 1, timezone, "v", marks, None, {}, AuditCounts(0, 0))


def filled(project: Compiled, until: dt.datetime) -> KpiLab:
    """Land what a fixed chance made up to an instant; each source has an event at every noon."""
    kpis = KpiLab(Lab(project), created_at=(LAST_NOON + dt.timedelta(minutes=5)).replace(tzinfo=dt.UTC))
    for source, rows in made_up().items():
        column = "last_updated" if source == "inventory" else "timestamp"
        kpis.land(source, [row for row in rows if column not in row or row[column] <= until])
    return kpis


def made_up() -> dict[str, list[Row]]:
    chance = random.Random(7)  # noqa: S311 - a fixed world, not a secret
    rows: dict[str, list[Row]] = {"pos": [], "inventory": [], "interactions": [], "web_events": []}
    for hour in range(0, 6 * 24, 2):
        for source, found in rows.items():
            at = FIRST + dt.timedelta(hours=hour)
            moments = [at, at + dt.timedelta(minutes=chance.randrange(1, 90))]
            found += [MAKERS[source](chance, moment, len(found) + n) for n, moment in enumerate(moments)]
    rows["products"] = [
        {"product_id": n, "name": f"P{n}", "category": "ABC"[n], "brand": "X", "unit_cost": n + 0.5, "list_price": 9.0}
        for n in range(3)
    ]
    rows["stores"] = [
        {"store_id": n, "name": f"S{n}", "region": "North", "country": "DE", "warehouse_id": n} for n in range(2)
    ]
    return rows


def sale(chance: random.Random, at: dt.datetime, number: int) -> Row:
    row = {"transaction_id": f"t{number // 2}", "store_id": chance.randrange(2), "product_id": chance.randrange(3)}
    revenue = chance.randrange(100, 900) / 100
    return row | {"quantity": chance.randrange(1, 4), "revenue": revenue, "discount_applied": None, "timestamp": at}


def count(chance: random.Random, at: dt.datetime, number: int) -> Row:
    pair = {"inventory_id": number, "product_id": chance.randrange(3), "warehouse_id": chance.randrange(2)}
    level = chance.choice([-1, 0, 1, 4, 9])
    return pair | {"stock_level": level, "restock_threshold": chance.choice([2, None]), "last_updated": at}


def contact(chance: random.Random, at: dt.datetime, _: int) -> Row:
    kind = chance.choice(["Feedback", "Loyalty", "Complaint", "Complaint"])
    row = {"customer_id": f"c{chance.randrange(6)}", "interaction_type": kind, "channel": chance.choice(["App", None])}
    return row | {"rating": chance.choice([None, 1, 3, 5]), "message_excerpt": None, "timestamp": at}


def event(chance: random.Random, at: dt.datetime, _: int) -> Row:
    row = {"session_id": f"s{chance.randrange(4)}", "user_id": chance.choice([None, "c1", "c2"]), "page": "/"}
    kind = chance.choice(["View", "Click", "Scroll", None])
    return row | {"device_type": chance.choice(["Mobile", None]), "browser": None, "event_type": kind, "timestamp": at}


MAKERS = {"pos": sale, "inventory": count, "interactions": contact, "web_events": event}
