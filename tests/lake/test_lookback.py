"""Repeated keys are found among hashes, however they collide; what a writer noted is what a reader would count."""

from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shoplake.lake.lookback import Written, has_repeats, written_file

# Few values for each group of twenty bits, so that places collide all the time.
FEW_BITS = st.builds(lambda a, b, c: a | b << 20 | c << 40, *[st.integers(0, 3)] * 3)


@given(st.lists(FEW_BITS, max_size=60))
def test_repeats_are_found_among_colliding_hashes(numbers: list[int]) -> None:
    assert has_repeats(np.array(numbers, np.uint64)) == (len(set(numbers)) < len(numbers))


def test_one_repeat_among_many() -> None:
    digests = np.random.default_rng(1).integers(0, 2**64, 300_000, dtype=np.uint64)
    assert not has_repeats(digests)
    digests[123] = digests[250_000]
    assert has_repeats(digests)


def test_chosen_numbers_of_one_place() -> None:
    digests = np.arange(50_000, dtype=np.uint64) << np.uint64(60)
    assert has_repeats(digests)
    assert not has_repeats(np.arange(16, dtype=np.uint64) << np.uint64(60))


def test_nothing_written() -> None:
    assert written_file([], "at") == Written(0, None, None, has_flags=False)


def test_times_count_only_if_each_row_has_one() -> None:
    day = {"min": "2026-01-02 03:04:05", "max": "2026-01-02 03:04:05.5", "null_count": "1"}
    columns = {'"at"': day, '"_flags"': {"min": "0", "max": "4"}}
    assert written_file([("f", 3, 1, 1, columns, None)], "at") == Written(3, None, None, has_flags=True)
    columns = {'"at"': day | {"null_count": "0"}, '"_flags"': {"min": "0", "max": "0"}}
    last = dt.datetime(2026, 1, 2, 3, 4, 5, 500_000)
    expected = Written(3, dt.datetime(2026, 1, 2, 3, 4, 5), last, has_flags=False)
    assert written_file([("f", 3, 1, 1, columns, None)], "at") == expected
    assert written_file([("f", 3, 1, 1, {}, None)], None) == Written(3, None, None, has_flags=True)
