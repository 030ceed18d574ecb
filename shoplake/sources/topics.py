"""Reads Kafka topics as a member of a consumer group, from the offsets that the ledger gives and no others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import Message

from shoplake.errors import UnreachableError
from shoplake.sources.kafka import PATIENCE_SECONDS, connection, event_key, find_topics, group_member
from shoplake.sources.partitions import Messages, Partition, TopicState, state_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    from shoplake.settings import Settings

READ_MESSAGES = 10_000
READ_SECONDS = 0.1
REST_SECONDS = 0.1
"""How long a partition that is read to its end is not asked for."""
RETRY_SECONDS = 1.0
"""After how long we ask again."""
NO_ANSWER = "The Kafka brokers do not answer; waiting for them."
NO_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""Base64 of 16 zero bytes: what a broker that gives topics no ids says."""
T = TypeVar("T")
_error_of, _topic_of, _number_of, _headers_of = Message.error, Message.topic, Message.partition, Message.headers
_offset_of: Callable[[Message], Any] = Message.offset
_value_of: Callable[[Message], Any] = Message.value


class StoppedError(Exception):
    """We were asked to stop while we waited for a broker."""


class TopicReader:
    """Owns partitions of some topics and holds what it read of them until it is taken."""

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, str],
        *,
        positions: Callable[[str, str], Mapping[int, int]],
        settle: Callable[[], None],
        is_stopping: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        """Join the group.

        Args:
            settings: where the brokers are, and the group.
            topics: the source of each topic.
            positions: gives, for a source and a stream, the first offset of each partition that has not landed.
            settle: waits, for a while, until nothing that was taken is landing any more.
            is_stopping: whether to give up waiting for brokers.
            say: told once what a person should know.

        Raises:
            UnreachableError: no broker answers, or lets us in.
            InputError: a topic does not exist.
            SettingsError: the settings name no brokers, or lack a password.

        """
        from confluent_kafka import Consumer, KafkaException

        self.partitions: dict[tuple[str, int], Partition] = {}
        self.is_assigned = False
        """Whether the group has dealt out the partitions at least once."""
        self._changes = 0
        self._doubted_at = math.inf
        """Since when (monotonic seconds) a connection's report has not been looked into."""
        self._resting: dict[tuple[str, int], float] = {}
        """Until when (monotonic seconds) a partition is not asked for."""
        self._settings, self._topics, self._positions, self._settle = settings, dict(topics), positions, settle
        self._is_stopping, self._say = is_stopping, say
        self._errors: list[KafkaError] = []
        self._told: set[str] = set()
        try:
            self._consumer: Consumer = Consumer(group_member(settings) | {"error_cb": self._errors.append})
            # Asks for topics. The member itself must not from within its callbacks: with the next callback of the same
            # call it would end the process.
            self._asking: Consumer = Consumer(connection(settings) | {"group.id": settings.kafka_group})
        except KafkaException as error:
            raise UnreachableError(
                f"The Kafka client cannot start: {error.args[0].str()}", hint="Correct the settings kafka_…."
            ) from None
        find_topics(self._consumer, topics, settings.kafka_brokers, self._errors)
        self._errors.clear()
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(partition.size for partition in self.partitions.values())

    @property
    def is_done(self) -> bool:
        """Whether all has been read and taken that was there when our partitions came to us."""
        return self.is_assigned and all(p.is_read and p.is_empty for p in self.partitions.values())

    def read(self, *, most: int = READ_MESSAGES, seconds: float = READ_SECONDS) -> None:
        """Read what has come, up to ``most`` messages, and for ``seconds`` at most."""
        self._wake(time.monotonic())
        changes = self._changes
        messages = self._consumer.consume(most, seconds)
        if changes == self._changes:
            self._hold(messages)
        else:
            # Some of these may have been read before the partitions changed hands: offsets between could be missing.
            self._consumer.assign([_at(partition) for partition in self.partitions.values()])
        if messages:
            self._hear()
        for error in self._errors:
            self._note(error)
        self._errors.clear()
        if time.monotonic() - self._doubted_at > RETRY_SECONDS:
            self._ask()

    def _hold(self, messages: Sequence[Message]) -> None:
        start = 0
        has_errors = any(map(_error_of, messages))  # mostly not, and then no list of them has to be made
        places = [n for n, error in enumerate(map(_error_of, messages)) if error] if has_errors else []
        for place in places:
            self._hold_values(messages[start:place])
            start, message = place + 1, messages[place]
            topic, error = message.topic(), message.error()
            assert error is not None  # noqa: S101 - that is why we are here
            if error.code() == error._AUTO_OFFSET_RESET and topic is not None:
                self.restart(topic)
                return  # all that follows is read again
            self._note(error, message)
        self._hold_values(messages[start:] if start else messages)

    def _hold_values(self, messages: Sequence[Message]) -> None:
        """Hold messages without errors: those of a partition come in long runs, which are held at once."""
        if len(self._topics) > 1:
            places: Iterator[Any] = zip(map(_topic_of, messages), map(_number_of, messages), strict=True)
        else:
            places = map(_number_of, messages)
        only, start = next(iter(self._topics)), 0
        for place, same in groupby(places):
            run = messages[start : start + sum(map(len, zip(same)))]
            start += len(run)
            partition = self.partitions.get(place if len(self._topics) > 1 else (only, place))
            if partition is not None:
                keys = [event_key(of) for of in map(_headers_of, run)] if any(map(_headers_of, run)) else None
                partition.extend(list(map(_offset_of, run)), list(map(_value_of, run)), _stamps_of(run), keys)

    def commit(self, messages: Messages) -> None:
        """Tell the broker how far we are, for those who watch the lag; nothing is ever read by it."""
        from confluent_kafka import KafkaException, TopicPartition

        if (messages.topic, messages.partition) not in self.partitions:
            return  # it is another's by now
        here = TopicPartition(messages.topic, messages.partition, messages.next_offset)
        try:
            self._consumer.commit(offsets=[here], asynchronous=True)
        except KafkaException:
            self._tell("commit", "The Kafka brokers do not take note of how far we are; the ledger does.")

    def restart(self, topic: str) -> None:
        """Read our partitions of a topic from where the ledger says, and forget what is held of them."""
        self._settle()
        self._wake()
        ours = [number for name, number in self.partitions if name == topic]
        state = self._look(topic)
        for number in ours:
            self._begin(topic, number, state)
        self._consumer.assign([_at(partition) for partition in self.partitions.values()])

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self.partitions.clear()
        self._consumer.close()
        self._asking.close()

    def _on_assign(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        self._changes += 1
        self._settle()
        try:
            states = {topic: self._look(topic) for topic in sorted({partition.topic for partition in given})}
        except StoppedError:
            return
        self.partitions.clear()
        for partition in given:
            self._begin(partition.topic, partition.partition, states[partition.topic])
        consumer.assign([_at(partition) for partition in self.partitions.values()])
        self.is_assigned = True
        self._say(f"Reading {len(given)} partition(s) of {', '.join(states) or 'no topic'}.")

    def _on_revoke(self, consumer: Consumer, _taken: list[TopicPartition]) -> None:
        self._settle()
        self._let_go(consumer)

    def _on_lost(self, consumer: Consumer, _taken: list[TopicPartition]) -> None:
        self._let_go(consumer)

    def _let_go(self, consumer: Consumer) -> None:
        self._changes += 1
        self._wake()
        self.is_assigned = False
        self.partitions.clear()
        consumer.unassign()

    def _begin(self, topic: str, number: int, state: TopicState) -> None:
        if lost := state.lost(number):
            self._say(f"{topic}/{number}: the brokers removed {lost} messages before they were read.")
        _, end = state.edges.get(number, (0, 0))
        source = self._topics[topic]
        self.partitions[topic, number] = Partition(source, state.stream, topic, number, state.start(number), end)

    def _look(self, topic: str) -> TopicState:
        """Ask the broker for the edges of a topic and the ledger for its positions.

        Where a broker seems to have less than has landed we look twice: after a change of leaders it may not know
        its own end for a moment.
        """
        before = self._patiently(lambda: self._state(topic))
        if not before.is_made_anew:
            return before
        time.sleep(RETRY_SECONDS)
        after = self._patiently(lambda: self._state(topic))
        if after.is_made_anew:
            self._say(f"The topic {topic} was made anew, or lost messages: all that it holds is read.")
        return after

    def _state(self, topic: str) -> TopicState:
        from confluent_kafka import TopicPartition

        source = self._topics[topic]
        found = self._asking.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic]
        edges = {}
        for number in found.partitions:
            edges[number] = self._asking.get_watermark_offsets(TopicPartition(topic, number), timeout=PATIENCE_SECONDS)
        return state_of(topic, self._topic_id(topic), lambda stream: self._positions(source, stream), edges)

    def _topic_id(self, topic: str) -> str:
        """Give the broker's id of a topic; empty if the broker gives none."""
        from confluent_kafka import KafkaException, TopicCollection
        from confluent_kafka.admin import AdminClient

        admin = AdminClient(connection(self._settings))
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=PATIENCE_SECONDS)
        try:
            found = str(described[topic].result().topic_id)
        except KafkaException as error:
            if error.args[0].code() == error.args[0]._UNSUPPORTED_FEATURE:
                return ""
            raise
        return "" if found in {NO_TOPIC_ID, "None"} else found

    def _ask(self) -> None:
        """Find out whether the brokers answer.

        What a connection reports does not tell: a report may come late, of a connection that was closed for being
        idle, and of a long silence it comes once, when it begins.
        """
        from confluent_kafka import KafkaException

        try:
            self._asking.list_topics(next(iter(self._topics)), timeout=RETRY_SECONDS)
        except KafkaException:
            self._tell("down", NO_ANSWER)
            self._doubted_at = time.monotonic()
        else:
            self._hear()

    def _hear(self) -> None:
        self._doubted_at = math.inf
        if "down" in self._told:
            self._told.discard("down")
            self._say("The Kafka brokers answer again.")

    def _patiently(self, ask: Callable[[], T]) -> T:
        from confluent_kafka import KafkaException

        while True:
            try:
                found = ask()
            except (KafkaException, KeyError):
                if self._is_stopping():
                    raise StoppedError from None
                self._tell("down", NO_ANSWER)
                time.sleep(RETRY_SECONDS)
            else:
                self._hear()
                return found

    def _note(self, error: KafkaError, message: Message | None = None) -> None:
        """Act on what the client reports; only what no waiting can mend ends the reading."""
        code, topic = error.code(), message.topic() if message is not None else None
        if code == error._PARTITION_EOF and message is not None:
            partition = self.partitions.get((topic, message.partition()))  # type: ignore[arg-type]
            if partition is not None:
                partition.seen_end = message.offset() or 0
                self._rest(partition)
        elif error.fatal() or code in {error.TOPIC_AUTHORIZATION_FAILED, error.GROUP_AUTHORIZATION_FAILED}:
            raise UnreachableError(
                f"Kafka refuses: {error.str()}", hint="May the user read the topics and use the group?"
            )
        elif code in {error._AUTHENTICATION, error._SSL}:
            self._tell("denied", f"The Kafka brokers do not let us in: {error.str()}")
        elif code in {error._ALL_BROKERS_DOWN, error._TRANSPORT, error._RESOLVE, error._TIMED_OUT}:
            self._doubted_at = min(self._doubted_at, time.monotonic())
        elif code != error._MAX_POLL_EXCEEDED:
            self._tell(error.name(), f"Kafka reports {error.name()}{f' for {topic}' if topic else ''}.")

    def _rest(self, partition: Partition) -> None:
        """Ask no more for a partition that is read to its end, for a moment.

        Some brokers answer at once that there is nothing, ten thousand times a second. What was fetched in between is
        dropped and fetched again from the client's own position: that has to be ours.
        """
        from confluent_kafka import KafkaException

        here = _at(partition)
        with suppress(KafkaException):
            if self._consumer.position([here])[0].offset == partition.next_offset:
                self._consumer.pause([here])
                self._resting[partition.topic, partition.number] = time.monotonic() + REST_SECONDS

    def _wake(self, now: float = math.inf) -> None:
        """Ask again for partitions that have rested until ``now``."""
        from confluent_kafka import KafkaException, TopicPartition

        due = [place for place, until in self._resting.items() if until <= now]
        for place in due:
            del self._resting[place]
            with suppress(KafkaException):
                self._consumer.resume([TopicPartition(*place)])

    def _tell(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._say(text)


def _stamps_of(messages: Sequence[Message]) -> Callable[[int], tuple[int, int]]:
    return lambda place: messages[place].timestamp()


def _at(partition: Partition) -> TopicPartition:
    from confluent_kafka import TopicPartition

    return TopicPartition(partition.topic, partition.number, partition.next_offset)
