"""Kafka as the collector's log: a request is answered when the brokers have all of its events (``acks=all``).

What was answered is remembered in the spool's file, so that a retry appends nothing again. What was not answered may be
in the log all the same: each event that a client may send again carries a key in a header, by which landing takes it
once. The same key names the partition, so that both copies are landed by one reader, in their order.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from shoplake.errors import UnreachableError
from shoplake.sources.kafka import EVENT_KEY_HEADER, chosen_topics, connection, find_topics
from shoplake.store.deposits import Stored

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

    from shoplake.settings import Settings
    from shoplake.store.deposits import Deposit
    from shoplake.store.spool import Spool

log = logging.getLogger("shoplake.collector")
DELIVERY_SECONDS = 8
"""Brokers that do not acknowledge for so long are away; requests wait twice as long at most."""
PURGE_SECONDS = 4
ENVELOPE_BYTES = 10_000
QUEUE_KILOBYTES = 64 << 10
FULL_SECONDS = 0.05
KEY_BYTES = 16


@dataclass
class _Delivery:
    """What becomes of the events of one deposit."""

    found: Stored
    events: list[bytes] = field(default_factory=list)
    """Keys of its events that are to be remembered."""
    failure: Literal["", "unavailable", "too_large"] = ""

    def report(self, error: KafkaError | None, _message: Message | None = None) -> None:
        """Note whether the brokers have an event."""
        if error is not None:
            is_too_large = error.code() in {error.MSG_SIZE_TOO_LARGE, error.RECORD_LIST_TOO_LARGE}
            self.failure = "too_large" if is_too_large else self.failure or "unavailable"

    @property
    def leans_on_others(self) -> bool:
        """Whether some of what it says may have been stored by another deposit of its group."""
        return self.found.status == "repeated" or self.found.duplicates > 0


class KafkaLog:
    """Appends deposits to the topics of their sources; one thread uses it at a time."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        """Reach the brokers; remember in ``spool``.

        Raises:
            SettingsError: the settings name no brokers or topics, or lack a password.
            UnreachableError: no broker answers, or lets us in.
            InputError: a topic does not exist.

        """
        self._settings, self._spool = settings, spool
        self._topics = {source: topic for topic, source in chosen_topics(settings).items()}
        self._errors: list[KafkaError] = []
        self._producer = self._open()
        find_topics(self._producer, self._topics.values(), settings.kafka_brokers, self._errors)

    def close(self) -> None:
        """Let go of the brokers."""
        self._producer.flush(DELIVERY_SECONDS)

    def put(self, deposits: Sequence[Deposit]) -> list[Stored]:
        """Append what is new of deposits; give what became of each.

        Raises:
            HomeError: what was stored cannot be remembered; nothing was acknowledged.

        """
        group = self._spool.known(deposits)
        deliveries: list[_Delivery] = []
        for deposit in deposits:
            before = len(group.new_events)
            delivery = _Delivery(group.add(deposit), group.new_events[before:])
            deliveries.append(delivery)
            if delivery.found.status == "stored":
                for line, key in _new_lines(deposit, set(delivery.events)):
                    self._produce(self._topics[deposit.source], line, key, delivery)
        self._flush()
        if any(delivery.failure for delivery in deliveries):
            for delivery in deliveries:
                if delivery.leans_on_others:
                    delivery.failure = delivery.failure or "unavailable"
            self._renew()
        stored = [(d, delivery) for d, delivery in zip(deposits, deliveries, strict=True) if not delivery.failure]
        requests = {d.request[0] for d, _ in stored if d.request is not None}
        self._spool.remember(
            {key: value for key, value in group.new_requests.items() if key in requests},
            [key for _, delivery in stored for key in delivery.events],
        )
        return [Stored(delivery.failure) if delivery.failure else delivery.found for delivery in deliveries]

    def _produce(self, topic: str, line: bytes, key: bytes | None, delivery: _Delivery) -> None:
        from confluent_kafka import KafkaException

        headers: dict[str, str | bytes | None] = {EVENT_KEY_HEADER: key} if key else {}
        until = time.monotonic() + DELIVERY_SECONDS
        while not delivery.failure:
            try:
                self._producer.produce(topic, line, key, headers=headers, on_delivery=delivery.report)
            except BufferError:
                self._producer.poll(FULL_SECONDS)
                if time.monotonic() > until:
                    delivery.failure = "unavailable"
            except KafkaException as error:
                delivery.report(error.args[0])
            else:
                return

    def _flush(self) -> None:
        """Wait until the fate of every event is known."""
        if self._producer.flush(DELIVERY_SECONDS + PURGE_SECONDS):
            self._producer.purge()
            self._producer.flush(PURGE_SECONDS)

    def _renew(self) -> None:
        """Say why events were not stored; begin anew where the client cannot go on."""
        reason = self._errors[-1].name() if self._errors else "no acknowledgement"
        log.error("Kafka did not take events: %s", reason)
        if any(error.fatal() for error in self._errors):
            self._producer = self._open()
        self._errors.clear()

    def _open(self) -> Producer:
        from confluent_kafka import KafkaException, Producer

        given = connection(self._settings) | {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 0,
            "message.timeout.ms": DELIVERY_SECONDS * 1000,
            "message.max.bytes": self._settings.collector_body_limit_bytes + ENVELOPE_BYTES,
            "queue.buffering.max.kbytes": max(QUEUE_KILOBYTES, 2 * self._settings.collector_body_limit_bytes // 1024),
            "error_cb": self._errors.append,
        }
        try:
            return Producer(given)
        except KafkaException as error:
            raise UnreachableError(
                f"The Kafka client cannot start: {error.args[0].str()}", hint="Correct the settings kafka_…."
            ) from None


def _new_lines(deposit: Deposit, new: set[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Give the events of a deposit that are new, each with the key by which it lands once, if it may come again."""
    keys = dict(deposit.event_keys)
    request = b"".join(deposit.request) if deposit.request is not None else b""
    for number, line in enumerate(deposit.lines.split(b"\n")):
        key = keys.get(number)
        if key is None and request:
            yield line, hashlib.blake2b(request + b"%d" % number, digest_size=KEY_BYTES).digest()
        elif key is None:
            yield line, None
        elif key in new:
            new.discard(key)
            yield line, key
