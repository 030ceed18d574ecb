"""Answers people's SQL, each query in a process of its own, and keeps the record of it."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING, Self

from shoplake.access.sandbox.answering import Refused, answered, asked
from shoplake.access.sandbox.pool import Pool
from shoplake.access.sandbox.question import Answer, Question, RunningQuery
from shoplake.access.sandbox.releases import SeenReleases
from shoplake.access.sandbox.turns import Turns
from shoplake.access.statement import failure, tables_named
from shoplake.errors import InputError, KeyAccessError, NotFoundError, QueryCancelled, QueryError, WorkerLost

if TYPE_CHECKING:
    import pyarrow as pa

    from shoplake.access.identity import Identity
    from shoplake.access.rights import Rights
    from shoplake.access.sandbox.releases import SeenRelease
    from shoplake.access.sandbox.sessions import Worker
    from shoplake.audit.entry import Entry
    from shoplake.settings import Settings

ATTEMPTS = 3
"""As often is a release read anew whose files went away while it was opened."""


@dataclass
class _Running:
    """A query that waits or runs, and the way to end it."""

    query: RunningQuery
    is_cancelled: Event = field(default_factory=Event)
    worker: Worker | None = None

    def check(self) -> None:
        if self.is_cancelled.is_set():
            raise QueryCancelled(f"The query {self.query.query_id} was cancelled.", hint="Ask again if it was not you.")


class Sandbox:
    """Answers queries of people over releases; for several threads."""

    def __init__(self, settings: Settings) -> None:
        """Answer over the releases of a home; `start` starts the processes."""
        self._settings = settings
        self._seen_releases = SeenReleases(settings)
        self._pool = Pool(settings, self._seen_releases)
        self._turns = Turns(settings.sandbox_workers, settings.sandbox_wait_seconds)
        self._running: dict[str, _Running] = {}
        self._lock = Lock()

    def start(self) -> None:
        """Start the processes.

        Raises:
            HomeError: there is no such home.
            WorkerLost: they cannot be started.

        """
        from shoplake.home import require_home

        require_home(self._settings)
        try:
            self._pool.start()
        except BaseException:
            self._pool.close()
            raise

    def close(self) -> None:
        """End all queries and processes."""
        with self._lock:
            names = list(self._running)
        for name in names:
            self.cancel(name)
        self._pool.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def walls(self) -> tuple[str, ...]:
        """Name the walls that stand around queries on this machine, beside the engine's own lock and its limits.

        ``network``: there is none. ``root``: the folder of the session's files is all of the file system. ``user``:
        another user of the operating system. ``files``: only those files can be opened, to be read. ``calls``: system
        calls that only an intruder has a use for fail.
        """
        return self._pool.walls

    def answer(self, identity: Identity, question: Question, *, query_id: str | None = None) -> Answer:
        """Answer one SELECT (or EXPLAIN); the record of it is written before the answer is given.

        Args:
            identity: the person who asks.
            question: what they ask.
            query_id: name of the query, by which it can be cancelled; None makes one.

        Raises:
            QueryError: not a single SELECT, or the engine refuses it, or it needs too much memory.
            AccessDenied: the person may not ask in SQL, or may not see what they ask for.
            NotFoundError: no such release, or no such database for the person.
            QueryTimeout: it took too long.
            QueryCancelled: somebody cancelled it.
            TooManyQueries: it did not get its turn.
            WorkerLost: its process ended before it had answered.
            AuditLogError: the record cannot be written; nothing is shown.

        """
        from shoplake.access.rights import Rights
        from shoplake.audit.entry import Actor, acting_as
        from shoplake.audit.recording import showing

        started = time.perf_counter()
        name = query_id or secrets.token_hex(8)
        given = question.parameters
        shown = (
            {key: str(value) for key, value in given.items()} if hasattr(given, "items") else [str(v) for v in given]
        )
        words: dict[str, object] = {
            "sql": question.sql,
            "parameters": shown,
            "release": question.release,
            "query": name,
        }
        words |= dict(question.noted)
        with acting_as(Actor(identity.name, identity.role)), showing(self._settings, "sql", **words) as entry:
            rights = Rights.of(self._settings, identity)
            rights.require(rights.may_use("sql"), "ask in SQL")
            running = self._begun(name, identity, question)
            try:
                with self._turns.taken(identity.name, running.check):
                    table, is_cut, seen = self._answered(rights, question, running, entry)
            finally:
                with self._lock:
                    del self._running[name]
            entry.show_table(table)
        return Answer(name, seen.release_id, table, is_cut, (time.perf_counter() - started) * 1000)

    def cancel(self, query_id: str) -> bool:
        """End a query that waits or runs; say whether there was one."""
        with self._lock:
            running = self._running.get(query_id)
        if running is None:
            return False
        running.is_cancelled.set()
        self._turns.wake()
        if worker := running.worker:
            worker.kill()
        return True

    def running(self) -> list[RunningQuery]:
        """Give the queries that wait or run, the oldest first."""
        with self._lock:
            return sorted((one.query for one in self._running.values()), key=lambda query: query.started_at)

    def _begun(self, name: str, identity: Identity, question: Question) -> _Running:
        query = RunningQuery(
            name, identity.name, identity.role, question.sql, dt.datetime.now(dt.UTC), question.release
        )
        with self._lock:
            if name in self._running:
                raise InputError(f"A query {name} runs already.", hint="Give each query a name of its own.")
            self._running[name] = _Running(query)
            return self._running[name]

    def _answered(
        self, rights: Rights, question: Question, running: _Running, entry: Entry
    ) -> tuple[pa.Table, bool, SeenRelease]:
        for attempt in range(ATTEMPTS):
            seen = self._seen_releases.seen(rights, question.release)
            entry.release, entry.tables = seen.release_id, tables_named(seen.manifest, question.sql)
            try:
                return *self._asked(rights, question, running, entry, seen), seen
            except (FileNotFoundError, KeyAccessError):
                # A rotation or a sweep took files away between the look at the manifest and the links to them.
                if attempt + 1 == ATTEMPTS:
                    raise
                self._seen_releases.forget()
        raise AssertionError

    def _asked(
        self, rights: Rights, question: Question, running: _Running, entry: Entry, seen: SeenRelease
    ) -> tuple[pa.Table, bool]:
        from shoplake.keys.keyring import note_keys

        if question.database is not None and question.database not in seen.manifest.databases():
            raise NotFoundError(
                f"There is no database {question.database!r} for {rights.identity.name}.",
                hint=f"There are: {', '.join(seen.manifest.databases()) or 'none'}.",
            )
        note_keys(seen.keys)
        words, seconds = asked(self._settings, question, reads_tables=bool(entry.tables))
        with self._pool.worker(seen) as worker:
            running.worker = worker
            try:
                running.check()
                return answered(worker, words, seconds)
            except Refused as refused:
                if refused.kind == "query":
                    raise failure(refused.message, rights, seen.manifest) from refused
                raise QueryError(refused.message, hint="Ask for less, or for fewer days.") from refused
            except WorkerLost:
                running.check()
                raise
            finally:
                running.worker = None
