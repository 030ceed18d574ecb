"""What was read of a topic's partition and has not landed, and under which name the ledger knows the topic."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

TOMBSTONE, NOTHING = b"null", b'""'
"""How a message without a value, and one with an empty value, stand in quarantine."""
LONGEST_GAP = 10_000
"""Missing offsets (compacted, or a transaction's marks) that a batch spans; at a longer gap it ends."""


@dataclass(frozen=True)
class Messages:
    """Messages of one partition in their order, ready to land."""

    source: str
    stream: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    """The first offset after them."""
    pieces: list[bytes]
    """Stretches of lines, one line an offset from ``first_offset``; empty where the topic has no message."""
    received_at: dt.datetime
    """When the broker or the producer stamped the first one (UTC)."""
    event_keys: list[tuple[int, bytes]]
    """(place among the lines, key) of events that the topic may hold twice."""


@dataclass
class Partition:
    """A partition that this consumer owns."""

    source: str
    stream: str
    topic: str
    number: int
    next_offset: int
    """The offset that is to be read next."""
    end: int
    """Where the partition ended when this consumer came to own it."""
    seen_end: int = -1
    """Where the broker last said that the partition ends."""
    first_offset: int = field(init=False)
    pieces: list[bytes] = field(default_factory=list)
    """What is held, in stretches of lines: a message on its own would be touched again when the cache has lost it."""
    size: int = 0
    """Bytes held, without line breaks."""
    since: float = 0.0
    """Moment (monotonic seconds) at which the first line held was read."""
    received_at: dt.datetime | None = None
    event_keys: list[tuple[int, bytes]] = field(default_factory=list)
    _full: deque[Messages] = field(default_factory=deque)
    """What was held before a long gap."""

    def __post_init__(self) -> None:
        """Hold nothing yet."""
        self.first_offset = self.next_offset

    @property
    def is_read(self) -> bool:
        """Whether all has been read that was there when the partition came."""
        return max(self.next_offset, self.seen_end) >= self.end

    @property
    def is_empty(self) -> bool:
        """Whether everything that was read has been taken."""
        return not self.pieces and not self._full

    def add(
        self,
        offset: int,
        value: bytes | None,
        timestamp: Callable[[], tuple[int, int]],
        event_key: bytes | None = None,
    ) -> None:
        """Hold a message; one that is held or has landed already is passed over.

        Args:
            offset: its place in the partition.
            value: what it says; None for a tombstone.
            timestamp: gives kind and milliseconds since 1970 of its stamp, as the client does.
            event_key: tells it from other events, if the topic may hold it twice.

        """
        gap = offset - self.next_offset
        if gap < 0:
            return
        if gap > LONGEST_GAP:
            if self.pieces:
                self._full.append(self._close())
            self.first_offset, gap = offset, 0
        if not self.pieces:
            self.since, self.received_at = time.monotonic(), _moment(*timestamp())
        if gap:
            self.pieces.append(b"\n" * (gap - 1))
        line = TOMBSTONE if value is None else value if value.strip() else NOTHING
        if event_key is not None:
            self.event_keys.append((offset - self.first_offset, event_key))
        self.pieces.append(joined([line]))
        self.size += len(line)
        self.next_offset = offset + 1

    def extend(
        self,
        offsets: Sequence[int],
        values: Sequence[bytes | None],
        timestamp: Callable[[int], tuple[int, int]],
        event_keys: Sequence[bytes | None] | None = None,
    ) -> None:
        """Hold many messages as `add` does each; ``timestamp`` gives the stamp of the one at a place among them."""
        count = len(offsets)
        follow = offsets[0] == self.next_offset and list(offsets) == list(range(offsets[0], offsets[0] + count))
        if not (follow and all(values) and not any(map(bytes.isspace, values))):  # type: ignore[arg-type]
            keys = event_keys or [None] * count
            for place, (offset, value, key) in enumerate(zip(offsets, values, keys, strict=True)):
                self.add(offset, value, partial(timestamp, place), key)
            return
        if not self.pieces:
            self.since, self.received_at = time.monotonic(), _moment(*timestamp(0))
        held = self.next_offset - self.first_offset
        self.event_keys += [(held + place, key) for place, key in enumerate(event_keys or ()) if key is not None]
        self.pieces.append(joined(values))  # type: ignore[arg-type]
        self.size += len(self.pieces[-1]) - (count - 1)
        self.next_offset += count

    def take(self) -> Messages:
        """Give what is held up to a long gap, and hold it no longer."""
        taken = self._full.popleft() if self._full else self._close()
        self.size -= sum(map(len, taken.pieces)) + len(taken.pieces) - (taken.next_offset - taken.first_offset)
        return taken

    def _close(self) -> Messages:
        closed = Messages(
            self.source,
            self.stream,
            self.topic,
            self.number,
            self.first_offset,
            self.next_offset,
            self.pieces,
            self.received_at or dt.datetime.now(dt.UTC),
            self.event_keys,
        )
        self.first_offset, self.pieces, self.received_at, self.event_keys = self.next_offset, [], None, []
        return closed


def joined(events: Sequence[bytes]) -> bytes:
    """Give JSON objects as lines; a line break within one stands between its values, and becomes a space."""
    lines = b"\n".join(events)
    if lines.count(b"\n") == len(events) - 1 and b"\r" not in lines:
        return lines
    return b"\n".join(event.replace(b"\n", b" ").replace(b"\r", b" ") for event in events)


def _moment(kind: int, milliseconds: int) -> dt.datetime:
    """Give a message's time (UTC), but none in the future; the clock's where it has none."""
    now = dt.datetime.now(dt.UTC)
    if not kind or not 0 <= milliseconds <= now.timestamp() * 1000:
        return now
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)


