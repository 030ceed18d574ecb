"""Everything that one benchmark found, and whether it reaches its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.events import EVENTS_A_SECOND, PROTECTION_RATIO, EventCost
from bench.history import HistoryCost
from bench.outcome import Outcome

TARGET_LINES = 20_000_000
LANDING_RATIO = 1.5
TOTAL_RATIO = 2.0
PEAK_MB = 3 * 1024
HISTORY_RATIO = 1.3
HELP_SECONDS = 0.4


@dataclass(frozen=True)
class Entry:
    """One contender on one size: each of its outcomes in order, or why there is none."""

    name: str
    outcomes: tuple[Outcome, ...]
    failure: str = ""

    @property
    def middle(self) -> Outcome:
        """Give the outcome with the median total; of an even number, the slower of the two in the middle."""
        return sorted(self.outcomes, key=lambda outcome: outcome.total_seconds)[len(self.outcomes) // 2]

    @property
    def peak_mb(self) -> float:
        """Give the most memory that any of the outcomes took."""
        return max(outcome.peak_mb for outcome in self.outcomes)


@dataclass(frozen=True)
class SizeResult:
    """All contenders on one size; the floor first."""

    lines: int
    entries: tuple[Entry, ...]

    @property
    def floor(self) -> Outcome:
        """Give the floor's middle outcome."""
        return self.entries[0].middle

    def entry(self, name: str) -> Entry:
        """Give one contender's entry.

        Raises:
            KeyError: it did not take part.

        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(name)


@dataclass(frozen=True)
class Results:
    """One benchmark, all of it in one run."""

    sizes: tuple[SizeResult, ...]
    repeats: int
    help_seconds: float
    history: HistoryCost | None = None
    rows: Entry | None = None
    events: EventCost | None = None
    left_out: tuple[str, ...] = ()
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What is to be reached; no value means that this run did not measure it."""

    what: str
    limit: float
    unit: str
    value: float | None
    is_strict: bool = False
    """Whether the value must stay below the limit, instead of at most reaching it."""

    @property
    def is_met(self) -> bool | None:
        """Say whether the target is met, or None if it was not measured."""
        if self.value is None:
            return None
        return self.value < self.limit if self.is_strict else self.value <= self.limit

    def sentence(self) -> str:
        """Say it in words, from the figures alone."""
        bound = f"{'under' if self.is_strict else 'at most'} {self.limit:g}{self.unit}"
        if self.value is None:
            return f"Not measured in this run: {self.what} ({bound})."
        # Cut to the precision at which the reader can still see on which side of the limit it is.
        digits = 0 if self.limit >= 100 else 2
        shown = f"{self.value:,.{digits}f}{self.unit}"
        return f"{'Met' if self.is_met else 'Not met'}: {self.what} is {shown} ({bound} is the target)."


def targets(results: Results) -> Sequence[Target]:
    """Hold the results against the targets, which speak of 20 million lines."""
    size = next((size for size in results.sizes if size.lines == TARGET_LINES), None)
    ours = size.entry("shoplake") if size else None
    landing = ours.middle.land_seconds / size.floor.land_seconds if size and ours else None
    total = ours.middle.total_seconds / size.floor.total_seconds if size and ours else None
    history = results.history
    at = f"at {TARGET_LINES // 1_000_000} M lines"
    days = (
        f"{history.long_days} days of history over {history.short_days}" if history else "365 days of history over 30"
    )
    return (
        Target(f"shoplake's landing {at}, in the floor's landing", LANDING_RATIO, "x", landing),
        Target(f"shoplake's whole way {at}, in the floor's whole way", TOTAL_RATIO, "x", total),
        Target(f"shoplake's peak memory {at}", PEAK_MB, " MB", ours.peak_mb if ours else None, is_strict=True),
        Target(f"one more day, {days}", HISTORY_RATIO, "x", history.ratio if history else None),
        Target(
            f"time to land {EVENTS_A_SECOND:,} web events, protected",
            1,
            " s",
            EVENTS_A_SECOND / results.events.rate if results.events else None,
        ),
        Target(
            "landing events with protection, in landing them without",
            PROTECTION_RATIO,
            "x",
            results.events.ratio() if results.events else None,
        ),
        Target("`shoplake --help`", HELP_SECONDS, " s", results.help_seconds, is_strict=True),
    )
