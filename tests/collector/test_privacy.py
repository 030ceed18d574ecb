"""Identifiers and messages that come over HTTP are in no file of the home, no answer, no log and no metric."""

from __future__ import annotations

import json
import time

from shoplake.collector.drain import drain
from shoplake.lake import quarantine
from shoplake.settings import Settings
from tests.collector.running import NOW, Running, add_producer, landed_rows
from tests.journey.test_encryption import readable

PERSONS = 500
FIRST = 7_700_000_000_000


def body(number: int) -> dict[str, object]:
    """Give an interaction with a marker in each personal field; one of three is bad, one has an odd form."""
    row = {
        "customer_id": FIRST + number,
        "interaction_type": "Complaint",
        "message_excerpt": f"MARKER{number:04d} was rude",
        "timestamp": NOW,
        "event_id": f"id{number}",
    }
    if number % 3 == 0:
        row |= {"rating": 9, "interaction_type": f"MARKER{number:04d}"}
    if number % 3 == 1:
        row |= {"customer_id": f" {FIRST + number} ", f"MARKER{number:04d}": 1}
    return row


def test_no_marker_is_readable_anywhere(settings: Settings) -> None:
    markers = [str(FIRST + n).encode() for n in range(PERSONS)] + [f"MARKER{n:04d}".encode() for n in range(PERSONS)]
    said = b""
    with Running(settings, add_producer(settings), drain_seconds=0.5) as running:
        for start in range(0, PERSONS, 50):
            rows = [json.dumps(body(n)).encode() for n in range(start, start + 50)]
            rows.append(f'{{"message_excerpt": "MARKER{start:04d}'.encode())
            for source in ("interactions", "web_events"):
                said += running.send(b"\n".join(rows), source, idempotency_key=f"MARKER{start:04d}{source}").content
            said += running.send(rows[0] + b"]", "interactions").content
            said += running.send(rows[0], f"MARKER{start:04d}").content
            # In the spool, before it has landed.
            assert readable(settings.home, markers[start : start + 50]) == []
        deadline = time.monotonic() + 120
        while running.metrics()['shoplake_collector_spool_events{source="interactions"}'] > 0:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        said += running.client.get("/metrics").content
    said += running.log.read_bytes()
    assert readable(settings.home, markers) == []
    # A source that nobody has is named as it was asked for; nothing else comes back.
    assert [m for m in markers if m in said.replace(b"This key may not send MARKER", b"")] == []


def message(number: int) -> dict[str, object]:
    """Give a Segment message with a marker wherever its contract has no place; each third is bad."""
    marker = f"MARKER{number:04d}"
    person = {"email": f"{marker}@shop.example", marker: marker}
    return {
        "type": ("page", "track", "identify", "group", "alias", marker)[number % 6],
        "messageId": f"id{number}",
        "anonymousId": f"{marker} anonymous",
        "previousId": marker,
        "userId": f"{marker}@shop.example" if number % 2 else str(FIRST + number),
        "event": "Click",
        "traits": person,
        "timestamp": "never" if number % 3 == 0 else NOW,
        "properties": {"path": f"/?mail={marker}#{marker}", "search": marker, "url": f"https://{marker}/", **person},
        "context": {"ip": marker, "traits": person, "page": {"referrer": marker, "title": marker}, "locale": marker},
        marker: marker,
    }


def test_of_a_segment_message_nothing_is_kept_but_the_contracts_fields(settings: Settings) -> None:
    numbers = range(120)
    markers = [f"MARKER{n:04d}".encode() for n in numbers]
    customers = [str(FIRST + n).encode() for n in numbers]
    with Running(settings, add_producer(settings)) as running:
        batch = {"batch": [message(n) for n in numbers], "context": {"ip": "MARKER0000"}, "MARKER0001": 1}
        answer = running.client.post("/v1/batch", json=batch)
        said = answer.content + running.client.post("/v1/MARKER0002", json=batch).content
        # In the spool, before it has landed.
        assert readable(settings.home, markers + customers) == []
        said += running.client.get("/metrics").content
    said += running.log.read_bytes()
    (file,) = drain(settings)
    assert (file.rows_landed, file.rows_quarantined) == (20, 20)
    assert answer.json()["ignored"] == {"identify": 20, "group": 20, "alias": 20, "unknown": 20}
    assert readable(settings.home, markers + customers) == []
    held = quarantine.show_rows(settings, [row.id for row in quarantine.list_rows(settings)])
    assert len(held) == 20
    # What can be read with the keys holds none of it either: it never came so far.
    kept = said + str((landed_rows(settings), held)).encode()
    assert [m for m in markers if m in kept] == []
