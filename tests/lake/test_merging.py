"""Small objects of a stream become large ones: the same rows before and after, whatever is killed in between."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from shoplake.access.sql import query
from shoplake.home import HomePaths, home_lock
from shoplake.keys.keyring import Keyring
from shoplake.lake import merging as merging_module
from shoplake.lake.browse import list_files
from shoplake.lake.landing import land
from shoplake.lake.merging import FANOUT, LARGEST_BYTES, due, merge_small
from shoplake.lake.quarantine import list_rows, replay
from shoplake.lake.streaming import StreamLander
from shoplake.lake.sweeping import drop_replaced
from shoplake.pipeline.rotation import rotate
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from shoplake.store.ledger import LakeObject
from shoplake.store.merging import Mergeable
from tests.lake.test_streaming import NOON, batch, event, landed_rows, lander, ledger_of

DAY = dt.timedelta(days=1)


def merged(settings: Settings) -> int:
    with home_lock(settings):
        return merge_small(settings, Keyring.open(settings), ledger_of(settings))


def objects(settings: Settings) -> list[str]:
    """Name the objects of web events that a build reads."""
    snapshot = ledger_of(settings).snapshot()
    return [name for file in snapshot.active_files("web_events") for name in file.objects]


def on_disk(settings: Settings) -> set[str]:
    return {path.name for path in (HomePaths(settings.home).lake / "web_events").glob("*.parquet")}


def land_batches(stream: StreamLander, numbers: range, size: int = 5) -> None:
    for n in numbers:
        stream.land(batch(n * size, [event(n * size + m) for m in range(size)]))


def test_merging_keeps_every_row_with_where_it_came_from(settings: Settings) -> None:
    with lander(settings) as stream:
        land_batches(stream, range(FANOUT))
        before, files = landed_rows(settings), list_files(settings, "web_events")
        assert merged(settings) == FANOUT
        assert len(objects(settings)) == 1
        assert landed_rows(settings) == before
        assert list_files(settings, "web_events") == files
        assert merged(settings) == 0
        land_batches(stream, range(FANOUT, 2 * FANOUT))
    before = landed_rows(settings)
    assert len(before) == 2 * FANOUT * 5
    # The object of the first merge is of the size of the new ones, and is merged with them.
    assert merged(settings) == FANOUT + 1
    assert landed_rows(settings) == before
    assert len(ledger_of(settings).snapshot().files) == 1


def test_a_merge_is_no_change_to_a_build(settings: Settings) -> None:
    with lander(settings) as stream:
        land_batches(stream, range(FANOUT))
        first = run(settings)
        assert first.published
        merged(settings)
        assert not run(settings).published
        land_batches(stream, range(FANOUT, FANOUT + 1))
    assert run(settings).published
    assert run(settings, rebuild=True).published
    counted = query(settings, "select count(*), count(distinct _file_id) from warehouse.fct_web_events").rows
    assert counted == [(5 * (FANOUT + 1), FANOUT + 1)]


def test_replaced_objects_stay_for_those_who_read_them_and_then_go(settings: Settings) -> None:
    with lander(settings) as stream:
        land_batches(stream, range(FANOUT))
    old = on_disk(settings)
    merged(settings)
    (new,) = on_disk(settings) - old
    land(settings, "pos", [_sales(settings.home.parent)])
    run(settings)  # which sweeps
    assert on_disk(settings) == old | {new}
    with home_lock(settings):
        assert drop_replaced(settings, ledger_of(settings), "web_events", kept=dt.timedelta()) == FANOUT
    assert on_disk(settings) == {new}
    assert len(landed_rows(settings)) == FANOUT * 5


def test_a_merge_that_was_cut_off_is_swept_and_made_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with lander(settings) as stream:
        land_batches(stream, range(FANOUT))
    old, before = on_disk(settings), landed_rows(settings)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merging_module.Merging, "record", dies)
        with pytest.raises(KeyboardInterrupt):
            merged(settings)
    assert len(on_disk(settings)) == FANOUT + 1
    run(settings)
    assert on_disk(settings) == old
    assert merged(settings) == FANOUT
    assert landed_rows(settings) == before


def test_a_replayed_row_of_a_merged_batch_counts_once(settings: Settings) -> None:
    bad = event(99, timestamp="yesterday")
    with lander(settings) as stream:
        stream.land(batch(0, [event(0), bad]))
        stream.land(batch(2, [bad, bad]))
        for n in range(1, FANOUT):
            stream.land(batch(n * 5, [event(n * 5)]))
    run(settings)
    assert merged(settings) == FANOUT
    assert len(ledger_of(settings).snapshot().files) == 1
    held = list_rows(settings, "web_events")
    good = [event(1000 + n).decode() for n in range(len(held))]
    replay(settings, ids=[row.id for row in held], edits={r.id: line for r, line in zip(held, good, strict=True)})
    assert len(landed_rows(settings)) == FANOUT + len(held)
    assert run(settings).published
    assert query(settings, "select count(*) from warehouse.fct_web_events").rows == [(FANOUT + len(held),)]


def test_new_keys_reach_merged_objects(settings: Settings) -> None:
    with lander(settings) as stream:
        land_batches(stream, range(FANOUT))
    merged(settings)
    before = landed_rows(settings)
    rotate(settings)
    assert landed_rows(settings) == before
    assert all(".v2." in name for name in on_disk(settings))


def test_files_that_were_landed_are_never_merged(settings: Settings, tmp_path: Path) -> None:
    for n in range(FANOUT + 2):
        path = tmp_path / f"{n}.jsonl"
        path.write_bytes(event(n) + b"\n")
        land(settings, "web_events", [path])
    assert merged(settings) == 0


def mergeable(number: int, size: int, day: int = 0) -> Mergeable:
    name, moment = f"{number:024d}", NOON.replace(tzinfo=None) + day * DAY
    held = LakeObject(name, "web_events", "rows", 1, 1, size)
    return Mergeable(name, "web_events", False, moment, moment, number, (), {moment.date(): 1}, (held,))


def test_a_row_is_written_anew_once_for_each_eightfold_growth() -> None:
    sizes, written = [10_000] * 512, 0
    small: list[Mergeable] = []
    for number, size in enumerate(sizes):
        small.append(mergeable(number, size))
        for group in due(small):
            total = sum(one.bytes for one in group)
            written += total
            small = [one for one in small if one not in group] + [mergeable(10_000 + number, total)]
    assert len(small) < 3 * FANOUT
    assert written <= 4 * sum(sizes)


def test_a_day_that_is_over_becomes_one_object_and_large_ones_stay() -> None:
    today = [mergeable(n, 1_000, day=3) for n in range(3)]
    over = [mergeable(10 + n, 40_000 * (n + 1)) for n in range(3)]
    large = [mergeable(20 + n, LARGEST_BYTES, day=n) for n in range(4)]
    assert [sorted(one.file_id for one in group) for group in due(today + over + large)] == [
        [one.file_id for one in over]
    ]
    # One late event is not worth writing a whole day anew.
    assert due([*today, mergeable(30, 5_000_000), mergeable(31, 1_000)]) == []


def _sales(folder: Path) -> Path:
    path = folder / "pos.csv"
    header = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp"
    path.write_text(f"{header}\nT1,1,2,1,10.00,,{NOON.timestamp()}\n", encoding="utf-8")
    return path
