"""What the files of the ledger add up to, by source and by day; which of them wait for a person."""

from __future__ import annotations

import datetime as dt

from shoplake.store.landed_counts import Counts, LandedCounts, SourceCounts
from shoplake.store.ledger import Ledger, Restated, StreamRange
from tests.store.offers import noon, object_of, offer, waiting

TODAY = dt.datetime.now(dt.UTC).date()


def test_rows_are_counted_by_source_and_by_the_day_on_which_they_came(ledger: Ledger) -> None:
    counts = LandedCounts(ledger.store)
    assert (counts.by_source(), counts.by_day(TODAY), counts.drift(TODAY)) == ({}, {}, {})
    first = offer("a.csv", rows_quarantined=2, rows_duplicate=1, rows_repaired=3, drift={"colour": 4})
    second = offer("b.csv", day=dt.date(2026, 1, 7), drift={"colour": 1, "size": 2})
    other = offer("c.csv", source="inventory")
    failed = offer("d.csv", status="failed", rows_quarantined=9, error="9 of 10 rows break a rule")
    ledger.record_batch(
        [first, second, other, failed],
        objects=[object_of(file) for file in (first, second, other)],
        quarantined=[*waiting(first, 4, 5), *waiting(failed, 2)],
    )
    found = counts.by_source()
    assert found["pos"].counts == Counts(2, 20, 2, 1, 3)
    assert found["pos"].up_to == noon(dt.date(2026, 1, 7))
    assert found["inventory"].counts.files == 1
    assert counts.by_day(TODAY) == {("pos", TODAY): Counts(3, 20, 11, 1, 3), ("inventory", TODAY): Counts(1, 10)}
    assert counts.by_day(TODAY + dt.timedelta(days=1)) == {}
    assert counts.drift(TODAY) == {"pos": {"colour": 5, "size": 2}}
    assert counts.open_rows() == {"pos": 3}


def test_a_version_that_was_replaced_counts_no_longer(ledger: Ledger) -> None:
    old, new = offer("a.csv"), offer("a.csv", content="second", rows_landed=7)
    for file in (old, new):
        ledger.record_batch([file], objects=[object_of(file)])
    counts = LandedCounts(ledger.store)
    assert counts.by_source()["pos"].counts == Counts(1, 7)
    assert counts.by_day(TODAY) == {("pos", TODAY): Counts(1, 7)}


def test_files_wait_until_a_later_version_takes_their_place(ledger: Ledger) -> None:
    counts = LandedCounts(ledger.store)
    refused = offer("a.csv", status="refused", error="no header")
    failed = offer("b.csv", status="failed", error="too many bad rows")
    again = offer("b.csv", content="again", status="failed", error="still too many")
    for file in (refused, failed, again):
        ledger.record_batch([file])
    assert {(f.logical_name, f.error) for f in counts.waiting()} == {
        ("a.csv", "no header"),
        ("b.csv", "still too many"),
    }
    for name in ("a.csv", "b.csv"):
        good = offer(name, content="good")
        ledger.record_batch([good], objects=[object_of(good)])
    assert counts.waiting() == []


def test_the_newest_restatements_and_how_far_streams_have_landed(ledger: Ledger) -> None:
    counts = LandedCounts(ledger.store)
    for number in range(3):
        file = offer("a.csv", content=str(number))
        moved = Restated("pos", "a.csv", "old", file.file_id, number, 0, 0, f"{number}.00")
        ledger.record_batch(
            [file], objects=[object_of(file)], restated=[moved], positions=[StreamRange("tills", 0, number, number + 1)]
        )
    assert [r.net_sales_moved for r in counts.restatements(2)] == ["2.00", "1.00"]
    (position,) = counts.streams()
    assert (position.stream, position.partition, position.next_offset) == ("tills", 0, 3)
    assert isinstance(counts.by_source()["pos"], SourceCounts)
