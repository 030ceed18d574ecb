"""Connects to Kafka: what the settings say in librdkafka's words, and what its errors say in a person's."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from shoplake.errors import InputError, SettingsError, UnreachableError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer

    from shoplake.settings import Settings

PASSWORD_NAME = "SHOPLAKE_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable
EVENT_KEY_HEADER = "shoplake-event"
"""By this header of a message its event lands once, however often the topic holds it."""
EVENT_KEY_BYTES = 16
PATIENCE_SECONDS = 10
LARGEST_RESPONSE = 1 << 30
"""A broker may answer with more than it was asked for; librdkafka's own limit (100 MB) would then stop for good."""
PREFETCH_KILOBYTES = 32 << 10
LONGEST_SILENCE_MILLISECONDS = 60_000
LARGEST_FETCH = 16 << 20
"""A broker's answer comes whole within the longest silence: on a slow line it must not be too large."""

_log = logging.getLogger("shoplake.kafka")
_log.addHandler(logging.NullHandler())
_log.propagate = False
"""librdkafka's own log repeats each attempt to connect; who wants it adds a handler."""


def connection(settings: Settings) -> dict[str, Any]:
    """Give librdkafka's settings for reaching the brokers, for consumers and producers alike.

    Raises:
        SettingsError: no brokers are named, or a user without a password.

    """
    if not settings.kafka_brokers:
        raise SettingsError("No Kafka brokers are named.", hint="Set kafka_brokers (SHOPLAKE_KAFKA_BROKERS).")
    given: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_brokers,
        "client.id": "shoplake",
        "socket.keepalive.enable": True,
        "security.protocol": settings.kafka_security,
        "logger": _log,
    }
    if settings.kafka_security.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.kafka_ca_file,
            "ssl.certificate.location": settings.kafka_certificate_file,
            "ssl.key.location": settings.kafka_key_file,
        }
        given |= {name: str(path) for name, path in files.items() if path is not None}
    if settings.kafka_security.startswith("SASL"):
        given |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": _password(settings),
        }
    return given


def group_member(settings: Settings) -> dict[str, Any]:
    """Give librdkafka's settings of a consumer that takes its offsets from the ledger alone.

    An offset that the broker does not have is an error, never a silent jump. Partitions are dealt out eagerly: a
    rebalance only costs what was read and has not landed. A connection on which nothing comes back is made anew before
    the session ends.
    """
    return connection(settings) | {
        "group.id": settings.kafka_group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": settings.kafka_session_seconds * 1000,
        "max.poll.interval.ms": settings.kafka_session_seconds * 1000,
        "socket.timeout.ms": min(settings.kafka_session_seconds * 1000 // 3, LONGEST_SILENCE_MILLISECONDS),
        "fetch.max.bytes": LARGEST_FETCH,
        "receive.message.max.bytes": LARGEST_RESPONSE,
        "queued.max.messages.kbytes": PREFETCH_KILOBYTES,
    }


def event_key(headers: Any) -> bytes | None:  # noqa: ANN401 - the client gives a list of pairs, or a dict
    """Give the key by which a message's event lands once, if it has one."""
    for name, value in headers or ():
        if name == EVENT_KEY_HEADER and isinstance(value, bytes) and len(value) == EVENT_KEY_BYTES:
            return value
    return None


def _password(settings: Settings) -> str:
    path = settings.kafka_password_file
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError(
                f"The file of the Kafka password, {path}, cannot be read: {error.strerror}.",
                hint="Correct kafka_password_file, or make the file readable for this user.",
            ) from None
    password = os.environ.get(PASSWORD_NAME, "")
    if not password:
        raise SettingsError(
            f"There is no password for the Kafka user {settings.kafka_username!r}.",
            hint=f"Name its file in kafka_password_file, or set {PASSWORD_NAME} in the environment.",
        )
    return password


def chosen_topics(settings: Settings, sources: Collection[str] = ()) -> dict[str, str]:
    """Give the source of each topic to read: of all in the settings, or of ``sources`` alone.

    Raises:
        SettingsError: the settings name no topics, or one topic for two sources.
        InputError: a source has no topic.

    """
    topics = settings.kafka_topics
    if not topics:
        raise SettingsError(
            "No Kafka topics are named.", hint='Set kafka_topics, such as {web_events = "shop.web"}, by source.'
        )
    unknown = sorted(set(sources) - topics.keys())
    if unknown:
        raise InputError(
            f"No Kafka topic is named for the source {unknown[0]!r}.",
            hint=f"Sources that have one in kafka_topics: {', '.join(topics)}.",
        )
    chosen = {topic: source for source, topic in topics.items() if not sources or source in sources}
    if len(set(topics.values())) < len(topics):
        raise SettingsError("One Kafka topic is named for two sources.", hint="Correct kafka_topics.")
    return chosen


def find_topics(client: Consumer | Producer, topics: Collection[str], brokers: str, errors: list[KafkaError]) -> None:
    """Check that the brokers answer and have the topics.

    Args:
        client: a consumer or producer whose ``error_cb`` fills ``errors``.
        topics: what is to be read or written.
        brokers: where they are, for the message.
        errors: what the client was told on the way.

    Raises:
        UnreachableError: nobody answers, or lets us in.
        InputError: there is no such topic.

    """
    from confluent_kafka import KafkaException

    try:
        found = client.list_topics(timeout=PATIENCE_SECONDS).topics
    except KafkaException as error:
        client.poll(0)  # lets the client tell why
        reasons = [e.str() for e in errors if e.code() != e._ALL_BROKERS_DOWN] or [error.args[0].str()]
        raise UnreachableError(
            f"No Kafka broker at {brokers} lets us in: {reasons[-1]}",
            hint="Is it running? See the settings kafka_brokers, kafka_security and kafka_username.",
        ) from None
    missing = sorted(set(topics) - found.keys())
    if missing:
        raise InputError(
            f"The Kafka brokers have no topic {missing[0]!r} that this user may use.",
            hint="Make the topic, or correct kafka_topics.",
        )
