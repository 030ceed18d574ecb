"""What can be known of a written object without reading it again, and a quick look for repeated keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLACES_BITS = 20
ROUNDS = 3


@dataclass(frozen=True)
class Written:
    """An object as its writer noted it."""

    rows: int
    first: dt.datetime | None
    """Earliest event time; None if the rows have none, or not all of them."""
    last: dt.datetime | None
    has_flags: bool


def written_file(found: Sequence[Sequence[Any]], event_time: str | None) -> Written:
    """Read what DuckDB's ``copy … (return_stats)`` gave: no file at all, or one."""
    if not found:
        return Written(0, None, None, has_flags=False)
    _, rows, _, _, columns, _ = found[0]
    times = columns.get(f'"{event_time}"', {})
    if times.get("null_count") != "0":
        times = {}
    # A column without a noted maximum may hold anything.
    return Written(int(rows), _time(times, "min"), _time(times, "max"), columns.get('"_flags"', {}).get("max") != "0")


def _time(noted: Mapping[str, str], name: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(noted[name])
    except (KeyError, ValueError):
        return None


def has_repeats(digests: NDArray[np.uint64]) -> bool:
    """Say whether a number comes more than once among 64-bit hashes.

    Each number goes to the place that some of its bits name, and the last one there stays: a number that finds itself
    overwritten by an equal one is repeated; the others that were overwritten go on to the next round, by other bits.
    That costs a quarter of sorting them all. Numbers that collide in every round, as chosen ones could, are sorted.
    """
    import numpy as np

    places = np.empty(1 << PLACES_BITS, np.int32)
    mask = np.uint64((1 << PLACES_BITS) - 1)
    for number in range(ROUNDS):
        if not len(digests):
            return False
        place = ((digests >> np.uint64(number * PLACES_BITS)) & mask).astype(np.int64)
        own = np.arange(len(digests), dtype=np.int32)
        places[place] = own
        holder = places[place]
        lost = np.flatnonzero(holder != own)
        if (digests[holder[lost]] == digests[lost]).any():
            return True
        digests = digests[lost]
    ordered = np.sort(digests)
    return bool((ordered[1:] == ordered[:-1]).any())
