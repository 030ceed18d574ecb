"""What became of each making of a release is remembered: failures too, the same one again and again as one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from shoplake.store import attempts
from shoplake.store.attempts import Attempt, Attempts, FailedTest, Place
from shoplake.store.engine import Store

AT = dt.datetime(2026, 1, 5, 8)
TEST = FailedTest("fct_sale_lines__key", "unique_combination", "fct_sale_lines", 2, (Place("day.csv", 7),))
FAILED = Attempt("stream", AT, "failed", code="audit", message="1 test failed", failed_tests=(TEST,))
PUBLISHED = Attempt("run", AT, "published", "20260105T080000Z-3f2a91", tests_passed=12, steps=({"name": "plan"},))


@pytest.fixture
def known(store: Store) -> Attempts:
    return Attempts(store)


def test_an_attempt_comes_back_as_it_was_told(known: Attempts) -> None:
    known.record(PUBLISHED)
    known.record(FAILED)
    failed, published = known.newest(10)
    assert (failed.failed_tests, failed.code, failed.times, failed.release_id) == ((TEST,), "audit", 1, None)
    assert (published.release_id, published.tests_passed, published.steps) == (
        PUBLISHED.release_id,
        12,
        PUBLISHED.steps,
    )
    assert published.finished_at is not None
    assert known.of_release("20260105T080000Z-3f2a91") == published
    assert known.of_release("unknown") is None


def test_the_same_failure_again_is_counted_with_the_first(known: Attempts) -> None:
    for _ in range(3):
        known.record(FAILED)
    known.record(replace(FAILED, failed_tests=(replace(TEST, test="another"),)))
    known.record(PUBLISHED)
    known.record(FAILED)
    assert [(a.outcome, a.times) for a in known.newest(10)] == [
        ("failed", 1),
        ("published", 1),
        ("failed", 1),
        ("failed", 3),
    ]
    assert [a.times for a in known.newest(10, outcome="failed")] == [1, 1, 3]


def test_old_ones_are_forgotten_and_failures_outlast_releases(known: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_PUBLISHED", 3)
    known.record(FAILED)
    for number in range(6):
        known.record(replace(PUBLISHED, release_id=f"release-{number}"))
    assert [a.release_id for a in known.newest(10)] == ["release-5", "release-4", "release-3", None]
