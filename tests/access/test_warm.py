"""A process that answers many keeps sessions and answers, and none of them a moment too long."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shoplake.access import kpi as kpi_module
from shoplake.access import warm as keeping
from shoplake.access.identity import Identity
from shoplake.access.kpi import KpiAnswer, answer, answer_all, load_kpis
from shoplake.access.kpi_query import Query
from shoplake.access.policy import PACKAGED
from shoplake.access.warm import Warm
from shoplake.audit.reading import Wanted, find
from shoplake.errors import AccessDenied
from shoplake.lake.landing import land
from shoplake.pipeline.rotation import rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.access.released import SOUTH, contacts, land_day, tills, visits, write

SALES = Identity("sales", "sales")
OWNER = Identity("data_engineer", "data_engineer")
NORTH = Identity("north_sales", "sales", {"region": ("North",)})


def ask(settings: Settings, warm: Warm | None, who: Identity = SALES, **asked: Any) -> KpiAnswer:
    return answer(settings, "total_sales", identity=who, warm=warm, **asked)


def test_what_is_known_is_what_would_be_made_and_is_on_record_alike(own_released: Settings) -> None:
    warm = Warm(own_released)
    for who in (SALES, NORTH, SALES):
        for asked in ({"by": ["region"]}, {"by": ["region"], "where": {"region": "North"}}, {"definition": "gross"}):
            made, known = ask(own_released, None, who, **asked), ask(own_released, warm, who, **asked)
            assert ask(own_released, warm, who, **asked) == known == made
            first, *others = find(own_released, Wanted(action="kpi"))[-3:]
            for entry in others:
                assert (entry.tables, entry.rows, entry.result_bytes) == (first.tables, first.rows, first.result_bytes)
                assert entry.keys == first.keys
    assert SOUTH in ask(own_released, warm, SALES, by=["region"]).json
    assert SOUTH not in ask(own_released, warm, NORTH, by=["region"]).json
    one_by_one = {found.kpi: found.total for found in answer_all(own_released, identity=NORTH)}
    for _ in range(2):
        assert {found.kpi: found.total for found in answer_all(own_released, identity=NORTH, warm=warm)} == one_by_one
    warm.close()


def test_it_keeps_a_few_sessions_and_answers_only(own_released: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_SESSIONS", 2)
    monkeypatch.setattr(keeping, "MOST_ANSWERS", 3)
    warm, last = Warm(own_released), dt.date(2026, 3, 2)
    days = [last - dt.timedelta(days=40 * number) for number in range(5)]
    with ThreadPoolExecutor(5) as threads:
        found = list(threads.map(lambda day: ask(own_released, warm, from_=day, to=day), days * 2))
    assert [one.window.last for one in found] == days * 2
    assert warm.count() == 2
    assert len(warm._kept.answers) == 3
    warm.close()
    assert warm.count() == 0


def test_another_policy_counts_at_once(own_released: Settings) -> None:
    warm = Warm(own_released)
    assert ask(own_released, warm).total.value
    text = PACKAGED.read_text(encoding="utf-8").replace("      - sales.*\n      - warehouse.dim_date\n", "", 1)
    (own_released.home / "policy.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(AccessDenied):
        ask(own_released, warm)
    (own_released.home / "policy.yaml").unlink()
    assert ask(own_released, warm).total.value
    warm.close()


def test_a_release_of_streams_leaves_the_answers_about_tills_and_stock(
    own_released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm, made, real = Warm(own_released), list[str](), kpi_module._answer

    def noted(query: Query, *asked: Any, **more: Any) -> KpiAnswer:
        made.append(query.kpi.name)
        return real(query, *asked, **more)

    def every(warm: Warm | None, names: Sequence[str] = tuple(load_kpis())) -> dict[str, KpiAnswer]:
        return {
            f"{name} {days} {who}": answer(own_released, name, by=by, identity=who, warm=warm, **days)
            for name in names
            for days in ({}, {"from_": "2026-03-02", "to": "2026-03-20"})
            for who, by in ((None, ()), (OWNER, tuple(load_kpis()[name].dimensions)[:1]))
        }

    def streams(day: int) -> None:
        for source, rows in (("interactions", contacts(day)), ("web_events", visits(day))):
            land(own_released, source, [write(tmp_path, source, f"day{day}", rows)])
        run(own_released)

    streams(3)
    before = every(warm)
    streams(4)
    monkeypatch.setattr(kpi_module, "_answer", noted)
    after, touched = every(warm), set(made)
    assert {one.release for one in before.values()} & {one.release for one in after.values()} == set()
    assert {load_kpis()[name].team for name in touched} == {"marketing", "support"}
    assert after == every(None)
    more = [row | {"transaction_id": f"more{row['transaction_id']}"} for row in tills(1)]
    land(own_released, "pos", [write(tmp_path, "pos", "more", more)])
    run(own_released)
    made.clear()
    some = ("total_sales", "revenue", "stock_availability", "bounce_rate")
    later = every(warm, some)
    assert "total_sales" in made
    assert later == every(None, some)
    assert after["total_sales {} None"].total.value < later["total_sales {} None"].total.value
    warm.close()


def test_another_release_and_other_keys_count_at_once(own_released: Settings, tmp_path: Path) -> None:
    warm = Warm(own_released)
    before = ask(own_released, warm)
    rotate(own_released)
    assert ask(own_released, warm) == before
    entry = find(own_released, Wanted(action="kpi"))[-1]
    assert {key.partition("/")[2] for key in entry.keys if key != "keyring/1"} == {"2"}, "the old session is gone"
    land_day(own_released, tmp_path / "files", 2)
    assert ask(own_released, warm).release == before.release
    run(own_released)
    after = ask(own_released, warm)
    assert after.release > before.release
    assert after.total.value > before.total.value
    assert ask(own_released, warm, release=before.release).total == before.total
    for file in (own_released.home / "releases" / "partitions").iterdir():
        shutil.rmtree(file)
    assert ask(own_released, warm) == after, "known, whatever has become of its files"
    warm.close()
