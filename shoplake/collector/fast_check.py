"""A strict reading of good events, generated from the contract, so quick that most never need the checks in SQL.

It has no rules of its own and gives no reasons: what it takes would land by the generated SQL too, and whatever it
does not take, the SQL decides (`lake.verdict`).
"""

from __future__ import annotations

import time
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from shoplake.collector.body import Events
from shoplake.lake.streaming import EVENT_ID
from shoplake.sources.lexers import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoplake.contracts import Contract, Field

YEAR_2000, DAY_SECONDS = 946_684_800, 86_400
LARGEST_NUMBER = 1e300
NO_ID: list[str | None] = [None]
INT64 = 1 << 63
RENEW_SECONDS = 600
"""The limit of future times is counted from when the reader was made: too strict by this much at most."""


class FastCheck:
    """Reads events of one contract; says yes, or that it cannot tell."""

    def __init__(self, contract: Contract, *, clock: Callable[[], float] = time.time) -> None:
        """Read by ``contract``; ``clock`` gives seconds since 1970."""
        self._contract, self._clock = contract, clock
        self._has_rules = any(rule.severity == "error" for rule in contract.rules)
        self._has_own_id = any(field.name == EVENT_ID for field in contract.fields)
        self._texts = [
            attrgetter(f.name) for f in contract.fields if f.type == "string" and f.required and not f.allowed
        ]
        self._made_at = 0.0
        self._decode: Callable[[bytes], list[Any]] | None = None

    def read(self, events: Events) -> list[str | None] | None:
        """Give the ``event_id`` of each event if all are good; None if the SQL has to say."""
        lines = events.lines
        if self._has_rules or (len(lines) > LONGEST_LINE and _longest(lines) > LONGEST_LINE):
            return None
        try:
            if not lines.isascii():
                lines.decode()
            found = self._decoder()(lines)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if len(found) != events.count:
            return None
        for get in self._texts:
            if get(found[0]).isspace() if len(found) == 1 else any(map(str.isspace, map(get, found))):
                return None
        if len(found) == 1 and found[0].event_id is None:
            return NO_ID
        return [None if e.event_id is None else str(e.event_id) for e in found]

    def _decoder(self) -> Callable[[bytes], list[Any]]:
        now = self._clock()
        if self._decode is None or not 0 <= now - self._made_at < RENEW_SECONDS:
            self._made_at, self._decode = now, self._make(now)
        return self._decode

    def _make(self, now: float) -> Callable[[bytes], list[Any]]:
        fields = [_struct_field(field, now) for field in self._contract.fields]
        if not self._has_own_id:
            fields.append((EVENT_ID, str | int | None, None))
        # Required fields may follow optional ones only by keyword; the names are the contract's.
        struct = msgspec.defstruct("Event", fields, kw_only=True, gc=False)
        return msgspec.json.Decoder(struct).decode_lines


def _struct_field(field: Field, now: float) -> Any:  # noqa: ANN401 - what defstruct takes
    kind = _kind(field, now)
    return (field.name, kind) if field.required else (field.name, kind | None, None)


def _kind(field: Field, now: float) -> Any:  # noqa: ANN401 - a type
    from msgspec import Meta

    low, high = field.minimum, field.maximum
    if field.type == "string":
        if field.allowed and field.allowed_severity == "error":
            return Literal[field.allowed]
        return Annotated[str, Meta(min_length=1)] if field.required else str
    if field.type == "integer":
        at_least = -INT64 if low is None else -int(-low // 1)
        return Annotated[int, Meta(ge=at_least, le=INT64 - 1 if high is None else int(high // 1))]
    if field.type == "timestamp":
        low, high = max(YEAR_2000, low or YEAR_2000), min(now + DAY_SECONDS, high or now + DAY_SECONDS)
    low, high = -LARGEST_NUMBER if low is None else low, LARGEST_NUMBER if high is None else high
    return Annotated[float, Meta(ge=low, le=high)]


def _longest(lines: bytes) -> int:
    return max(map(len, lines.split(b"\n")))
