"""What states, failed tests and errors mean, for whoever reads the page; all of it is translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.portal.pages.language import Language
    from shoplake.store.attempts import FailedTest

STATES = {
    "on time": "on time",
    "late": "late",
    "landed": "landed",
    "nothing landed": "nothing landed",
    "failed": "failed",
    "refused": "refused",
    "published": "published",
    "batch": "files",
    "stream": "stream",
    "reference": "reference data",
    "run": "run",
    "replayed": "landed since",
    "open": "waits",
    "discarded": "replaced by a later file",
}
MEANINGS = {
    "unique_combination": "Rows that must be unique share a key: something was counted twice.",
    "counted_once": "A landed row stands in the table twice: sums of these days would be too high.",
    "never_null": "A value is missing that every row must have.",
    "not_negative": "A value that cannot be negative is.",
    "refers_to": "Rows name something that the table of its names does not hold.",
    "reconciles_with_lake": "The table does not hold exactly the rows that have landed on these days.",
    "counts_daily_rows": "The rows of a day are not as many as those of the table that they come from.",
    "same_daily_sums": "The sums of a day are not those of the table that they come from.",
    "every_row": "Rows contradict themselves: a rule between their columns does not hold.",
    "": "A rule that every release has to keep does not hold.",
}
CODES = {
    "audit": "Tests that a release has to pass did not hold. Nothing was published; the last good release is served.",
    "build": "A model could not be built. Nothing was published; the last good release is served.",
    "home": "The disk is full or fails. Nothing was published; the last good release is served.",
    "": "It broke off. Nothing was published; the last good release is served.",
}
MEASURES = {
    "landed": "Rows landed",
    "quarantined": "Quarantined",
    "repaired": "Repaired",
    "duplicate": "Exact duplicates",
}
UNRUNNABLE = "The test itself could not be run."


def meaning_of(language: Language, test: FailedTest) -> str:
    """Say what it means that a test did not hold."""
    if test.rows == 0:
        return language.text(UNRUNNABLE)
    return language.text(MEANINGS.get(test.kind, MEANINGS[""]))


def test_title(test: FailedTest) -> str:
    """Give a test's name as words, without the table that stands beside it."""
    return test.test.replace(test.table, "").strip("_").replace("_", " ") or test.test


def failure_of(language: Language, code: str) -> str:
    """Say what a failure means."""
    return language.text(CODES.get(code, CODES[""]))
