"""A broker that is cut off in any way and comes back: consuming goes on by itself, each message once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from shoplake.settings import Settings
from tests.faults.proxy import Proxy
from tests.kafka import GIVEN, Broker, reading
from tests.lake.test_consuming import event, in_background, landed_sessions, wait_for

STEP = 60


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    """Give the only way to the broker."""
    if GIVEN:
        pytest.skip("the given broker names addresses that the proxy cannot stand in for")
    between = Proxy(int(broker.address.rpartition(":")[2]))
    yield between
    between.close()


def test_connections_that_are_cut_refused_or_dead(settings: Settings, broker: Broker, proxy: Proxy) -> None:
    topic, said, sent = broker.make_topic(partitions=2), list[str](), 0
    there = reading(settings, broker, web_events=topic).model_copy(
        update={"kafka_brokers": proxy.address, "kafka_session_seconds": 12, "kafka_batch_seconds": 0.2}
    )

    def send() -> None:
        nonlocal sent
        sent += broker.send(topic, [event(n) for n in range(sent, sent + STEP)], partitions=2)

    send()
    stop, _ = in_background(there, said)
    try:
        wait_for(lambda: len(landed_sessions(there)) == sent)
        send()
        proxy.drop()
        send()
        wait_for(lambda: len(landed_sessions(there)) == sent)
        with proxy.refusing():
            send()
            wait_for(lambda: "The Kafka brokers do not answer; waiting for them." in said)
        send()
        wait_for(lambda: len(landed_sessions(there)) == sent)
        with proxy.silent():
            send()
            time.sleep(2)
            assert len(landed_sessions(there)) == sent - STEP
        send()
        wait_for(lambda: len(landed_sessions(there)) == sent)
    finally:
        stop()
    assert landed_sessions(there) == sorted(f"s{n}" for n in range(sent))
