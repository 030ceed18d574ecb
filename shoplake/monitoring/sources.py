"""Sources: on time or late by their contracts, and what of them has landed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shoplake.store.landed_counts import Counts, LandedCounts, SourceCounts

if TYPE_CHECKING:
    from shoplake.contracts import Contract

State = Literal["on time", "late", "landed", "nothing landed"]


@dataclass(frozen=True)
class SourceHealth:
    """One source."""

    source: str
    owner: str
    arrival: str
    """``batch``, ``stream`` or ``reference``."""
    state: State
    """``landed`` where the contract has no event time to be late by."""
    cadence_seconds: float
    lateness_seconds: float
    """How much later than its cadence data may come."""
    up_to: dt.datetime | None
    """Latest event time (UTC, naive)."""
    late_seconds: float | None
    """By how much it is late; None where it is not."""
    landed_at: dt.datetime | None
    """When its last file came (UTC, naive)."""
    files: int
    rows_open: int
    """Rows that wait in quarantine."""
    recent: Counts | None
    """Rows of the files that came in the days that are looked at; None where none came."""
    drift: tuple[tuple[str, int], ...]
    """Fields that the contract does not know, and the rows of these days that had them, the most first."""
    days: tuple[tuple[dt.date, Counts | None], ...]
    """The days (UTC), oldest first; None for a day on which nothing came."""

    @property
    def due_at(self) -> dt.datetime | None:
        """Give when newer data is due: a cadence after the latest event, and as much later as is allowed."""
        if self.up_to is None or self.state == "landed":
            return None
        return self.up_to + dt.timedelta(seconds=self.cadence_seconds + self.lateness_seconds)


def sources(
    contracts: Mapping[str, Contract], counts: LandedCounts, *, days: int, now: dt.datetime
) -> list[SourceHealth]:
    """Describe every source that has a contract; those with an event time first.

    Args:
        contracts: by source.
        counts: of the ledger.
        days: how many days to look back, today included.
        now: the clock (UTC, naive).

    """
    first = now.date() - dt.timedelta(days=days - 1)
    known, waiting, daily, drift = counts.by_source(), counts.open_rows(), counts.by_day(first), counts.drift(first)
    span = [first + dt.timedelta(days=n) for n in range(days)]
    found = []
    for name, contract in contracts.items():
        landed = known.get(name, SourceCounts())
        of_days = tuple((day, daily.get((name, day))) for day in span)
        came = [count for _, count in of_days if count is not None]
        found.append(
            SourceHealth(
                source=name,
                owner=contract.owner,
                arrival=contract.kind,
                state=state_of(contract, landed, now),
                cadence_seconds=contract.cadence_seconds,
                lateness_seconds=contract.lateness_seconds,
                up_to=landed.up_to,
                late_seconds=_late(contract, landed, now),
                landed_at=landed.landed_at,
                files=landed.counts.files,
                rows_open=waiting.get(name, 0),
                recent=sum(came[1:], came[0]) if came else None,
                drift=tuple(drift[name].most_common()) if name in drift else (),
                days=of_days,
            )
        )
    return sorted(found, key=lambda one: one.arrival == "reference")


def state_of(contract: Contract, landed: SourceCounts, now: dt.datetime) -> State:
    """Say whether a source is on time, as its contract says."""
    if landed.counts.files == 0:
        return "nothing landed"
    if contract.event_time is None or landed.up_to is None:
        return "landed"
    return "late" if _late(contract, landed, now) is not None else "on time"


def _late(contract: Contract, landed: SourceCounts, now: dt.datetime) -> float | None:
    if contract.event_time is None or landed.up_to is None:
        return None
    over = (now - landed.up_to).total_seconds() - contract.cadence_seconds - contract.lateness_seconds
    return over if over > 0 else None
