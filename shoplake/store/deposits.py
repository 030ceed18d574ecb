"""What is put into the spool together: deposits, less what was stored before or comes twice among them."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from msgspec import Struct

NONE: AbstractSet[int] = frozenset()


class Deposit(Struct, gc=False):
    """A request's events, ready to be stored."""

    source: str
    lines: bytes
    """JSON objects, one a line."""
    events: int
    received_at: float
    """Seconds since 1970."""
    reasons: dict[int, tuple[str, ...]] = {}
    """Why events break their contract, by their number (from 0)."""
    request: tuple[bytes, bytes] | None = None
    """Key and content hash of a request that may be repeated."""
    event_keys: list[tuple[int, bytes]] = []
    """(number of the line, key) of events that may be repeated."""


class Stored(Struct, gc=False):
    """What became of a deposit."""

    status: Literal["stored", "repeated", "conflict", "unavailable", "too_large"]
    """``conflict``: the same request key came before with other content; nothing was stored.

    ``unavailable``, ``too_large``: the log did not take it, or takes no event of its size; it may be stored in part."""
    answer: bytes = b""
    duplicates: int = 0


@dataclass
class Body:
    """The events of a source that are stored as one row."""

    received_at: float
    parts: list[bytes] = field(default_factory=list)
    events: int = 0


class Group:
    """Deposits that are stored together, less what was stored before or comes twice among them."""

    def __init__(self, requests: dict[bytes, tuple[bytes, bytes]], events: set[bytes]) -> None:
        """Begin with what is known: (digest, answer) of requests by their key, keys of events."""
        self._requests, self._events = requests, events
        self.bodies: dict[str, Body] = {}
        self.new_requests: dict[bytes, tuple[bytes, bytes]] = {}
        self.new_events: list[bytes] = []

    def add(self, deposit: Deposit) -> Stored:
        """Take a deposit in, as far as it is new; say what became of it."""
        if deposit.request is not None and (before := self._requests.get(deposit.request[0])):
            return Stored("repeated", before[1]) if before[0] == deposit.request[1] else Stored("conflict")
        repeated = self._repeated(deposit)
        if deposit.events > len(repeated):
            body = self.bodies.get(deposit.source)
            if body is None:
                body = self.bodies[deposit.source] = Body(deposit.received_at)
            body.events += deposit.events - len(repeated)
            lines = deposit.lines
            if repeated:
                lines = b"\n".join(line for n, line in enumerate(lines.split(b"\n")) if n not in repeated)
            body.parts.append(lines)
        answer = answer_to(deposit, len(repeated))
        if deposit.request is not None:
            key, digest = deposit.request
            self._requests[key] = self.new_requests[key] = digest, answer
        return Stored("stored", answer, len(repeated))

    def _repeated(self, deposit: Deposit) -> AbstractSet[int]:
        if not deposit.event_keys:
            return NONE
        found: set[int] = set()
        for number, key in deposit.event_keys:
            if key in self._events:
                found.add(number)
            else:
                self._events.add(key)
                self.new_events.append(key)
        return found


def answer_to(deposit: Deposit, duplicates: int) -> bytes:
    """Make the answer to a request whose events are stored, ``duplicates`` of them by an earlier one."""
    if not deposit.reasons:
        return _all_good(deposit.events, duplicates)
    found = [{"index": index, "reasons": list(why)} for index, why in sorted(deposit.reasons.items())]
    counts = {"accepted": deposit.events - len(found), "quarantined": len(found), "duplicates": duplicates}
    return json.dumps(counts | {"reasons": found}).encode()


@lru_cache(1024)
def _all_good(events: int, duplicates: int) -> bytes:
    return b'{"accepted": %d, "quarantined": 0, "duplicates": %d, "reasons": []}' % (events, duplicates)