@dataclass(frozen=True)
class TopicState:
    """What is known of a topic at one moment."""

    stream: str
    landed: Mapping[int, int]
    """By partition, the first offset that has not landed."""
    edges: Mapping[int, tuple[int, int]]
    """By partition, the first offset that the broker has, and the first that it does not have yet."""
    is_made_anew: bool = False
    """Whether the broker has less than has landed: the topic counts from 0 again."""

    def start(self, partition: int) -> int:
        """Give the offset from which a partition is to be read."""
        low, _ = self.edges.get(partition, (0, 0))
        return max(self.landed.get(partition, low), low)

    def lost(self, partition: int) -> int:
        """Count the messages that the broker removed before they were read."""
        return self.start(partition) - self.landed[partition] if partition in self.landed else 0


def stream_name(topic: str, topic_id: str, generation: int) -> str:
    """Name the stream of a topic in the ledger.

    A topic that was deleted and made again counts its messages from 0 again: it is another stream. Brokers tell by
    an id; where they do not, or lost a part of the topic, we number the generations.
    """
    name = f"kafka/{topic}" + (f"/{topic_id}" if topic_id else "")
    return name + (f"~{generation}" if generation else "")


def state_of(
    topic: str,
    topic_id: str,
    positions: Callable[[str], Mapping[int, int]],
    edges: Mapping[int, tuple[int, int]],
) -> TopicState:
    """Find under which name a topic lands, and how far it has landed.

    Args:
        topic: its name.
        topic_id: the broker's id of it, empty if it gives none.
        positions: gives what the ledger knows of a stream.
        edges: first and next offset of every partition of the topic.

    """
    generation, landed = 0, positions(stream_name(topic, topic_id, 0))
    while later := positions(stream_name(topic, topic_id, generation + 1)):
        generation, landed = generation + 1, later
    if any(offset > edges.get(partition, (0, 0))[1] for partition, offset in landed.items()):
        return TopicState(stream_name(topic, topic_id, generation + 1), {}, edges, is_made_anew=True)
    return TopicState(stream_name(topic, topic_id, generation), landed, edges)
