"""Offsets, gaps and empty messages become lines that keep their place; a topic made anew is another stream."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace

import pytest

from shoplake.sources.partitions import LONGEST_GAP, NOTHING, TOMBSTONE, Messages, Partition, state_of


def stamped(milliseconds: int = 1_772_366_400_000) -> tuple[int, int]:
    return 1, milliseconds


def held(partition: Partition, *messages: tuple[int, bytes | None]) -> None:
    for offset, value in messages:
        partition.add(offset, value, stamped)


def partition(next_offset: int = 0, end: int = 0) -> Partition:
    return Partition("web_events", "kafka/web", "web", 3, next_offset, end)


def lines_of(messages: Messages) -> list[bytes]:
    return b"\n".join(messages.pieces).split(b"\n")


def test_lines_stand_at_their_offsets_and_gaps_are_empty_lines() -> None:
    found = partition(5)
    held(found, (7, b"{}"), (8, None), (9, b" \n"), (12, b"x"))
    messages = found.take()
    assert (messages.first_offset, messages.next_offset) == (5, 13)
    assert lines_of(messages) == [b"", b"", b"{}", TOMBSTONE, NOTHING, b"", b"", b"x"]
    assert messages.received_at == dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    assert (found.is_empty, found.size, found.first_offset) == (True, 0, 13)


def test_a_message_that_is_held_or_has_landed_is_passed_over() -> None:
    found = partition(5)
    held(found, (4, b"landed"), (5, b"a"), (5, b"again"), (6, b"b"))
    assert lines_of(found.take()) == [b"a", b"b"]


def test_a_batch_ends_at_a_long_gap_and_the_next_begins_behind_it() -> None:
    found, far = partition(), 2 * LONGEST_GAP
    held(found, (0, b"a"), (far, b"b"), (far + 1, b"c"))
    assert found.size == 3
    first, second = found.take(), found.take()
    assert (first.first_offset, first.next_offset, lines_of(first)) == (0, 1, [b"a"])
    assert (second.first_offset, second.next_offset, lines_of(second)) == (far, far + 2, [b"b", b"c"])
    assert (found.is_empty, found.size) == (True, 0)


@pytest.mark.parametrize(
    "messages",
    [
        [(5, b"a"), (6, b"b"), (7, b"c")],
        [(5, b"a"), (6, None), (7, b" \r\n"), (8, b"")],
        [(6, b"after a gap"), (7, b"b")],
        [(5, b"a"), (7, b"b")],
        [(5, b"{\n}"), (6, b"a\r"), (7, b"b")],
        [(4, b"landed"), (5, b"a"), (5, b"again"), (6, b"b")],
        [(5, b"a"), (5 + 2 * LONGEST_GAP, b"b"), (6 + 2 * LONGEST_GAP, b"c")],
        [(7, b"c"), (6, b"late"), (8, b"d")],
    ],
)
def test_many_messages_at_once_are_held_as_one_by_one(messages: list[tuple[int, bytes | None]]) -> None:
    stamps = [stamped(1_772_366_400_000 + 1000 * n) for n in range(len(messages))]
    single, bulk = partition(5), partition(5)
    for (offset, value), stamp in zip(messages, stamps, strict=True):
        single.add(offset, value, lambda stamp=stamp: stamp)  # type: ignore[misc]
    bulk.extend(
        [offset for offset, _ in messages], [value for _, value in messages], stamps.__getitem__, [None] * len(messages)
    )
    assert (bulk.size, bulk.next_offset) == (single.size, single.next_offset)
    while not single.is_empty:
        one, other = bulk.take(), single.take()
        assert lines_of(one) == lines_of(other)
        assert replace(one, pieces=[]) == replace(other, pieces=[])
    assert (bulk.is_empty, bulk.size) == (True, 0)


def test_a_partition_is_read_when_its_end_was_seen_even_if_no_message_stands_there() -> None:
    found = partition(0, end=10)
    held(found, (7, b"a"))
    assert not found.is_read
    found.seen_end = 10  # what follows the last message are marks of transactions
    assert found.is_read


def test_a_stamp_from_the_future_or_none_at_all_is_now() -> None:
    ahead = int(time.time() * 1000) + 3_600_000
    for kind, milliseconds in ((1, ahead), (0, 0), (1, -1)):
        found = partition()
        found.add(0, b"a", lambda k=kind, m=milliseconds: (k, m))  # type: ignore[misc]
        assert abs((found.take().received_at - dt.datetime.now(dt.UTC)).total_seconds()) < 5


def test_a_topic_goes_on_where_it_has_landed_and_new_partitions_begin_at_their_start() -> None:
    known = {"kafka/web": {0: 40}}
    state = state_of("web", "", lambda s: known.get(s, {}), {0: (0, 50), 1: (7, 9)})
    assert (state.stream, state.start(0), state.start(1), state.is_made_anew) == ("kafka/web", 40, 7, False)


def test_messages_that_were_removed_unread_are_counted() -> None:
    known = {"kafka/web": {0: 40}}
    state = state_of("web", "", lambda s: known.get(s, {}), {0: (45, 50)})
    assert (state.start(0), state.lost(0)) == (45, 5)


def test_a_topic_with_less_than_has_landed_is_a_new_generation_for_all_its_partitions() -> None:
    known = {"kafka/web": {0: 40, 1: 40}}
    edges = {0: (0, 3), 1: (0, 90)}
    state = state_of("web", "", lambda s: known.get(s, {}), edges)
    assert (state.stream, state.start(1), state.is_made_anew) == ("kafka/web~1", 0, True)
    known["kafka/web~1"] = {0: 3}  # a consumer has landed of it: the others find it
    state = state_of("web", "", lambda s: known.get(s, {}), {0: (0, 99), 1: (0, 90)})
    assert (state.stream, state.start(0), state.start(1), state.is_made_anew) == ("kafka/web~1", 3, 0, False)


def test_a_topic_with_an_id_of_its_own_is_a_stream_of_its_own() -> None:
    known = {"kafka/web/one": {0: 40}}
    state = state_of("web", "two", lambda s: known.get(s, {}), {0: (0, 90)})
    assert (state.stream, state.start(0), state.is_made_anew) == ("kafka/web/two", 0, False)
