"""What a process that answers many keeps ready: tables of a release in memory, and the answers that it has given.

A release does not change, so that one question within the same rights has one answer. All of it is let go as soon as
another release is served, or the policy or the keys are others; after a release but for what it holds as well: an
answer whose tables it did not change is the new release's answer too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from shoplake.access.kpi_days import DayRows
from shoplake.access.kpi_survival import register
from shoplake.access.session import open_release
from shoplake.access.shelf import Shelf
from shoplake.home import HomePaths
from shoplake.keys.keyring import note_keys, noting_keys
from shoplake.pipeline.manifest import Held
from shoplake.pipeline.releases import current

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.access.kpi_basis import Basis
    from shoplake.pipeline.manifest import Manifest
    from shoplake.settings import Settings

MOST_SESSIONS, MOST_ANSWERS, MOST_ROWS = 8, 2_048, 100_000
LONGEST_ANSWER = 20_000
"""Rows; a longer answer is made again each time."""


@dataclass
class _Session:
    con: DuckDBPyConnection
    keys: frozenset[str]
    users: int = 0
    is_dropped: bool = False


@dataclass(frozen=True)
class _Known:
    answer: KpiAnswer
    keys: frozenset[str]
    """Names of the keys that were opened for it."""
    held: frozenset[Held]


@dataclass
class _Kept:
    """What belongs to one state of the home."""

    state: tuple[object, ...]
    shelf: Shelf
    days: DayRows
    sessions: OrderedDict[Hashable, _Session] = field(default_factory=OrderedDict)
    answers: OrderedDict[Hashable, _Known] = field(default_factory=OrderedDict)
    """By the question and the digest of what it rests on."""
    bases: dict[Hashable, Basis] = field(default_factory=dict)
    """By the question and the release."""
    rows: int = 0

    def remember(self, question: Hashable, known: _Known) -> None:
        """Keep an answer, and forget those that were not asked for the longest where they are too many."""
        if question in self.answers:
            return
        self.answers[question] = known
        self.rows += len(known.answer.rows)
        while len(self.answers) > MOST_ANSWERS or self.rows > MOST_ROWS:
            _, forgotten = self.answers.popitem(last=False)
            self.rows -= len(forgotten.answer.rows)


class Warm:
    """Any thread may use it."""

    def __init__(self, settings: Settings) -> None:
        """Keep nothing yet."""
        self._settings = settings
        self._lock = Lock()
        self._kept = _Kept((), Shelf(settings), DayRows())

    def answer(
        self, question: Hashable, release: str, basis: Callable[[], Basis], make: Callable[[], KpiAnswer]
    ) -> KpiAnswer:
        """Give the answer to a question, made now or known from before, perhaps of an earlier release.

        Args:
            question: all that the answer rests on beside the release, the policy and the keys; the rights of who asks.
            release: id of the release that is asked.
            basis: gives what of the release the answer rests on.
            make: makes it.

        """
        kept = self._current()
        rests_on = self._basis(kept, (release, question), basis)
        which = (question, rests_on.digest)
        with self._lock:
            known = kept.answers.get(which)
            if known is not None:
                if known.answer.release != release:
                    known = kept.answers[which] = replace(known, answer=replace(known.answer, release=release))
                kept.answers.move_to_end(which)
        if known is not None:
            note_keys(known.keys)  # what was opened for the answer is on record with each who is shown it
            return known.answer
        with noting_keys() as keys:
            made = make()
        if len(made.rows) <= LONGEST_ANSWER:
            with self._lock:
                kept.remember(which, _Known(made, frozenset(keys), rests_on.held))
        return made

    def _basis(self, kept: _Kept, question: Hashable, find: Callable[[], Basis]) -> Basis:
        found = kept.bases.get(question)
        if found is None:
            found = find()
            with self._lock:
                if len(kept.bases) >= MOST_ANSWERS:
                    kept.bases.clear()
                kept.bases[question] = found
        return found

    @contextmanager
    def session(
        self, needed: Manifest, whole: Manifest, columns: Collection[str]
    ) -> Iterator[tuple[DuckDBPyConnection, Manifest]]:
        """Give a session over tables, and the release as they stand in it.

        The tables are in memory where they have room there; else a session over their files is opened, unless the same
        was asked before.

        Args:
            needed: the tables, with the partitions that a question reads.
            whole: the same tables with all of their partitions.
            columns: names of the columns that KPIs read.

        Raises:
            KeyAccessError: a key is missing or wrong.

        """
        kept, which = self._current(), _files(needed)
        with kept.shelf.lent(which, needed, whole, columns) as lent:
            if lent is not None:
                yield lent
                return
        with self._over_files(kept, which, needed) as con:
            yield con, needed

    @contextmanager
    def _over_files(self, kept: _Kept, which: Hashable, manifest: Manifest) -> Iterator[DuckDBPyConnection]:
        with self._lock:
            found = kept.sessions.get(which)
            if found is not None:
                kept.sessions.move_to_end(which)
                found.users += 1
        if found is None:
            found = self._open(manifest)
            self._keep(kept, which, found)
        else:
            note_keys(found.keys)
        cursor = found.con.cursor()
        try:
            yield cursor
        except Exception:
            self._drop(kept, which, found)  # its files may be gone
            raise
        finally:
            cursor.close()
            self._give_back(found)

    def days(self) -> DayRows:
        """Give the figures by day that are known."""
        return self._current().days

    def close(self) -> None:
        """Let everything go; sessions in use close when they are given back."""
        with self._lock:
            old, self._kept = self._kept, _Kept((), Shelf(self._settings), DayRows())
            for session in old.sessions.values():
                _end(session)
        old.shelf.close()

    def count(self) -> int:
        """Count the open sessions, those over tables in memory included."""
        return len(self._kept.sessions) + self._kept.shelf.count()

    def bytes_used(self) -> int:
        """Give the memory that tables take."""
        return self._kept.shelf.bytes_used()

    def _current(self) -> _Kept:
        """Give what belongs to the home as it is now, and let go what belonged to an earlier state."""
        state = self._state()
        with self._lock:
            old = self._kept
            if old.state == state:
                return old
            is_release_only = old.state[2:] == state[2:]
            shelf, days = (old.shelf, old.days) if is_release_only else (Shelf(self._settings), DayRows())
            self._kept = now = _Kept(state, shelf, days)
            for session in old.sessions.values():
                _end(session)
        if not is_release_only:
            old.shelf.close()
            return now
        served = current(self._settings)
        held = served.held() if served else frozenset[Held]()
        now.shelf.keep_only(held)
        now.days.keep_only(held)
        with self._lock:
            for question, known in old.answers.items():
                if known.held <= held:
                    now.remember(question, known)
        return now

    def _state(self) -> tuple[object, ...]:
        """Give what marks the served release (the pointer, its manifest), then the policy and the keys."""
        paths = HomePaths(self._settings.home)
        served = _mark(paths.pointer)
        try:
            manifest = _mark(paths.manifests / f"{paths.pointer.read_text(encoding='ascii').strip()}.json")
        except OSError:
            manifest = None
        return served, manifest, _mark(self._settings.home / "policy.yaml"), _mark(paths.keyring)

    def _open(self, manifest: Manifest) -> _Session:
        with noting_keys() as keys:
            con = open_release(self._settings, manifest)
        register(con)
        return _Session(con, frozenset(keys), users=1)

    def _keep(self, kept: _Kept, which: Hashable, session: _Session) -> None:
        with self._lock:
            if kept is not self._kept or which in kept.sessions:
                session.is_dropped = True
                return
            kept.sessions[which] = session
            while len(kept.sessions) > MOST_SESSIONS:
                _end(kept.sessions.popitem(last=False)[1])

    def _drop(self, kept: _Kept, which: Hashable, session: _Session) -> None:
        with self._lock:
            if kept.sessions.get(which) is session:
                del kept.sessions[which]
            session.is_dropped = True

    def _give_back(self, session: _Session) -> None:
        with self._lock:
            session.users -= 1
            if session.is_dropped and not session.users:
                session.con.close()


def _end(session: _Session) -> None:
    session.is_dropped = True
    if not session.users:
        session.con.close()


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _files(manifest: Manifest) -> Hashable:
    """Name what a session over a manifest shows: the very files and columns, under the very keys."""
    shown: list[Any] = [
        (table.database, name, tuple(table.columns), table.key_name, table.partitions)
        for name, table in manifest.tables.items()
    ]
    return tuple(shown)
