"""What one contender says of one data set, as a line of JSON between its process and the one that compares."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict, dataclass, replace
from decimal import Decimal


@dataclass(frozen=True)
class Outcome:
    """Seconds, memory and the sums of one contender on one data set."""

    lines: int
    transactions: int
    """Sum of the store-days' distinct transactions."""
    net_total: str
    """Sum of the store-days' net amounts: two decimals, as text, so that JSON keeps it exact."""
    land_seconds: float
    """From CSV to what the contender builds on."""
    build_seconds: float
    """From there to the two marts."""
    total_seconds: float
    """Both, and the start of the contender's own processes."""
    peak_mb: float
    """Most resident memory of the contender's processes together, in MiB."""
    note: str = ""

    def with_peak(self, peak_mb: float) -> Outcome:
        """Give the same outcome under the larger of two peaks: one seen from inside, one from outside."""
        return replace(self, peak_mb=max(self.peak_mb, peak_mb))


def say(
    *,
    lines: int,
    transactions: int,
    net_total: Decimal | str,
    seconds: tuple[float, float],
    peak_mb: float | None = None,
    note: str = "",
) -> None:
    """Print an outcome as the last line of standard output; ``seconds`` are those of landing and of building."""
    land_seconds, build_seconds = seconds
    outcome = Outcome(
        lines=int(lines),
        transactions=int(transactions),
        net_total=f"{Decimal(net_total):.2f}",
        land_seconds=round(land_seconds, 3),
        build_seconds=round(build_seconds, 3),
        total_seconds=round(land_seconds + build_seconds, 3),
        peak_mb=round(own_peak_mb() if peak_mb is None else peak_mb, 1),
        note=note,
    )
    sys.stdout.write("\n" + json.dumps(asdict(outcome)) + "\n")
    sys.stdout.flush()


def heard(output: str) -> Outcome:
    """Read the outcome that a contender printed last.

    Raises:
        ValueError: the last line is no outcome.

    """
    lines = output.strip().splitlines()
    if not lines:
        raise ValueError("the contender printed nothing")
    try:
        return Outcome(**json.loads(lines[-1]))
    except TypeError as error:
        raise ValueError(f"not an outcome: {lines[-1]}") from error


def own_peak_mb() -> float:
    """Give the most resident memory that this process has held, in MiB (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
