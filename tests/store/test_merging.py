"""Batches that were merged count by one entry, and each still leads to the object that holds its rows."""

from __future__ import annotations

import dataclasses
import datetime as dt

from shoplake.store.ledger import FileChange, LakeObject, Ledger, SourceFile, StreamRange
from shoplake.store.merging import Merging
from tests.store.offers import DAY, noon, object_of, offer

NEXT = DAY + dt.timedelta(days=1)
STREAM = "spool/cafe/web_events"


def landed(ledger: Ledger, number: int, *, day: dt.date = DAY, **changes: object) -> SourceFile:
    """Land the batch of ten offsets that begins at ten times ``number``."""
    first = 10 * number
    name = f"{STREAM}/0/{first:012d}-{first + 9:012d}"
    file = offer(name, source="web_events", day=day, **changes)
    objects = [object_of(file)] if file.object_name else []
    ledger.record_batch([file], objects=objects, positions=[StreamRange(STREAM, 0, first, first + 10)])
    return file


def merged_object(name: str, rows: int) -> LakeObject:
    return LakeObject(f"merged-{name:>20}".replace(" ", "0"), "web_events", "rows", 1, rows, 500)


def test_merged_batches_count_by_one_entry(ledger: Ledger) -> None:
    merging = Merging(ledger.store)
    one, two = landed(ledger, 0, warnings={"late_event": 2}), landed(ledger, 1, day=NEXT)
    alone = landed(ledger, 2, day=NEXT)
    mark = ledger.snapshot().sequence
    merged = merged_object("a", 20)
    merging.record(merged, [m for m in merging.mergeable("web_events") if m.file_id != alone.file_id])
    snapshot = ledger.snapshot()
    assert snapshot.sequence == mark
    assert snapshot.changes_since(mark) == []
    (entry,) = [file for file in snapshot.files if file.is_merge]
    assert (entry.objects, entry.days, entry.sequence) == ((merged.name,), {DAY, NEXT}, mark - 1)
    assert (entry.min_event_at, entry.max_event_at) == (noon(DAY), noon(NEXT))
    assert entry.warnings == {"late_event"}
    assert {file.file_id for file in snapshot.files} == {entry.file_id, alone.file_id}
    assert snapshot.objects.keys() == {merged.name, alone.object_name}
    # Whoever asks for files sees those that came.
    assert {file.file_id for file in ledger.files("web_events")} == {one.file_id, two.file_id, alone.file_id}
    assert ledger.objects_of(one.file_id) == ledger.objects_of(two.file_id) == [merged]
    assert ledger.file_names(source="web_events")[one.file_id] == one.logical_name
    assert ledger.file_names(file_ids=[two.file_id]) == {two.file_id: two.logical_name}


def test_a_merge_is_merged_again(ledger: Ledger) -> None:
    merging = Merging(ledger.store)
    first = landed(ledger, 0)
    landed(ledger, 1)
    merging.record(merged_object("a", 20), merging.mergeable("web_events"))
    landed(ledger, 2)
    again = merged_object("b", 30)
    merging.record(again, merging.mergeable("web_events"))
    (entry,) = ledger.snapshot().files
    assert (entry.objects, entry.days) == ((again.name,), {DAY})
    assert ledger.objects_of(first.file_id) == [again]
    assert [m.days for m in merging.mergeable("web_events")] == [{DAY: 30}]


def test_objects_that_were_replaced_are_known_until_they_are_forgotten(ledger: Ledger) -> None:
    merging = Merging(ledger.store)
    old = {landed(ledger, n).object_name for n in range(3)}
    merged = merged_object("a", 30)
    merging.record(merged, merging.mergeable("web_events"))
    assert {o.name for o in ledger.objects()} == old | {merged.name}
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert merging.replaced("web_events", now - dt.timedelta(minutes=1)) == []
    gone = merging.replaced("web_events", now + dt.timedelta(minutes=1))
    assert {o.name for o in gone} == old
    merging.forget(gone)
    assert ledger.objects() == [merged]


def test_what_lands_from_quarantine_later_counts_for_itself(ledger: Ledger) -> None:
    merging = Merging(ledger.store)
    file, nothing = landed(ledger, 0), landed(ledger, 1, rows_landed=0, object_name=None, days={})
    landed(ledger, 2)
    merging.set_empty_aside("web_events")
    merging.record(merged_object("a", 20), merging.mergeable("web_events"))
    assert len(ledger.snapshot().files) == 1
    mark = ledger.snapshot().sequence
    for number, one in enumerate((file, nothing)):
        replayed = merged_object(f"replayed{number}", 1)
        grown = dataclasses.replace(one, rows_landed=one.rows_landed + 1, days={NEXT: 1})
        ledger.record_replay(grown, object_=replayed, replayed=[])
        assert replayed in ledger.objects_of(one.file_id)
    snapshot = ledger.snapshot()
    assert [(c.kind, c.days) for c in snapshot.changes_since(mark)] == [("added", {NEXT}), ("added", {NEXT})]
    assert all(isinstance(change, FileChange) for change in snapshot.changes_since(0))
    assert len(snapshot.files) == 3


def test_only_batches_of_streams_are_merged(ledger: Ledger) -> None:
    landed(ledger, 0)
    files = [offer(f"{n}.jsonl", source="web_events") for n in range(2)]
    files.append(offer("spool/other/web_events/0/000000000000-000000000009", source="web_events"))
    ledger.record_batch(files, objects=[object_of(file) for file in files])
    assert len(Merging(ledger.store).mergeable("web_events")) == 1
