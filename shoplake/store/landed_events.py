"""Keys of events that have landed out of a log which may hold an event twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from shoplake.errors import EventsLanded
from shoplake.store.tables import landed_event

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from shoplake.store.engine import Store

CHUNK = 500
FORGET_ROWS = 20_000


@dataclass(frozen=True)
class EventKeys:
    """Keys that are recorded with what lands under them."""

    keys: Collection[bytes] = ()
    forget_before: dt.datetime | None = None
    """Keys that were recorded before (UTC, naive) are forgotten, some at a time."""


def known_events(store: Store, keys: Sequence[bytes]) -> set[bytes]:
    """Give those of ``keys`` under which an event has landed."""
    if not keys:
        return set()
    with store.reading() as con:
        return _known(con, keys)


def record_events(con: Connection, events: EventKeys, now: dt.datetime) -> None:
    """Record keys, in the transaction that records what landed under them.

    Raises:
        EventsLanded: another reader landed one of them in between.

    """
    keys = list(events.keys)
    if _known(con, keys):
        raise EventsLanded(
            "Another reader has landed some of these events.", hint="Land the others; nothing was recorded."
        )
    if keys:
        con.execute(insert(landed_event), [{"key": key, "at": now} for key in keys])
    if events.forget_before is not None:
        old = select(landed_event.c.key).where(landed_event.c.at < events.forget_before).limit(FORGET_ROWS + len(keys))
        con.execute(delete(landed_event).where(landed_event.c.key.in_(old)))


def _known(con: Connection, keys: Sequence[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        found |= {
            bytes(row.key) for row in con.execute(select(landed_event.c.key).where(landed_event.c.key.in_(chunk)))
        }
    return found
