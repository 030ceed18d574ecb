"""Tables in memory and figures by day that are known answer as the files do, within a limit and within rights."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shoplake.access.identity import Identity
from shoplake.access.kpi import KpiAnswer, answer, load_kpis
from shoplake.access.kpi_needs import Needs, columns_read
from shoplake.access.kpi_window import Window
from shoplake.access.rights import Rights
from shoplake.access.warm import Warm
from shoplake.pipeline.releases import next_release_id, required, save
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.access.released import SOUTH, land_day

LAST = dt.date(2026, 3, 2)
NORTH = Identity("north_sales", "sales", {"region": ("North",)})


def ask(settings: Settings, warm: Warm | None, name: str, who: Identity | None = None, **asked: Any) -> KpiAnswer:
    return answer(settings, name, identity=who or Identity("analyst", "analyst"), warm=warm, **asked)


def running(settings: Settings) -> None:
    """Publish the release as one that was made in the middle of its last day."""
    manifest = required(settings, None)
    noon = dt.datetime.combine(LAST, dt.time(12), dt.UTC)
    made = msgspec.structs.replace(
        manifest, release_id=next_release_id(settings, dt.datetime.now(dt.UTC)), created_at=noon
    )
    save(settings, made)


@pytest.mark.parametrize("is_running", [False, True], ids=["over", "running"])
def test_every_figure_by_day_is_that_of_the_files_however_the_window_moves(
    own_released: Settings, is_running: bool
) -> None:
    if is_running:
        running(own_released)
    warm = Warm(own_released)
    for name, kpi in load_kpis().items():
        by = ("day",) if "day" in kpi.dimensions else ()
        for first, last in ((LAST, LAST), (LAST - dt.timedelta(days=1), LAST)):
            wanted = ask(own_released, None, name, by=by, from_=first, to=last)
            for _ in range(2):
                assert ask(own_released, warm, name, by=by, from_=first, to=last).json == wanted.json, name
                warm._kept.answers.clear()
    for who in (NORTH, Identity("sales", "sales")):
        assert ask(own_released, warm, "total_sales", who, by=("day",)) == ask(
            own_released, None, "total_sales", who, by=("day",)
        )
    assert warm._kept.sessions == {}, "no file was opened for a question"
    warm.close()


def test_a_stand_holds_no_more_than_its_person_may_see(own_released: Settings) -> None:
    warm, release = Warm(own_released), required(own_released, None)
    kpi, window = load_kpis()["total_sales"], Window(LAST, LAST)
    shown = {}
    for who in (Identity("sales", "sales"), NORTH):
        own = Rights.of(own_released, who).narrowed(release)
        needed = Needs(own_released, own).of([(kpi, window)])
        with warm.session(needed, own, columns_read(release)) as (con, placed):
            table = placed.tables["mart_sales__store_day"]
            rows = con.execute(f"select * from {table.database}.mart_sales__store_day").fetchall()
            shown[who.name] = any(SOUTH in str(row) for row in rows)
            with pytest.raises(Exception, match="file system operations are disabled"):
                con.execute("select * from read_text('/etc/hostname')")
    assert shown == {"sales": True, "north_sales": False}
    warm.close()


def test_memory_is_limited_and_without_any_the_files_are_read(own_released: Settings) -> None:
    wanted = {name: ask(own_released, None, name).json for name in ("total_sales", "revenue", "feedback_score")}
    for limit in (0, 1_500_000):
        settings = own_released.model_copy(update={"service_memory_limit_bytes": limit})
        warm = Warm(settings)
        for name, json in wanted.items():
            assert ask(settings, warm, name).json == json
            assert warm.bytes_used() <= limit
        assert bool(warm._kept.sessions) == (limit == 0)
        warm.close()


def test_a_new_release_takes_up_what_it_shares_and_the_rest_is_gone(own_released: Settings, tmp_path: Path) -> None:
    warm = Warm(own_released)
    for name in ("total_sales", "stock_availability"):
        ask(own_released, warm, name, by=("day",))
    before = {one: chunk.catalog for one, chunk in warm._kept.shelf._chunks._known.items()}
    land_day(own_released, tmp_path / "files", 2)
    run(own_released)
    for name in ("total_sales", "stock_availability"):
        assert ask(own_released, warm, name, by=("day",)).json == ask(own_released, None, name, by=("day",)).json
    held = required(own_released, None).held()
    after = {one: chunk.catalog for one, chunk in warm._kept.shelf._chunks._known.items()}
    assert all(one.holds() <= held for one in after)
    assert any(before.get(one) == catalog for one, catalog in after.items()), "tables that are as they were stay"
    assert all(set(key[1]) <= held for key in warm._kept.days._known)
    warm.close()
