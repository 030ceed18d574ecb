"""Takes Kafka topics into the lake: read ahead while a batch lands, each message once whatever dies in between."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, TypeVar

from shoplake.audit.recording import changing
from shoplake.errors import LockedError, PositionMoved
from shoplake.lake.landing_processes import LandingProcesses
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.sources.kafka import chosen_topics
from shoplake.sources.topics import READ_SECONDS, TopicReader
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
LARGE_BYTES = 4 << 20
"""A batch from here on lands in a process of its own; smaller ones are not worth its start."""
LOOK_SECONDS = 0.02
"""How long a landed batch may go unnoticed."""
SETTLE_RATIO = 1 / 3
"""Part of a session for which a change of partitions waits for the batches that are landing."""


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
        HomeError: there is no such home, or its disk is full or fails.
        InputError: a source has no contract for streams, or no topic; or the topic does not exist.
        SettingsError: the settings name no brokers or topics, or lack a password.
        UnreachableError: no broker answers at the start, or lets us in.

    """
    with ExitStack() as stack:
        stack.enter_context(changing(settings, "consume", sources=sorted(sources)))
        topics = chosen_topics(settings, sources)
        workers = settings.threads
        landers = {source: _Landers(settings, source, workers, stack) for source in topics.values()}
        pool = stack.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="landing"))
        processes = LandingProcesses(settings, topics.values(), workers, say) if workers > 1 else None
        if processes is not None:
            stack.callback(processes.close)
        return _Consuming(settings, topics, landers, processes, pool, workers, is_stopping, say).run(once=once)


class _Landers:
    """The landers of a source, one for each batch that may land at the same time."""

    def __init__(self, settings: Settings, source: str, count: int, stack: ExitStack) -> None:
        # The one that was used last comes first: the others need not be opened.
        self._idle: LifoQueue[StreamLander] = LifoQueue()
        # One more, so that positions can be asked for while batches wait for what somebody else holds.
        for _ in range(count + 1):
            self._idle.put(stack.enter_context(StreamLander(settings, source)))

    @contextmanager
    def one(self) -> Iterator[StreamLander]:
        """Give one that nobody else uses meanwhile."""
        lander = self._idle.get()
        try:
            yield lander
        finally:
            self._idle.put(lander)


class _Consuming:
    """One call of `consume`: this thread reads, others land batches, of each partition one at a time."""

    def __init__(
        self,
        settings: Settings,
        topics: Mapping[str, str],
        landers: Mapping[str, _Landers],
        processes: LandingProcesses | None,
        pool: ThreadPoolExecutor,
        workers: int,
        is_stopping: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._settings, self._landers, self._pool, self._workers = settings, landers, pool, workers
        self._processes, self._is_stopping, self._say = processes, is_stopping, say
        self._consumed = {topic: Consumed(source, topic) for topic, source in topics.items()}
        self._landing: list[tuple[Messages, Future[LandedFile]]] = []
        self._moved: set[str] = set()
        self._beaten: set[str] = set()
        self._reader = TopicReader(
            settings, topics, positions=self._positions, settle=self._settle, is_stopping=is_stopping, say=say
        )

    def run(self, *, once: bool) -> list[Consumed]:
        try:
            while not self._is_stopping() and not (once and self._reader.is_done and not self._landing):
                self._read()
                self._collect()
                while self._moved:
                    self._reader.restart(self._moved.pop())
                self._land_next(is_ending=once)
            self._drain()
        finally:
            self._reader.close()
        return list(self._consumed.values())

    def _read(self) -> None:
        """Read on; where memory is full, wait for a batch to land, and only show the group that we live."""
        if self._processes is not None and self._reader.size >= LARGE_BYTES:
            self._processes.are_ready()  # they start, if they have not, while more is read
        if self._landing and self._reader.size >= HELD_BYTES:
            wait([landing for _, landing in self._landing], READ_SECONDS, FIRST_COMPLETED)
            self._reader.read(most=1, seconds=0)
        else:
            self._reader.read(seconds=LOOK_SECONDS if self._landing else READ_SECONDS)

    def _drain(self) -> None:
        """Land what was read; only then leave."""
        self._collect(is_waiting=True)
        while self._land_next(is_ending=True):
            self._collect(is_waiting=True)

    def _land_next(self, *, is_ending: bool) -> bool:
        """Begin to land the fullest partitions that have waited enough; say whether there was one."""
        busy = {(messages.topic, messages.partition) for messages, _ in self._landing}
        held = [p for p in self._reader.partitions.values() if not p.is_empty and p.topic not in self._moved]
        due = [p for p in held if (p.topic, p.number) not in busy and self._is_due(p, is_ending)]
        due.sort(key=lambda p: p.size, reverse=True)
        chosen = due[: self._workers - len(self._landing)]
        for partition in chosen:
            messages = partition.take()
            self._landing.append((messages, self._pool.submit(self._land, messages)))
        return bool(chosen)

    def _is_due(self, partition: Partition, is_ending: bool) -> bool:
        if partition.size >= BATCH_BYTES or (is_ending and (partition.is_read or self._is_stopping())):
            return True
        return time.monotonic() - partition.since >= self._settings.kafka_batch_seconds

    def _land(self, messages: Messages) -> LandedFile:
        """Land a batch; runs in a landing thread, which does it or waits for the process that does."""
        where = StreamRange(messages.stream, messages.partition, messages.first_offset, messages.next_offset)
        batch = StreamBatch(where, b"\n".join(messages.pieces), messages.received_at, messages.event_keys)
        messages.pieces.clear()  # they are not held twice
        if self._processes is not None and len(batch.lines) >= LARGE_BYTES and self._processes.are_ready():
            processes = self._processes
            landed = self._unlocked(lambda: processes.land(messages.source, batch))
            if landed is not None:
                return landed
        with self._landers[messages.source].one() as lander:
            return self._unlocked(lambda: lander.land(batch))

    def _positions(self, source: str, stream: str) -> Mapping[int, int]:
        with self._landers[source].one() as lander:
            return self._unlocked(lambda: lander.positions(stream))

    def _unlocked(self, work: Callable[[], T]) -> T:
        """Do what needs the source's lock; a change of keys may hold it for long."""
        while True:
            try:
                return work()
            except LockedError:
                if self._is_stopping():
                    raise

    def _settle(self) -> None:
        """Wait until nothing is landing, so that what is read next begins after it; but not for long.

        The whole group waits meanwhile, and what is landing may itself wait for one of its members, that somebody
        stopped. Whatever lands later, the ledger lets only one land it.
        """
        if self._landing:
            landings = [landing for _, landing in self._landing]
            wait(landings, timeout=self._settings.kafka_session_seconds * SETTLE_RATIO)
            self._collect()

    def _collect(self, *, is_waiting: bool = False) -> None:
        """See what became of the batches that were landing."""
        waiting, self._landing = self._landing, []
        for messages, landing in waiting:
            if is_waiting or landing.done():
                self._note(messages, landing)
            else:
                self._landing.append((messages, landing))

    def _note(self, messages: Messages, landing: Future[LandedFile]) -> None:
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
