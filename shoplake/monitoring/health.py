"""How the data of a home is: sources, files that wait, releases made and failed, restatements, streams."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.audit.recording import showing
from shoplake.keys.rereading import rereads
from shoplake.monitoring.releases import Making, makings
from shoplake.monitoring.sources import SourceHealth, sources
from shoplake.store.landed_counts import LandedCounts, StreamPosition

if TYPE_CHECKING:
    from shoplake.keys.keyring import Keyring
    from shoplake.settings import Settings
    from shoplake.store.ledger import Restated, SourceFile

MOST_MAKINGS, MOST_RESTATEMENTS = 15, 25


@dataclass(frozen=True)
class StreamHealth:
    """What streams have brought into the lake, and what waits in the collector's spool."""

    positions: tuple[StreamPosition, ...]
    backlog: tuple[tuple[str, int, dt.datetime], ...] | None
    """Events that wait, by source, and when the oldest of them came (UTC, naive); None where it cannot be read."""
    has_spool: bool


@dataclass(frozen=True)
class Health:
    """The data of a home at one moment."""

    at: dt.datetime
    """UTC, naive."""
    days: int
    release_id: str | None
    sources: tuple[SourceHealth, ...]
    waiting: tuple[SourceFile, ...]
    makings: tuple[Making, ...]
    restatements: tuple[Restated, ...]
    streams: StreamHealth

    @property
    def late(self) -> list[SourceHealth]:
        """Give the sources that are late."""
        return [one for one in self.sources if one.state == "late"]

    @property
    def failure(self) -> Making | None:
        """Give the last making where it failed: nothing newer was published since."""
        return self.makings[0] if self.makings and self.makings[0].outcome == "failed" else None

    @property
    def published(self) -> Making | None:
        """Give the last making that published."""
        return next((one for one in self.makings if one.outcome == "published"), None)


def health(settings: Settings, *, days: int = 30, now: dt.datetime | None = None) -> Health:
    """Describe the data of a home.

    Args:
        settings: the home.
        days: how many days (UTC) to look back, today included.
        now: the clock (UTC); tests give their own.

    Raises:
        HomeError: there is no such home.

    """
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).replace(tzinfo=None)
    with showing(settings, "status", days=days) as entry:
        found = _health(settings, days, moment)
        entry.release = found.release_id
    return found


@rereads
def _health(settings: Settings, days: int, now: dt.datetime) -> Health:
    from shoplake.contracts import load_contracts
    from shoplake.keys.keyring import Keyring
    from shoplake.pipeline.releases import served_id
    from shoplake.store.engine import open_store

    keyring = Keyring.open(settings)
    with closing(open_store(settings, keyring)) as store:
        counts = LandedCounts(store)
        return Health(
            at=now,
            days=days,
            release_id=served_id(settings),
            sources=tuple(sources(load_contracts(settings), counts, days=days, now=now)),
            waiting=tuple(counts.waiting()),
            makings=tuple(makings(settings, store, MOST_MAKINGS)),
            restatements=tuple(counts.restatements(MOST_RESTATEMENTS)),
            streams=_streams(settings, keyring, counts),
        )


def _streams(settings: Settings, keyring: Keyring, counts: LandedCounts) -> StreamHealth:
    from shoplake.store.spool import backlog_of, spool_path

    positions = tuple(counts.streams())
    if not spool_path(settings).exists():
        return StreamHealth(positions, (), False)
    waits = backlog_of(settings, keyring)
    if waits is None:
        return StreamHealth(positions, None, True)
    backlog = [
        (source, events, dt.datetime.fromtimestamp(oldest, dt.UTC).replace(tzinfo=None))
        for source, (events, oldest) in sorted(waits.items())
    ]
    return StreamHealth(positions, tuple(backlog), True)
