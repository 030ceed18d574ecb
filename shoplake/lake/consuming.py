"""Takes Kafka topics into the lake: read ahead while a batch lands, each message once whatever dies in between."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from shoplake.audit.recording import changing
from shoplake.errors import LockedError, PositionMoved
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.sources.kafka import chosen_topics
from shoplake.sources.topics import TopicReader
from shoplake.store.ledger import StreamRange

if TYPE_CHECKING:
    from shoplake.lake.landing import LandedFile
    from shoplake.settings import Settings
    from shoplake.sources.partitions import Messages, Partition

T = TypeVar("T")
BATCH_BYTES = 16 << 20
"""A partition with so much waits no longer: a larger batch lands hardly faster."""
HELD_BYTES = 4 * BATCH_BYTES
"""At so much, reading pauses until a batch has landed."""


@dataclass
class Consumed:
    """What came of one topic; ``as_dict`` is the stable JSON shape of `shoplake consume`."""

    source: str
    topic: str
    batches: int = 0
    rows_read: int = 0
    rows_landed: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Messages by reason of their quarantine."""

    def add(self, landed: LandedFile) -> None:
        """Count a batch."""
        self.batches += 1
        for name in ("rows_read", "rows_landed", "rows_quarantined", "rows_duplicate"):
            setattr(self, name, getattr(self, name) + getattr(landed, name))
        self.reasons.update(landed.reasons)

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"reasons": dict(self.reasons)}


def consume(
    settings: Settings,
    sources: Collection[str] = (),
    *,
    once: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Consumed]:
    """Land what comes in the topics of ``sources`` (none: of all that have one) until asked to stop.

    Args:
        settings: the home, the brokers, the topics.
        sources: sources whose topic is named in the settings.
        once: end when all has landed that the partitions held when they came to us.
        is_stopping: asked often; once true, what has been read lands and the group is left.
        say: told what a person should know: brokers that come and go, messages that were lost.

    Returns:
        One result a topic.

    Raises:
        HomeError: there is no such home.
        InputError: a source has no contract for streams, or no topic; or the topic does not exist.
        SettingsError: the settings name no brokers or topics, or lack a password.
        UnreachableError: no broker answers at the start, or lets us in.

    """
    with ExitStack() as stack:
        stack.enter_context(changing(settings, "consume", sources=sorted(sources)))
        topics = chosen_topics(settings, sources)
        landers = {s: stack.enter_context(_lander(settings, s)) for s in topics.values()}
        worker = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="landing"))
        consuming = _Consuming(settings, topics, landers, worker, is_stopping, say)
        return consuming.run(once=once)


def _lander(settings: Settings, source: str) -> StreamLander:
    return StreamLander(settings, source, threads=settings.threads)


class _Consuming:
    """One call of `consume`: this thread reads, another lands one batch at a time."""

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, str],
        landers: Mapping[str, StreamLander],
        worker: ThreadPoolExecutor,
        is_stopping: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._landers, self._worker = settings, landers, worker
        self._is_stopping, self._say = is_stopping, say
        self._consumed = {topic: Consumed(source, topic) for topic, source in topics.items()}
        self._landing: tuple[Messages, Future[LandedFile]] | None = None
        self._moved: set[str] = set()
        self._beaten: set[str] = set()
        self._reader = TopicReader(
            settings, topics, positions=self._positions, settle=self._settle, is_stopping=is_stopping, say=say
        )

    def run(self, *, once: bool) -> list[Consumed]:
        try:
            while not self._is_stopping() and not (once and self._reader.is_done and self._landing is None):
                self._reader.read(is_full=self._reader.size >= HELD_BYTES)
                self._collect()
                while self._moved:
                    self._reader.restart(self._moved.pop())
                self._land_next(is_ending=once)
            self._drain()
        finally:
            self._reader.close()
        return list(self._consumed.values())

    def _drain(self) -> None:
        """Land what was read; only then leave."""
        self._settle()
        while self._land_next(is_ending=True):
            self._settle()

    def _land_next(self, *, is_ending: bool) -> bool:
        """Begin to land the fullest partition that has waited enough; say whether there was one."""
        if self._landing is not None:
            return False
        held = [p for p in self._reader.partitions.values() if not p.is_empty and p.topic not in self._moved]
        due = [p for p in held if self._is_due(p, is_ending)]
        if not due:
            return False
        messages = max(due, key=lambda p: p.size).take()
        self._landing = messages, self._worker.submit(self._land, messages)
        return True

    def _is_due(self, partition: Partition, is_ending: bool) -> bool:
        if partition.size >= BATCH_BYTES or (is_ending and (partition.is_read or self._is_stopping())):
            return True
        return time.monotonic() - partition.since >= self._settings.kafka_batch_seconds

    def _land(self, messages: Messages) -> LandedFile:
        """Land a batch; runs in the landing thread."""
        where = StreamRange(messages.stream, messages.partition, messages.first_offset, messages.next_offset)
        batch = StreamBatch(where, messages.lines, messages.received_at)
        return self._unlocked(lambda: self._landers[messages.source].land(batch))

    def _positions(self, source: str, stream: str) -> Mapping[int, int]:
        return self._unlocked(lambda: self._landers[source].positions(stream))

    def _unlocked(self, work: Callable[[], T]) -> T:
        """Do what needs the source's lock; a change of keys may hold it for long."""
        while True:
            try:
                return work()
            except LockedError:
                if self._is_stopping():
                    raise

    def _settle(self) -> None:
        """Wait until nothing is landing."""
        self._collect(is_waiting=True)

    def _collect(self, *, is_waiting: bool = False) -> None:
        """See what became of the batch that was landing."""
        if self._landing is None or not (is_waiting or self._landing[1].done()):
            return
        (messages, landing), self._landing = self._landing, None
        try:
            landed = landing.result()
        except PositionMoved:
            landed = None
        if landed is None or landed.status == "unchanged":
            # Another consumer owned the partition in between: what the ledger says is where we go on.
            self._moved.add(messages.topic)
            if messages.topic not in self._beaten:
                self._beaten.add(messages.topic)
                self._say(f"Another consumer landed a part of {messages.topic} first; reading on from where it ended.")
        else:
            self._consumed[messages.topic].add(landed)
            self._reader.commit(messages)
