"""A quarantined line shows why it waits and where it stands, and nothing that could be about a person."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from shoplake.audit.reading import Wanted, find
from shoplake.contracts import load_contracts
from shoplake.errors import NotFoundError
from shoplake.lake.held_values import visible
from shoplake.lake.landing import land
from shoplake.lake.quarantine import replay
from shoplake.lake.quarantine_browse import browse, look_at
from shoplake.lake.quarantine_room import Line
from shoplake.settings import Settings
from shoplake.store.held_rows import HeldWanted

HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
TODAY = dt.datetime.now(dt.UTC).date()
CSV = {"format": "csv", "delimiter": ",", "header": ["customer_id", "interaction_type", "rating", "note", "timestamp"]}
PERSON, WORDS = "4711000", "call me on 0171"


def contact(**changes: object) -> str:
    known = {"customer_id": PERSON, "interaction_type": "Complaint", "rating": 4, "message_excerpt": WORDS}
    return json.dumps(known | {"timestamp": 1767600000} | changes)


def land_sales(settings: Settings, name: str, good: int, *bad: str) -> None:
    path = settings.home.parent / name
    lines = "".join(f"{name}-{n},1,7,1,9.5,0.5,{1767600000 + n}\n" for n in range(good))
    path.write_text(HEADER + lines + "".join(f"{line}\n" for line in bad), encoding="utf-8")
    land(settings, "pos", [path])


@pytest.fixture(scope="module")
def held(module_home: Settings) -> Settings:
    """Give a home with sales, contacts and a file as a whole in quarantine."""
    land_sales(module_home, "a.csv", 40, "T1,1,7,x,9.5,0.5,1767600000", "T2,1,7,1,-1,0.5,1767600000")
    land_sales(module_home, "b.csv", 1, "T3,1,7,x,9.5,0.5,1767600000")
    path = module_home.home.parent / "contacts.jsonl"
    good = "".join(contact(rating=n % 5 + 1, customer_id=str(n)) + "\n" for n in range(40))
    path.write_text(good + contact(rating=9) + "\n", encoding="utf-8")
    land(module_home, "interactions", [path])
    return module_home


def test_rows_come_page_by_page_the_newest_first_with_what_waits_in_all(held: Settings) -> None:
    first = browse(held, HeldWanted(), limit=3)
    assert [(row.source, row.file, row.line) for row in first.rows] == [
        ("interactions", "contacts.jsonl", 41),
        ("pos", "b.csv", 3),
        ("pos", "a.csv", 43),
    ]
    assert (first.rows_in_all, first.by_source, first.by_day) == (4, (("interactions", 1), ("pos", 3)), ((TODAY, 4),))
    assert dict(first.by_reason)["quantity:not_an_integer"] == 2
    assert [(f.name, f.status, f.rows_open) for f in first.files if f.source == "pos"] == [
        ("b.csv", "failed", 1),
        ("a.csv", "landed", 2),
    ]
    second = browse(held, HeldWanted(), before=first.before, limit=3)
    assert [row.line for row in second.rows] == [42]
    assert second.before is None


def test_rows_are_narrowed_by_source_day_reason_and_file(held: Settings) -> None:
    assert [row.line for row in browse(held, HeldWanted("pos", TODAY, "quantity:not_an_integer")).rows] == [3, 42]
    assert browse(held, HeldWanted(day=TODAY - dt.timedelta(days=1))).rows == ()
    assert browse(held, HeldWanted(reason="quantity:not%")).rows == ()
    (failed, _) = browse(held, HeldWanted("pos")).files
    assert [row.file for row in browse(held, HeldWanted(file_id=failed.file_id)).rows] == ["b.csv"]


def test_a_line_without_persons_is_shown_and_one_with_persons_is_not(held: Settings) -> None:
    contacted, *_, sold = browse(held, HeldWanted()).rows
    assert sold.shown is not None
    assert {v.field: v.text for v in sold.shown.fields}["quantity"] == "x"
    assert contacted.shown is not None
    values = {value.field: value for value in contacted.shown.fields}
    assert (values["customer_id"].text, values["customer_id"].is_personal) == (None, True)
    assert (values["message_excerpt"].text, values["message_excerpt"].length) == (None, 0)
    assert (values["interaction_type"].text, values["rating"].text) == ("Complaint", None)
    assert (values["rating"].length, values["rating"].kind, values["rating"].is_named) == (1, "digits", True)
    assert values["channel"].is_given is False
    assert PERSON not in repr(contacted)
    assert WORDS not in repr(contacted)


@pytest.mark.parametrize(
    "raw",
    [
        f"{PERSON},Complaint,4,{WORDS}",
        f'"{PERSON},Complaint,4,{WORDS},1767600000',
        f"Complaint,{PERSON},{WORDS},4,1767600000",
        f"Complaint,x,{PERSON}-{WORDS},4,1767600000",
    ],
    ids=["too short", "open quote", "shifted", "joined"],
)
def test_a_value_that_slipped_into_another_place_stays_hidden(raw: str) -> None:
    reasons = ("rating:above_maximum", "interaction_type:unknown_value")
    shown = visible(load_contracts()["interactions"], Line(1, raw, CSV), reasons)
    assert PERSON not in repr(shown)
    assert "0171" not in repr(shown)


def test_each_look_is_on_record_and_a_replayed_row_can_still_be_looked_at(held: Settings) -> None:
    row = browse(held, HeldWanted("pos", reason="revenue:below_minimum")).rows or browse(held, HeldWanted("pos")).rows
    looked = look_at(held, row[-1].id)
    assert looked == row[-1]
    with pytest.raises(NotFoundError):
        look_at(held, 999)
    shown, failed = find(held, Wanted(action="quarantine show"))[-2:]
    assert (shown.detail, shown.rows, failed.outcome) == ({"ids": [row[-1].id], "hidden": True}, 1, "failed")
    replay(held, ids=[looked.id], edits={looked.id: "T1,1,7,2,9.5,0.5,1767600000"})
    again = look_at(held, looked.id)
    assert again.status == "replayed"
    assert again.shown == looked.shown
