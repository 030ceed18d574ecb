"""Keys of landed events become true with what landed under them, or not at all; old ones are forgotten."""

from __future__ import annotations

import datetime as dt

import pytest

from shoplake.errors import EventsLanded
from shoplake.store.landed_events import EventKeys, known_events
from shoplake.store.ledger import Ledger, StreamRange

KEYS = [number.to_bytes(16, "big") for number in range(1_200)]


def later(hours: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(hours=hours)


def test_keys_are_known_once_they_are_recorded(ledger: Ledger) -> None:
    assert known_events(ledger.store, KEYS) == set()
    ledger.record_batch([], events=EventKeys(KEYS[:1_000]))
    assert known_events(ledger.store, KEYS) == set(KEYS[:1_000])


def test_a_batch_with_an_event_that_landed_in_between_is_refused_whole(ledger: Ledger) -> None:
    ledger.record_batch([], events=EventKeys(KEYS[:1]))
    with pytest.raises(EventsLanded):
        ledger.record_batch([], positions=[StreamRange("kafka/t", 0, 0, 9)], events=EventKeys(KEYS[:5]))
    assert ledger.positions("kafka/t") == {}
    assert known_events(ledger.store, KEYS) == set(KEYS[:1])


def test_old_keys_are_forgotten(ledger: Ledger) -> None:
    ledger.record_batch([], events=EventKeys(KEYS[:10], later(-1)))
    assert len(known_events(ledger.store, KEYS)) == 10
    ledger.record_batch([], events=EventKeys(KEYS[10:12], later(1)))
    assert known_events(ledger.store, KEYS[:10]) == set()
