"""What became of each making of a release, by a run or by a round of a stream; failures are remembered too."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import delete, insert, select, update

from shoplake.store import tables as t
from shoplake.store.ledger_rows import utc_now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shoplake.store.engine import Store

MOST_PUBLISHED, MOST_FAILED = 1_000, 200
"""So many of each are remembered; a stream makes thousands a day."""
LONGEST_MESSAGE = 8_000


@dataclass(frozen=True)
class Place:
    """Where a row came from."""

    file: str
    line: int | None


@dataclass(frozen=True)
class FailedTest:
    """An audit test that did not hold; of the rows only where they came from."""

    test: str
    kind: str
    """The kind of test, such as ``unique_combination``; empty where it is not known."""
    table: str
    rows: int
    """How many rows broke it; 0 where the test itself could not be run."""
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One making of a release, or several that failed in the same way."""

    made_by: str
    started_at: dt.datetime
    outcome: Literal["published", "failed"]
    release_id: str | None = None
    code: str = ""
    """Code of the error."""
    message: str = field(default="", repr=False)
    """What the error said; may hold values of rows."""
    tests_passed: int = 0
    tests_warned: int = 0
    failed_tests: tuple[FailedTest, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    """``name``, ``seconds`` and ``rows`` of each."""
    finished_at: dt.datetime | None = None
    times: int = 1
    first_at: dt.datetime | None = None

    @property
    def is_like(self) -> tuple[Any, ...]:
        """Give what tells one failure from another."""
        tests = tuple(sorted((test.test, test.table) for test in self.failed_tests))
        return self.outcome, self.made_by, self.code, tests or self.message


class Attempts:
    """Reads and writes them."""

    def __init__(self, store: Store) -> None:
        """Keep them in ``store``."""
        self.store = store

    def record(self, attempt: Attempt) -> None:
        """Remember an attempt that has just ended; one that failed as the one before it is counted with that."""
        now = utc_now()
        a = t.release_attempt
        with self.store.writing() as con:
            row = con.execute(select(a).order_by(a.c.id.desc()).limit(1)).first()
            if row is not None and attempt.outcome == "failed" and _attempt(row).is_like == attempt.is_like:
                values = {"started_at": attempt.started_at, "finished_at": now, "times": row.times + 1}
                con.execute(update(a).where(a.c.id == row.id).values(values | _told(attempt)))
                return
            values = {"made_by": attempt.made_by, "outcome": attempt.outcome, "release_id": attempt.release_id}
            values |= {"started_at": attempt.started_at, "finished_at": now, "times": 1, "first_at": now}
            con.execute(insert(a).values(values | {"code": attempt.code} | _told(attempt)))
            _forget_old(con, attempt.outcome)

    def newest(self, limit: int, *, outcome: str | None = None) -> list[Attempt]:
        """List the newest attempts, the newest first."""
        a = t.release_attempt
        query = select(a).order_by(a.c.id.desc()).limit(limit)
        if outcome is not None:
            query = query.where(a.c.outcome == outcome)
        with self.store.reading() as con:
            return [_attempt(row) for row in con.execute(query)]

    def of_release(self, release_id: str) -> Attempt | None:
        """Give the attempt that made a release; None where it is not remembered."""
        a = t.release_attempt
        with self.store.reading() as con:
            row = con.execute(select(a).where(a.c.release_id == release_id).order_by(a.c.id.desc())).first()
        return _attempt(row) if row is not None else None


def _told(attempt: Attempt) -> dict[str, Any]:
    return {
        "message": attempt.message[:LONGEST_MESSAGE],
        "tests_passed": attempt.tests_passed,
        "tests_warned": attempt.tests_warned,
        "failed_tests": [asdict(test) for test in attempt.failed_tests],
        "steps": list(attempt.steps),
    }


def _forget_old(con: Connection, outcome: str) -> None:
    a = t.release_attempt
    most = MOST_FAILED if outcome == "failed" else MOST_PUBLISHED
    oldest = select(a.c.id).where(a.c.outcome == outcome).order_by(a.c.id.desc()).offset(most).limit(1)
    last = con.execute(oldest).scalar()
    if last is not None:
        con.execute(delete(a).where(a.c.outcome == outcome, a.c.id <= last))


def _attempt(row: Any) -> Attempt:  # noqa: ANN401 - SQLAlchemy's Row is not typed
    values = dict(row._mapping)
    values.pop("id")
    tests = tuple(
        FailedTest(**one | {"places": tuple(Place(**place) for place in one["places"])})
        for one in values["failed_tests"]
    )
    return Attempt(**values | {"failed_tests": tests, "steps": tuple(values["steps"])})
