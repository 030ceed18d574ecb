"""What a run or a round did: told to who called it, and remembered in the store."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoplake.errors import AuditFailed, ShoplakeError
from shoplake.pipeline.build import AuditFailure, Step
from shoplake.pipeline.manifest import AuditCounts
from shoplake.store.attempts import Attempt, Attempts, FailedTest, Place
from shoplake.store.ledger_rows import utc_now

if TYPE_CHECKING:
    from shoplake.lake.landing import LandedFile
    from shoplake.store.ledger import Ledger

log = logging.getLogger("shoplake.pipeline")
MOST_PLACES = 20


@dataclass
class RunReport:
    """What a run or a round did; ``as_dict`` is the stable JSON shape of `shoplake run` and `shoplake stream`."""

    release: str | None = None
    published: bool = False
    steps: list[Step] = field(default_factory=list)
    watermarks: dict[str, dt.datetime] = field(default_factory=dict)
    tests: AuditCounts = field(default_factory=lambda: AuditCounts(0, 0))
    failures: tuple[AuditFailure, ...] = ()
    files: list[LandedFile] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON shape: release, published, steps, watermarks, tests."""
        return {
            "release": self.release,
            "published": self.published,
            "steps": self.step_rows(),
            "watermarks": {source: mark.isoformat() + "Z" for source, mark in sorted(self.watermarks.items())},
            "tests": {"passed": self.tests.passed, "failed": self.tests.failed},
        }

    def step_rows(self) -> list[dict[str, Any]]:
        """Give the steps: name, seconds, rows."""
        return [{"name": s.name, "seconds": round(s.seconds, 3), "rows": s.rows} for s in self.steps]


@contextmanager
def remembered(ledger: Ledger, report: RunReport, made_by: str) -> Iterator[None]:
    """Remember in the store what became of a making: what it published, or why it failed.

    Where the store cannot be written, the making goes on, or fails, as it would have without.
    """
    started = utc_now()
    try:
        yield
    except Exception as error:
        if isinstance(error, ShoplakeError):
            told = error
            _record(ledger, lambda: _failed(ledger, report, made_by, started, told))
        raise
    if report.published:
        done = Attempt(made_by, started, "published", report.release, steps=tuple(report.step_rows()))
        _record(ledger, lambda: _counted(done, report.tests))


def _failed(ledger: Ledger, report: RunReport, made_by: str, started: dt.datetime, error: ShoplakeError) -> Attempt:
    is_audit = isinstance(error, AuditFailed)
    attempt = Attempt(
        made_by,
        started,
        "failed",
        code=error.code,
        # What an audit says names values of rows; the tests say the same without them.
        message=error.message.partition("\n")[0].rstrip(":") if is_audit else error.message,
        failed_tests=_tests(ledger, report.failures) if is_audit else (),
        steps=tuple(report.step_rows()),
    )
    return _counted(attempt, report.tests)


def _counted(attempt: Attempt, tests: AuditCounts) -> Attempt:
    return replace(attempt, tests_passed=tests.passed, tests_warned=tests.warned)


def _tests(ledger: Ledger, failures: tuple[AuditFailure, ...]) -> tuple[FailedTest, ...]:
    ids = {row["_file_id"] for failure in failures for row in failure.rows if row.get("_file_id")}
    names = ledger.file_names(file_ids=ids) if ids else {}
    return tuple(
        FailedTest(
            failure.test,
            failure.kind,
            failure.table,
            failure.failures,
            tuple(
                Place(names.get(row["_file_id"], row["_file_id"]), row.get("_line"))
                for row in failure.rows[:MOST_PLACES]
                if row.get("_file_id")
            ),
        )
        for failure in failures
    )


def _record(ledger: Ledger, attempt: Callable[[], Attempt]) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        Attempts(ledger.store).record(attempt())
    except (ShoplakeError, SQLAlchemyError, OSError) as error:
        log.warning("what became of a release could not be remembered: %s", error)
