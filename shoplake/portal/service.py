"""What all requests share: the settings, the open users, the threads, the warm sessions, the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Depends, Request

from shoplake.access.sandbox import Sandbox
from shoplake.access.warm import Warm
from shoplake.audit.entry import Actor, acting_as
from shoplake.portal.lanes import Lane
from shoplake.portal.metrics import ServiceMetrics
from shoplake.portal.open_logins import OpenLogins

if TYPE_CHECKING:
    from shoplake.access.identity import Identity
    from shoplake.settings import Settings

T = TypeVar("T")
MOST_WAITING = 64
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
        self.warm = Warm(settings)
        self.looking_up = Lane("looking-up", threads=4, most_waiting=256)
        self.signing_in = Lane("signing-in", threads=2, most_waiting=32)
        """Each password takes 64 MiB and some tenths of a second of a processor."""
        self.answering = Lane("answering", threads=settings.service_answers, most_waiting=MOST_WAITING)
        self.browsing = Lane("browsing", threads=2, most_waiting=MOST_WAITING)
        """The catalogue and its search: who types waits for nobody who computes."""
        self.sandbox = Sandbox(settings)
        self.asking = Lane("asking", threads=settings.sandbox_workers * ASKING_PER_WORKER, most_waiting=MOST_WAITING)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Open what is held open while the service runs, and close it in the end, the last first."""
        with ExitStack() as opened:
            opened.callback(self.logins.close)
            opened.callback(self.warm.close)
            self.metrics.watch("sessions", "Open sessions over releases.", self.warm.count)
            for lane in (self.looking_up, self.signing_in, self.answering, self.browsing, self.asking):
                opened.callback(lane.close)
                self.metrics.watch_lane(lane)
            opened.enter_context(self.sandbox)
            self.logins.now()
            yield

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
