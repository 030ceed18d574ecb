"""What all requests share: the settings, the open users, the threads, the warm sessions, the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Depends, Request

from shoplake.access.sandbox import Sandbox
from shoplake.access.warm import Warm
from shoplake.audit.entry import Actor, acting_as
from shoplake.collector.live import LiveFeed
from shoplake.live.process import LiveWindow
from shoplake.portal.ahead import Ahead
from shoplake.portal.lanes import Lane
from shoplake.portal.metrics import ServiceMetrics
from shoplake.portal.open_logins import OpenLogins
from shoplake.portal.remembering import Remembering

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.settings import Settings

T = TypeVar("T")
MOST_WAITING = 64
MOST_ANSWERS_WAITING = 256
"""A browser asks for six parts of a page at once; each waits for `Settings.portal_answer_seconds` at most."""
ASKING_PER_WORKER = 4
"""Queries that may wait for each one that runs; the sandbox gives people their turns fairly."""


class Service:
    """The state of one running service, at ``app.state.service``."""

    def __init__(self, settings: Settings, *, hosts: tuple[str, ...] = ()) -> None:
        """Serve a home to whoever asks for one of ``hosts``, beside the names that the settings give."""
        self.settings, self.hosts = settings, hosts
        self.logins = OpenLogins(settings)
        self.metrics = ServiceMetrics()
        self.more_metrics: Callable[[], bytes] = bytes
        """Gives the page of the collector, where it runs beside."""
        self.is_collecting: Callable[[], bool] | None = None
        """Says whether the collector beside is open; None where none runs beside."""
        self.window = LiveWindow(settings)
        self.live = LiveFeed(self.window)
        self.warm = Warm(settings)
        self.ahead = Ahead(settings, self.warm, self.logins, self._quiet_seconds)
        self.looking_up = Lane("looking-up", threads=4, most_waiting=256)
        self.signing_in = Lane("signing-in", threads=2, most_waiting=32)
        """Each password takes 64 MiB and some tenths of a second of a processor."""
        self.answering = Lane("answering", threads=settings.service_answers, most_waiting=MOST_ANSWERS_WAITING)
        self.browsing = Lane("browsing", threads=2, most_waiting=MOST_WAITING)
        """The catalogue and its search: who types waits for nobody who computes."""
        self.sandbox = Sandbox(settings)
        self.asking = Lane("asking", threads=settings.sandbox_workers * ASKING_PER_WORKER, most_waiting=MOST_WAITING)
        self.remembering = Remembering(self.logins)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Open what is held open while the service runs, and close it in the end, the last first."""
        with ExitStack() as opened:
            opened.callback(self.logins.close)
            opened.callback(self.warm.close)
            self.window.start()
            opened.callback(self.window.stop)
            self.metrics.watch("live_readers", "People who follow the live window.", lambda: self.live.streams)
            self.metrics.watch("sessions", "Open sessions over releases.", self.warm.count)
            self.metrics.watch("table_bytes", "Memory of the tables that KPIs are answered from.", self.warm.bytes_used)
            self.metrics.watch("answers_ahead", "Answers of pages that were made ahead.", lambda: self.ahead.made)
            for lane in (
                self.looking_up,
                self.signing_in,
                self.answering,
                self.browsing,
                self.asking,
                self.remembering.lane,
            ):
                opened.callback(lane.close)
                self.metrics.watch_lane(lane)
            opened.enter_context(self.sandbox)
            self.logins.now()
            opened.enter_context(self.ahead)
            yield

    def _quiet_seconds(self) -> float:
        return min(lane.quiet_seconds for lane in (self.answering, self.asking, self.browsing))

    async def answer(self, identity: Identity, act: Callable[[], T]) -> T:
        """Do something for a person in a thread; what it puts on record is theirs.

        Raises:
            BusyError: too many wait already.

        """
        with acting_as(Actor(identity.name, identity.role)):
            return await self.answering.run(act)


async def service_of(request: Request) -> Service:
    """Give the service that a request is for."""
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(service_of)]
