"""A run forgets releases that were replaced long ago, with just the files that no kept release uses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shoplake.access.sql import query
from shoplake.errors import NotFoundError
from shoplake.home import HomePaths
from shoplake.lake.landing import land
from shoplake.pipeline import releases
from shoplake.pipeline.manifest import ALL, AuditCounts, Manifest, Partition, Table
from shoplake.pipeline.run import run
from shoplake.settings import Settings

HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
DAY = 86_400
FIRST = 1_772_323_200
UNITS = "select sum(units) from warehouse.fct_sale_lines"


def publish(settings: Settings, folder: Path, day: int, quantity: int) -> str:
    """Land one till line of a day and run; give the release."""
    path = folder / f"day{day}.csv"
    path.write_text(f"{HEADER}T{day},1,2,{quantity},10.00,,{FIRST + day * DAY}\n", encoding="utf-8")
    assert land(settings, "pos", [path])[0].status in {"landed", "restated"}
    report = run(settings)
    assert report.published
    assert report.release is not None
    return report.release


def age(settings: Settings, release: str, days: int) -> str:
    """Give a release the id and date that it would have had, had it been made some days ago."""
    manifest = releases.load(settings, release)
    made = manifest.created_at - dt.timedelta(days=days)
    older = msgspec.structs.replace(manifest, release_id=releases.new_release_id(made), created_at=made)
    paths = HomePaths(settings.home)
    releases.replace_manifest(settings, older)
    if paths.pointer.read_text() == release:
        paths.pointer.write_text(older.release_id)
    (paths.manifests / f"{release}.json").unlink()
    return older.release_id


def on_disk(settings: Settings) -> set[str]:
    root = HomePaths(settings.home).partitions
    return {str(file.relative_to(root)) for file in root.rglob("*.parquet")}


def units(settings: Settings, release: str) -> int:
    return int(query(settings, UNITS, release=release).rows[0][0])


@pytest.fixture(scope="module")
def once_published(module_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, str]:
    """Give a home with one release, and that."""
    return module_home, publish(module_home, tmp_path_factory.mktemp("files"), 0, 1)


@pytest.fixture
def published(once_published: tuple[Settings, str], copied: Callable[[Settings], Settings]) -> tuple[Settings, str]:
    """Give a home of the test's own with one release, and that."""
    shared, release = once_published
    return copied(shared), release


def test_a_run_forgets_what_was_replaced_long_ago_and_keeps_what_is_shared(
    published: tuple[Settings, str], tmp_path: Path
) -> None:
    settings, first = published
    first = age(settings, first, 200)
    second = age(settings, publish(settings, tmp_path, 1, 2), 120)
    # With 0 days every release is kept.
    third = publish(settings.model_copy(update={"release_retention_days": 0}), tmp_path, 1, 3)
    assert [units(settings, r) for r in (first, second, third)] == [1, 3, 4]
    fourth = publish(settings, tmp_path, 1, 4)
    # The first was replaced 120 days ago; the second is 120 days old too, but was served until just now.
    assert releases.list_ids(settings) == [fourth, third, second]
    assert on_disk(settings) == releases.files_in(releases.kept(settings))
    assert [units(settings, r) for r in (second, third, fourth)] == [3, 4, 5]
    with pytest.raises(NotFoundError, match=first):
        query(settings, UNITS, release=first)
    before = on_disk(settings)
    assert run(settings, rebuild=True).published
    assert on_disk(settings) == before, "a rebuild keeps the names of the served release"


def test_the_current_release_stays_however_old_it_is(published: tuple[Settings, str]) -> None:
    settings, release = published
    old = age(settings, release, 4000)
    assert not run(settings).published
    assert releases.expire(settings, days=1, now=dt.datetime.now(dt.UTC)) == []
    assert units(settings, old) == 1


def test_content_that_comes_back_outlives_the_release_that_had_it_first(
    published: tuple[Settings, str], tmp_path: Path
) -> None:
    settings, release = published
    first = age(settings, release, 300)
    second = age(settings, publish(settings, tmp_path, 0, 2), 200)
    third = age(settings, publish(settings, tmp_path, 0, 1), 50)
    assert releases.list_ids(settings) == [third, second]
    now = dt.datetime.now(dt.UTC)
    assert releases.expire(settings, days=40, now=now) == [second]
    assert on_disk(settings) == releases.files_in(releases.kept(settings))
    assert units(settings, third) == 1
    assert first < second < third


def test_no_manifest_between_is_read(settings: Settings) -> None:
    made = [_kept_release(settings, number, f"{10 + number}:10 run") for number in range(4)]
    # One that stays is damaged, and whoever read it would fail.
    (HomePaths(settings.home).manifests / f"{made[2]}.json").write_text("{")
    now = dt.datetime.fromisoformat("2026-03-10T12:00:00+00:00") + dt.timedelta(days=1)
    assert releases.expire(settings, days=1, now=now) == [made[0]]
    kept = releases.files_in(releases.load(settings, made[n]) for n in (1, 3))
    assert kept <= on_disk(settings)


def test_of_a_stream_the_last_hour_stays_and_of_each_hour_before_it_one_release(settings: Settings) -> None:
    now = dt.datetime(2026, 3, 10, 14, 30, tzinfo=dt.UTC)
    moments = ["11:10", "11:20", "11:30 run", "11:40", "11:50 run", "12:50", "12:55", "13:40", "14:20"]
    made = {when: _kept_release(settings, number, when) for number, when in enumerate(moments)}
    gone = releases.expire(settings, days=0, now=now)
    assert {when for when, release in made.items() if release in gone} == {"11:10", "11:20", "12:50"}
    assert set(releases.list_ids(settings)) == {release for when, release in made.items() if release not in gone}
    assert on_disk(settings) == releases.files_in(releases.kept(settings))
    assert releases.expire(settings, days=0, now=now) == []


def _kept_release(settings: Settings, number: int, when: str) -> str:
    """Keep a release of that day, by a stream unless ``run`` is said, whose files some releases beside it share."""
    time, _, by = when.partition(" ")
    made = dt.datetime.fromisoformat(f"2026-03-10T{time}:00+00:00")
    # Of each length of a row of releases: files of one alone, of two, of three, and of all.
    shared = [f"warehouse/fct/{length}-{number // length}.parquet" for length in (1, 2, 3, 99)]
    for file in shared:
        path = HomePaths(settings.home).partitions / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    table = Table("warehouse", {"day": "DATE"}, None, (Partition(ALL, f"c{number}", 1, tuple(shared), 1),))
    release = Manifest(
        release_id=releases.new_release_id(made, made_by=by or "stream"),
        created_at=made,
        ledger_sequence=number,
        timezone="UTC",
        model_version="v",
        watermarks={},
        settled_through=None,
        tables={"fct": table},
        tests=AuditCounts(0, 0),
    )
    releases.save(settings, release)
    return release.release_id


def test_ids_follow_each_other_whatever_the_clock_says(settings: Settings) -> None:
    last = _kept_release(settings, 0, "11:10")
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert releases.next_release_id(settings, past) > last
    assert releases.next_release_id(settings, past, made_by="stream").endswith("-stream")
