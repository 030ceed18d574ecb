"""Answers of pages are there before anybody asks, after each release; what is shown to nobody is on no record."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable

import msgspec

from shoplake.access.identity import Identity
from shoplake.access.kpi import answer, load_kpis
from shoplake.access.warm import Warm
from shoplake.audit.reading import Wanted, find
from shoplake.pipeline.releases import next_release_id, required, save
from shoplake.portal.ahead import QUIET_SECONDS, Ahead
from shoplake.portal.lanes import Lane
from shoplake.portal.open_logins import OpenLogins
from shoplake.settings import Settings

SECONDS = 60


def soon(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + SECONDS
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


def known(warm: Warm) -> set[tuple[str, str, str]]:
    """Give release, role and KPI of the answers that are known."""
    kept = warm._kept.answers.items()
    return {(known.answer.release, which[0][0], known.answer.kpi) for which, known in kept}  # type: ignore[index]


def test_pages_are_made_ready_for_each_release_and_nobody_is_shown_anything(own_released: Settings) -> None:
    warm, logins = Warm(own_released), OpenLogins(own_released)
    first = required(own_released, None)
    kpis = {name for name, kpi in load_kpis().items() if kpi.team == "finance"}
    settings = own_released.model_copy(update={"service_ahead": 1})
    ahead = Ahead(settings, warm, logins, lambda: QUIET_SECONDS)
    ahead.saw(Identity("somebody", "finance"))
    before = find(own_released, Wanted())
    with ahead:
        assert soon(lambda: {(first.release_id, "finance", name) for name in kpis} <= known(warm))
        now = dt.datetime.now(dt.UTC)
        again = msgspec.structs.replace(first, release_id=next_release_id(own_released, now), created_at=now)
        save(own_released, again)
        assert soon(lambda: {(again.release_id, "finance", name) for name in kpis} <= known(warm))
        assert {role for _, role, _ in known(warm)} == {"finance"}, "of one kind of people, as the setting says"
    assert not [one for one in find(own_released, Wanted())[len(before) :] if one.action.startswith("kpi")]
    number = len(known(warm))
    found = answer(own_released, "revenue", by=("day",), identity=Identity("finance", "finance"), warm=warm)
    assert found.release == again.release_id
    assert len(known(warm)) == number, "it was there"
    assert find(own_released, Wanted(action="kpi"))[-1].detail["seen_as"] == "finance"
    warm.close()
    logins.close()


def test_a_lane_is_quiet_once_its_last_call_has_ended() -> None:
    async def asked() -> tuple[float, float]:
        lane = Lane("trial", threads=1, most_waiting=1)
        during = await lane.run(lambda: lane.quiet_seconds)
        await asyncio.sleep(0.05)
        after = lane.quiet_seconds
        lane.close()
        return during, after

    during, after = asyncio.run(asked())
    assert during == 0
    assert 0 < after < SECONDS


def test_it_waits_while_people_are_answered(own_released: Settings) -> None:
    warm, logins = Warm(own_released), OpenLogins(own_released)
    ahead = Ahead(own_released, warm, logins, lambda: QUIET_SECONDS / 2)
    with ahead:
        time.sleep(1)
        assert ahead.made == 0
    warm.close()
    logins.close()
