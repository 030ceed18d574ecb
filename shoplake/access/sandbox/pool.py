"""Which sessions are open: those in use, until what they show changes or nobody has asked them for a while."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from shoplake.access.sandbox.server import ForkServer
from shoplake.access.sandbox.sessions import Session, Worker
from shoplake.access.sandbox.staging import Staging
from shoplake.errors import SettingsError, ShoplakeError, WorkerLost
from shoplake.pipeline.releases import served_id

if TYPE_CHECKING:
    from shoplake.access.sandbox.releases import SeenRelease, SeenReleases
    from shoplake.settings import Settings

MOST_OPEN = 16
LOOK_SECONDS, IDLE_SECONDS, REPLACED_SECONDS = 1.0, 900.0, 60.0
"""How often to look; how long a session of the served release stays unused, and one of another."""
MOST_READY = 4


class Pool:
    """Gives workers of sessions; for several threads."""

    def __init__(self, settings: Settings, seen_releases: SeenReleases) -> None:
        """Open nothing yet."""
        self._settings, self._seen_releases = settings, seen_releases
        self._server = ForkServer()
        self._uid, self._gid = _user(settings)
        self._staging: Staging | None = None
        self._sessions: dict[str, Session] = {}
        self._opening: dict[str, Lock] = {}
        self._free = list(range(MOST_OPEN))
        self._lock = Lock()
        self._ended = Event()
        self._keeper = Thread(target=self._keep, name="sandbox-keeper", daemon=True)
        self.walls: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the fork server, and try an empty session.

        Raises:
            WorkerLost: processes cannot be started.

        """
        self._staging = Staging(self._settings)
        self._server.start()
        session = self._new(None)
        self.walls = session.walls
        self._release_slot(session)
        self._keeper.start()

    def close(self) -> None:
        """End all processes, and remove their files."""
        self._ended.set()
        if self._keeper.is_alive():
            self._keeper.join()
        with self._lock:
            gone = list(self._sessions.values())
            self._sessions.clear()
        for session in gone:
            session.close()
        self._server.close()
        if self._staging is not None:
            self._staging.close()

    @property
    def server_pid(self) -> int | None:
        """Give the process that the others are forked from."""
        return self._server.pid

    @contextmanager
    def worker(self, seen: SeenRelease) -> Iterator[Worker]:
        """Give a worker for one query over a release as somebody sees it; it ends with the block.

        Raises:
            WorkerLost: there is none to be had.
            FileNotFoundError: a partition went away; read the manifest anew.

        """
        session, worker = self._taken(seen)
        try:
            yield worker
        finally:
            worker.close()
            self._returned(session)

    def _taken(self, seen: SeenRelease) -> tuple[Session, Worker]:
        for is_last in (False, True):
            session = self._session(seen)
            try:
                return session, session.worker()
            except WorkerLost:
                self._retire(session)
                self._returned(session)
                if is_last:
                    raise
        raise AssertionError

    def _session(self, seen: SeenRelease) -> Session:
        """Give the open session for what somebody sees, in use once more; open it if it is not."""
        with self._lock:
            found = self._used(seen)
            opening = self._opening.setdefault(seen.digest, Lock())
        if found:
            return found
        with opening:
            with self._lock:
                found = self._used(seen)
            if found:
                return found
            session = self._new(seen)
            with self._lock:
                self._sessions[seen.digest] = session
                self._opening.pop(seen.digest, None)
                session.users += 1
            return session

    def _used(self, seen: SeenRelease) -> Session | None:
        found = self._sessions.get(seen.digest)
        if found is not None:
            found.users += 1
            found.used_at = time.monotonic()
        return found

    def _new(self, seen: SeenRelease | None) -> Session:
        assert self._staging is not None  # noqa: S101 - `start` has made it
        slot = self._slot()
        try:
            uid = self._uid
            if uid is not None and self._settings.sandbox_first_uid:
                uid = self._settings.sandbox_first_uid + slot
            staged = self._staging.lay_out(seen.manifest if seen else None, uid, self._gid)
            ready = min(MOST_READY, self._settings.sandbox_workers)
            return Session(self._server, staged, seen, ready, slot)
        except BaseException:
            with self._lock:
                self._free.append(slot)
            raise

    def _slot(self) -> int:
        """Take a free place; make one by closing the session that was used least lately.

        Raises:
            WorkerLost: all are in use.

        """
        with self._lock:
            idle = sorted((s for s in self._sessions.values() if not s.users), key=lambda session: session.used_at)
        if not self._free and idle:
            self._retire(idle[0])
        with self._lock:
            if not self._free:
                raise WorkerLost("Queries of too many different rights run.", hint="Ask again in a while.")
            return self._free.pop(0)

    def _returned(self, session: Session) -> None:
        with self._lock:
            session.users -= 1
            is_over = session.is_retired and not session.users
        if is_over:
            self._release_slot(session)
        elif not session.is_retired:
            session.refill()

    def _retire(self, session: Session) -> None:
        """Give a session to nobody any more; it closes with its last query."""
        with self._lock:
            if session.is_retired:
                return
            session.is_retired = True
            if session.seen and self._sessions.get(session.seen.digest) is session:
                del self._sessions[session.seen.digest]
            is_over = not session.users
        if is_over:
            self._release_slot(session)

    def _release_slot(self, session: Session) -> None:
        session.close()
        with self._lock:
            self._free.append(session.slot)

    def _keep(self) -> None:
        """Retire what has changed, or is of no use, until the end."""
        while not self._ended.wait(LOOK_SECONDS):
            with self._lock:
                sessions = list(self._sessions.values())
            for session in sessions:
                with suppress(ShoplakeError, OSError):
                    if not self._is_of_use(session):
                        self._retire(session)

    def _is_of_use(self, session: Session) -> bool:
        if session.seen is None or not self._seen_releases.is_current(session.seen):
            return False
        is_served = served_id(self._settings) == session.seen.release_id
        unused = time.monotonic() - session.used_at
        return bool(session.users) or unused < (IDLE_SECONDS if is_served else REPLACED_SECONDS)


def _user(settings: Settings) -> tuple[int | None, int | None]:
    """Give who queries run as: nobody else than the service where that is not root.

    Raises:
        SettingsError: there is no such user.

    """
    import pwd

    if os.geteuid() != 0:
        return None, None
    try:
        found = pwd.getpwnam(settings.sandbox_user)
    except KeyError as error:
        raise SettingsError(
            f"Setting 'sandbox_user': there is no user {settings.sandbox_user!r}.",
            hint="Name one who owns nothing, such as nobody.",
        ) from error
    if found.pw_uid == 0:
        raise SettingsError("Setting 'sandbox_user': queries never run as root.", hint="Name one who owns nothing.")
    return found.pw_uid, found.pw_gid
