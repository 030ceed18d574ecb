"""Kafka topics land once each message, poison and all, against a real broker."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.sql import query
from shoplake.errors import InputError, SettingsError, UnreachableError
from shoplake.keys.keyring import Keyring
from shoplake.lake import consuming
from shoplake.lake.browse import show_rows as lake_rows
from shoplake.lake.consuming import Consumed, consume
from shoplake.lake.landing_processes import LandingProcesses
from shoplake.lake.quarantine import list_rows, replay, show_rows
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from shoplake.sources import topics
from shoplake.sources.kafka import PASSWORD_NAME, group_member
from shoplake.store import engine
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger
from tests.journey.test_encryption import readable
from tests.kafka import Broker, reading

FIRST = int(time.time()) - 3000


def event(number: int, **changes: object) -> bytes:
    row = {"session_id": f"s{number}", "user_id": number % 97, "page": "/", "event_type": "View", "timestamp": FIRST}
    return json.dumps(row | changes).encode()


def landed_sessions(settings: Settings) -> list[str]:
    found = lake_rows(settings, "web_events", limit=1_000_000)
    place = found.columns.index("session_id")
    return sorted(row[place] for row in found.rows)


def positions(settings: Settings, stream: str) -> dict[int, int]:
    store = open_store(settings, Keyring.open(settings))
    try:
        return Ledger(store).positions(stream)
    finally:
        store.close()


def in_background(settings: Settings, said: list[str]) -> tuple[Callable[[], list[Consumed]], threading.Event]:
    """Consume in a thread; give a function that stops it and gives its results, and the stop sign."""
    stopping, results = threading.Event(), list[Consumed]()

    def work() -> None:
        results.extend(consume(settings, is_stopping=stopping.is_set, say=said.append))

    thread = threading.Thread(target=work)
    thread.start()

    def stop() -> list[Consumed]:
        stopping.set()
        thread.join(120)
        assert not thread.is_alive()
        return results

    return stop, stopping


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_once_lands_what_the_topic_holds_and_a_second_call_nothing(settings: Settings, broker: Broker) -> None:
    topic = broker.make_topic(partitions=3)
    broker.send(topic, (event(n) for n in range(1000)), partitions=3)
    there = reading(settings, broker, web_events=topic)
    (first,) = consume(there, once=True)
    assert (first.source, first.topic, first.rows_read, first.rows_landed) == ("web_events", topic, 1000, 1000)
    assert landed_sessions(there) == sorted(f"s{n}" for n in range(1000))
    # What the broker knows of the group does not count: another group finds everything landed, too.
    (again,) = consume(reading(settings, broker, web_events=topic), once=True)
    assert again.batches == 0
    broker.send(topic, (event(n) for n in range(1000, 1010)), partitions=3)
    (more,) = consume(there, once=True)
    assert more.rows_landed == 10
    assert sum(positions(there, f"kafka/{topic}").values()) == 1010


def test_poison_goes_to_quarantine_and_blocks_nothing(settings: Settings, broker: Broker) -> None:
    topic = broker.make_topic()
    huge = json.dumps({"session_id": "x" * (3 << 20)}).encode()
    bad = [None, b"", b" ", b"\xff\xfe", b"{", b"[1]", b"42", event(1, timestamp="soon"), huge, b"\0{}", b"{}\n{}"]
    pretty = json.dumps(json.loads(event(2)), indent=1).encode()
    broker.send(topic, [event(0), *bad, pretty, event(3)])
    there = reading(settings, broker, web_events=topic)
    (found,) = consume(there, once=True)
    assert (found.rows_read, found.rows_landed, found.rows_quarantined) == (14, 3, 11)
    assert landed_sessions(there) == ["s0", "s2", "s3"]
    rows = list_rows(there, "web_events")
    assert [row.line for row in rows] == list(range(2, 13))
    assert found.reasons["line_too_long"] == 1
    assert found.reasons["not_utf8"] == 1
    assert found.reasons["nul_byte"] == 1
    raw = [row.raw for row in show_rows(there, [row.id for row in rows])]
    assert raw[:3] == ["null", '""', '""']
    assert raw[8] == huge.decode()
    (again,) = replay(there, edits={rows[7].id: event(1).decode()})
    assert again.rows_landed == 1
    (later,) = consume(there, once=True)
    assert later.batches == 0


def test_two_sources_from_two_topics_or_one_of_them(settings: Settings, broker: Broker) -> None:
    web, calls = broker.make_topic(), broker.make_topic()
    broker.send(web, [event(1)])
    call = {"customer_id": 1, "interaction_type": "Complaint", "channel": "Phone", "timestamp": FIRST}
    broker.send(calls, [json.dumps(call).encode()])
    there = reading(settings, broker, web_events=web, interactions=calls)
    (one,) = consume(there, ["interactions"], once=True)
    assert (one.source, one.rows_landed) == ("interactions", 1)
    both = {found.source: found.rows_landed for found in consume(there, once=True)}
    assert both == {"web_events": 1, "interactions": 0}


def test_a_topic_that_was_made_anew_is_read_again_and_counts_once(settings: Settings, broker: Broker) -> None:
    topic = broker.make_topic(partitions=2)
    broker.send(topic, (event(n) for n in range(200)), partitions=2)
    there = reading(settings, broker, web_events=topic)
    consume(there, once=True)
    broker.remove_topic(topic)
    broker.make_topic(topic, partitions=2)
    broker.send(topic, (event(n) for n in range(150, 160)), partitions=2)
    said: list[str] = []
    (again,) = consume(there, once=True, say=said.append)
    assert again.rows_landed == 10
    assert said[0] == f"The topic {topic} was made anew, or lost messages: all that it holds is read."
    broker.send(topic, (event(n) for n in range(195, 205)), partitions=2)
    (more,) = consume(there, once=True)
    assert more.rows_landed == 10
    run(there)
    assert query(there, "select count(*), count(distinct session_id) from warehouse.fct_web_events").rows == [
        (205, 205)
    ]


def test_a_topic_that_is_made_anew_while_it_is_read(settings: Settings, broker: Broker) -> None:
    topic = broker.make_topic()
    broker.send(topic, (event(n) for n in range(20)))
    there, said = reading(settings, broker, web_events=topic), list[str]()
    stop, _ = in_background(there, said)
    try:
        wait_for(lambda: len(landed_sessions(there)) == 20)
        broker.remove_topic(topic)
        broker.make_topic(topic)
        broker.send(topic, (event(n) for n in range(20, 25)))
        wait_for(lambda: len(landed_sessions(there)) == 25)
    finally:
        stop()
    assert landed_sessions(there) == sorted(f"s{n}" for n in range(25))


def test_a_broker_that_goes_away_and_comes_back_is_waited_for(settings: Settings, own_broker: Broker) -> None:
    topic = own_broker.make_topic(partitions=2)
    own_broker.send(topic, (event(n) for n in range(100)), partitions=2)
    there, said = reading(settings, own_broker, web_events=topic), list[str]()
    stop, _ = in_background(there, said)
    try:
        wait_for(lambda: len(landed_sessions(there)) == 100)
        own_broker.stop()
        wait_for(lambda: len(said) > 1)
        time.sleep(1)
        own_broker.start()
        own_broker.send(topic, (event(n) for n in range(100, 200)), partitions=2)
        wait_for(lambda: len(landed_sessions(there)) == 200)
    finally:
        stop()
    assert [text for text in said if not text.startswith("Reading 2 partition(s)")] == [
        "The Kafka brokers do not answer; waiting for them.",
        "The Kafka brokers answer again.",
    ]
    assert landed_sessions(there) == sorted(f"s{n}" for n in range(200))


def test_reports_that_come_with_a_rebalance_do_no_harm(
    settings: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = list[str]()
    often = {"statistics.interval.ms": 1, "stats_cb": reports.append}
    monkeypatch.setattr(topics, "group_member", lambda given: group_member(given) | often)
    topic = broker.make_topic(partitions=2)
    broker.send(topic, (event(n) for n in range(100)), partitions=2)
    (found,) = consume(reading(settings, broker, web_events=topic), once=True)
    assert found.rows_landed == 100
    assert reports


def test_two_that_both_believe_they_own_every_partition_land_each_message_once(
    settings: Settings, broker: Broker
) -> None:
    topic = broker.make_topic(partitions=2)
    said = list[str]()
    # Each is alone in a group of its own, so neither knows of the other.
    rivals = [
        in_background(reading(settings, broker, web_events=topic).model_copy(update={"kafka_batch_seconds": 0.2}), said)
        for _ in range(2)
    ]
    beaten = f"Another consumer landed a part of {topic} first; reading on from where it ended."
    sent, deadline = 0, time.monotonic() + 120
    try:
        while sent < 2000 or (beaten not in said and time.monotonic() < deadline):
            sent += broker.send(topic, (event(n) for n in range(sent, sent + 200)), partitions=2)
            time.sleep(0.15)
        wait_for(lambda: len(landed_sessions(settings)) == sent)
    finally:
        landed = [sum(found.rows_landed for found in stop()) for stop, _ in rivals]
    assert landed_sessions(settings) == sorted(f"s{n}" for n in range(sent))
    assert sum(landed) == sent
    assert beaten in said


def test_a_store_that_another_process_keeps_is_waited_for_and_holds_up_no_rebalance(
    settings: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, said, later = broker.make_topic(partitions=2), list[str](), list[str]()
    there = reading(settings, broker, web_events=topic).model_copy(update={"kafka_batch_seconds": 0.1})
    monkeypatch.setitem(engine.PRAGMAS, "busy_timeout", 300)
    store = open_store(settings, Keyring.open(settings))
    first, _ = in_background(there, said)
    stops = [first]
    try:
        wait_for(lambda: "Reading 2 partition(s) of " + topic + "." in said)
        with store.writing():
            broker.send(topic, (event(n) for n in range(100)), partitions=2)
            time.sleep(2)
            stops.append(in_background(there, later)[0])
            wait_for(lambda: f"Reading 1 partition(s) of {topic}." in said and later != [])
            assert landed_sessions(settings) == []
        wait_for(lambda: len(landed_sessions(settings)) == 100)
    finally:
        store.close()
        for stop in stops:
            stop()
    assert landed_sessions(settings) == sorted(f"s{n}" for n in range(100))


def test_what_was_read_lands_before_a_stop(settings: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, is_read, asked = broker.make_topic(), threading.Event(), consuming._Consuming._is_due

    def is_due(*what: Any) -> bool:
        is_read.set()  # only those that hold messages are asked about
        return asked(*what)

    monkeypatch.setattr(consuming._Consuming, "_is_due", is_due)
    broker.send(topic, [event(1)])
    patient = reading(settings, broker, web_events=topic).model_copy(update={"kafka_batch_seconds": 60})
    stop, _ = in_background(patient, [])
    try:
        assert is_read.wait(120)
        assert landed_sessions(patient) == []
    finally:
        (found,) = stop()
    assert found.rows_landed == 1


def test_an_event_is_late_by_when_the_message_was_stamped(settings: Settings, broker: Broker) -> None:
    topic = broker.make_topic()
    broker.send(topic, [event(1, timestamp=time.time() - 7200), event(2, timestamp=time.time())])
    there = reading(settings, broker, web_events=topic)
    consume(there, once=True)
    found = lake_rows(there, "web_events")
    notes = {row[found.columns.index("session_id")]: row[found.columns.index("_notes")] for row in found.rows}
    assert notes == {"s1": ["late_event"], "s2": []}


def test_no_broker_at_the_start_is_said_with_its_address(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka_brokers": "127.0.0.1:9", "kafka_topics": {"web_events": "web"}})
    with pytest.raises(UnreachableError, match=r"No Kafka broker at 127\.0\.0\.1:9 lets us in: .*refused"):
        consume(away)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"kafka_brokers": ""}, SettingsError, "No Kafka brokers are named"),
        ({"kafka_topics": {}}, SettingsError, "No Kafka topics are named"),
        ({"kafka_topics": {"web_events": "t", "interactions": "t"}}, SettingsError, "One Kafka topic"),
        ({"kafka_topics": {"web_events": "nowhere"}}, InputError, "no topic 'nowhere'"),
        ({"kafka_topics": {"pos": "tills"}}, InputError, "no stream source 'pos'"),
        ({"kafka_security": "SASL_SSL"}, SettingsError, "no password for the Kafka user"),
        ({"kafka_security": "SASL_SSL", "kafka_password_file": "nowhere"}, SettingsError, "nowhere, cannot be read"),
        ({"kafka_security": "SSL", "kafka_ca_file": "nowhere.pem"}, UnreachableError, "ssl.ca.location"),
    ],
)
def test_a_mistake_in_the_settings_is_named(
    settings: Settings, broker: Broker, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    paths = {n: Path(str(v)) if n.endswith("_file") else v for n, v in changes.items()}
    with pytest.raises(error, match=said):
        consume(reading(settings, broker, web_events="t").model_copy(update=paths))


def test_a_source_without_a_topic_is_named(settings: Settings, broker: Broker) -> None:
    with pytest.raises(InputError, match="No Kafka topic is named for the source 'interactions'"):
        consume(reading(settings, broker, web_events="t"), ["interactions"])


def test_nothing_personal_and_no_password_is_readable_in_any_file(
    settings: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_NAME, "correct-horse-battery")
    markers = [str(7_700_000_000_000 + n) for n in range(50)] + [f"MARKER{n:03d}" for n in range(50)]
    calls = [
        {
            "customer_id": int(markers[n]) if n < 40 else f"x{markers[n]}",
            "interaction_type": "Complaint",
            "message_excerpt": markers[50 + n],
            "timestamp": FIRST,
        }
        for n in range(50)
    ]
    topic, said = broker.make_topic(), list[str]()
    broker.send(topic, [*(json.dumps(call).encode() for call in calls), b"not json: " + markers[0].encode()])
    there = reading(settings, broker, interactions=topic)
    (found,) = consume(there, once=True, say=said.append)
    assert (found.rows_landed, found.rows_quarantined) == (40, 11)
    run(there)
    assert readable(there.home, [m.encode() for m in [*markers, "correct-horse-battery"]]) == []
    assert not any(marker in repr((said, found)) for marker in markers)


def test_large_batches_land_in_processes_and_outlive_the_death_of_one(
    settings: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, said, deaths = broker.make_topic(partitions=2), list[str](), list[int]()
    monkeypatch.setattr(consuming, "LARGE_BYTES", 1)
    monkeypatch.setattr(LandingProcesses, "are_ready", lambda _: True)
    there = reading(settings, broker, web_events=topic).model_copy(update={"threads": 2, "kafka_batch_seconds": 0.2})
    stop, _ = in_background(there, said)
    try:
        for first in range(0, 2000, 200):
            broker.send(topic, (event(n) for n in range(first, first + 200)), partitions=2)
            if first in {400, 1000}:
                wait_for(lambda: len(landing_processes(there)) > 0)
                with suppress(ProcessLookupError):
                    deaths.append(landing_processes(there)[0])
                    os.kill(deaths[-1], signal.SIGKILL)
            time.sleep(0.2)
        wait_for(lambda: len(landed_sessions(settings)) == 2000)
    finally:
        (found,) = stop()
    assert landed_sessions(settings) == sorted(f"s{n}" for n in range(2000))
    assert len(set(deaths)) == 2
    assert "A process that was landing messages died; they land all the same." in said
    assert landing_processes(there) == []


def landing_processes(settings: Settings) -> list[int]:
    """Give the processes other than this one that have a file of the home open."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if any(settings.home in file.resolve().parents for file in (folder / "fd").iterdir()):
                    found.append(int(folder.name))
    return found
