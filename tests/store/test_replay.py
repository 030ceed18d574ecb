"""Rows that land from quarantine join their file; a failed file so becomes the one that counts."""

from __future__ import annotations

import dataclasses
import datetime as dt

from shoplake.store.ledger import FileChange, LakeObject, Ledger, Restated, SourceFile
from tests.store.offers import DAY, object_of, offer, waiting

NEXT = DAY + dt.timedelta(days=1)


def grown(file: SourceFile, by: int, *, left: int) -> SourceFile:
    """Give the file after ``by`` rows of the next day have landed and ``left`` stay in quarantine."""
    days = {**file.days, NEXT: by}
    return dataclasses.replace(
        file, rows_landed=file.rows_landed + by, rows_quarantined=left, days=days, status="landed"
    )


def replayed_object(rows: int) -> LakeObject:
    return LakeObject("rows-replayed", "pos", "rows", 1, rows, 200)


def test_replayed_rows_add_an_object_days_and_a_change(ledger: Ledger) -> None:
    file = offer("day.csv", rows_quarantined=3)
    mark = ledger.record_batch([file], objects=[object_of(file)], quarantined=waiting(file, 4, 5, 6))
    ids = {row.line: row.quarantine_id for row in ledger.quarantined()}
    ledger.record_replay(
        grown(file, 2, left=1),
        object_=replayed_object(2),
        replayed=[ids[4], ids[5]],
        edited=[ids[5]],
        reasons={ids[6]: ["revenue_not_number", "quantity_missing"]},
    )
    found = ledger.file(file.file_id)
    assert (found.rows_landed, found.rows_quarantined, found.days) == (12, 1, {DAY: 10, NEXT: 2})
    assert (found.is_active, found.version) == (True, 1)
    assert {held.name for held in ledger.objects_of(file.file_id)} == {file.object_name, "rows-replayed"}
    assert [(row.line, row.edited) for row in ledger.quarantined(status="replayed")] == [(4, False), (5, True)]
    (left,) = ledger.quarantined()
    assert (left.line, left.reasons) == (6, ("revenue_not_number", "quantity_missing"))
    snapshot = ledger.snapshot()
    assert snapshot.changes_since(mark) == [FileChange(file.file_id, "pos", "added", frozenset({DAY, NEXT}))]


def test_a_replay_that_lands_nothing_keeps_the_rows_with_their_new_reasons(ledger: Ledger) -> None:
    file = offer("day.csv", rows_quarantined=1)
    ledger.record_batch([file], objects=[object_of(file)], quarantined=waiting(file, 4))
    (row,) = ledger.quarantined()
    ledger.record_replay(file, object_=None, replayed=[], reasons={row.quarantine_id: ["still_wrong"]})
    assert ledger.quarantined()[0].reasons == ("still_wrong",)
    assert ledger.objects() == [object_of(file)]


def test_a_failed_file_whose_rows_are_accepted_takes_the_place_of_the_earlier_version(ledger: Ledger) -> None:
    good, failed = offer("day.csv"), offer("day.csv", content="failed", status="failed", error="80 % of rows")
    ledger.record_batch([good], objects=[object_of(good)])
    mark = ledger.record_batch([failed], quarantined=waiting(failed, 2, 3))
    landed = dataclasses.replace(grown(failed, 2, left=0), error=None)
    difference = Restated("pos", "day.csv", good.file_id, failed.file_id, 2, 10, 0, "1.00")
    ids = [row.quarantine_id for row in ledger.quarantined()]
    ledger.record_replay(landed, object_=replayed_object(2), replayed=ids, restated=[difference])
    snapshot = ledger.snapshot()
    assert [file.file_id for file in snapshot.files] == [failed.file_id]
    assert {(change.file_id, change.kind) for change in snapshot.changes_since(mark)} == {
        (failed.file_id, "added"),
        (good.file_id, "retired"),
    }
    found = ledger.find("pos", "day.csv")
    assert found is not None
    assert (found.status, found.error, found.version) == ("landed", None, 2)
    assert [(r.old_file_id, r.new_file_id) for r in ledger.restatements()] == [(good.file_id, failed.file_id)]
