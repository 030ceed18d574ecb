"""Opens all that a collector is made of, whoever serves it: spool, keys, checks, draining, live window."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.collector.acceptance import Acceptance, EventLog
from shoplake.collector.app import Limits, make_app
from shoplake.collector.doorkeeper import Doorkeeper
from shoplake.collector.grouped import InThread
from shoplake.collector.keeping import Keeping
from shoplake.collector.live import LiveEndpoint
from shoplake.collector.metrics import Metrics
from shoplake.collector.segment_endpoint import segment_paths
from shoplake.contracts import stream_contracts
from shoplake.keys.keyring import Keyring
from shoplake.lake.locks import spool_lock
from shoplake.live.process import LiveWindow
from shoplake.store.spool import open_spool

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from shoplake.settings import Settings
    from shoplake.store.spool import Spool

log = logging.getLogger("shoplake.collector")
STAND_SECONDS = 0.004
"""A disk syncs in less; for one that does not, requests are read meanwhile, and refused where it hangs."""


@dataclass(frozen=True)
class OpenCollector:
    """A collector, ready for requests once `Acceptance.start` was called within the event loop."""

    app: ASGIApp
    """Does so itself in its lifespan."""
    acceptance: Acceptance
    metrics: Metrics
    live: LiveEndpoint


@contextmanager
def open_collector(settings: Settings, window: LiveWindow | None = None) -> Iterator[OpenCollector]:
    """Open the collector of a home, and have what it takes drained into the lake meanwhile.

    Args:
        settings: the home.
        window: the live window of the process, where it has one already.

    Raises:
        HomeError: there is no such home.
        LockedError: the spool is being given a new key.
        InputError: ``collector_segment_source`` is no stream source; Kafka lacks a topic.
        SettingsError: with Kafka, the settings lack something.
        UnreachableError: with Kafka, no broker answers or lets us in.

    """
    with ExitStack() as stack:
        stack.enter_context(spool_lock(settings, is_shared=True, wait_seconds=30))
        spool = open_spool(settings, Keyring.open(settings))
        stack.callback(spool.close)
        nothing = dict.fromkeys(stream_contracts(settings), (0, 0.0))
        doorkeeper, metrics = Doorkeeper(settings), Metrics(lambda: nothing | spool.backlog())
        events = _log(settings, spool, stack)
        acceptance = Acceptance(settings, events, doorkeeper, metrics)
        limits = Limits(settings.collector_body_limit_bytes, settings.collector_memory_limit_bytes)
        segment = segment_paths(settings, acceptance, doorkeeper, metrics, limits)
        metrics.watch("memory_bytes", "Bytes of bodies in memory.", lambda: limits.memory.held)
        metrics.watch("waiting_requests", "Requests that wait for a commit.", lambda: len(acceptance.commits))
        doorkeeper.start()
        stack.callback(doorkeeper.stop)
        keeping = Keeping(settings, spool, metrics)
        keeping.start()
        stack.callback(keeping.stop)
        if window is None:
            window = LiveWindow(settings)
            window.start()
            stack.callback(window.stop)
        live = LiveEndpoint(window, doorkeeper)
        metrics.watch("live_streams", "Clients that follow the live window.", lambda: live.streams)
        origins = settings.collector_allowed_origins
        app = make_app(acceptance, doorkeeper, metrics, limits, segment=segment, origins=origins, live=live)
        yield OpenCollector(app, acceptance, metrics, live)


def _log(settings: Settings, spool: Spool, stack: ExitStack) -> EventLog:
    """Give what events are stored in."""
    if settings.collector_log == "spool":
        spool.lay_out()
        storing = InThread("commits", spool.put, stand_seconds=STAND_SECONDS)
        return EventLog(storing, storing.close)
    from shoplake.collector.kafka_log import KafkaLog

    if waiting := sum(events for events, _ in spool.backlog().values()):
        log.warning("%s events wait in the spool from before: `shoplake drain` lands them", waiting)
    opened = KafkaLog(settings, spool)
    stack.callback(opened.close)
    putting = InThread("commits", opened.put)
    return EventLog(putting, putting.close)
