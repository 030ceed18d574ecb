"""Which days a KPI is about, which earlier days it is compared with, and up to when their data is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from shoplake.errors import InputError

if TYPE_CHECKING:
    from shoplake.pipeline.manifest import Manifest

DEFAULT_DAYS = 30
ONE_DAY = dt.timedelta(days=1)
LEAP_DAY = (2, 29)


@dataclass(frozen=True)
class Window:
    """Business days, both ends included."""

    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """Count the days."""
        return (self.last - self.first).days + 1

    def before(self) -> Window:
        """Give the window of equal length just before."""
        return Window(self.first - self.days * ONE_DAY, self.first - ONE_DAY)

    def a_year_before(self) -> Window:
        """Give the window of equal length that begins with the same day of the year before."""
        day = 28 if (self.first.month, self.first.day) == LEAP_DAY else self.first.day
        first = self.first.replace(year=self.first.year - 1, day=day)
        return Window(first, first + (self.days - 1) * ONE_DAY)

    def dates(self) -> Iterator[dt.date]:
        """Give each day."""
        return (self.first + n * ONE_DAY for n in range(self.days))


@dataclass(frozen=True)
class Sight:
    """A window, and what of its data counts."""

    window: Window
    known_until: dt.datetime | None
    """Instant (UTC, naive) up to which the sources were known; None when nothing has landed."""
    cut: dict[str, dt.datetime] | None = None
    """Instant by source (UTC, naive) up to which its data counts; None: all of the release counts."""
    is_running: bool = False
    """The cut falls within the window's last day."""
    asked_days: int = 0
    """Length of the window that is asked for, where only some of its days are looked at."""

    @property
    def days(self) -> int:
        """Count the days that are asked for."""
        return self.asked_days or self.window.days


@dataclass(frozen=True)
class Clock:
    """A release's time zone and how far its data reaches."""

    manifest: Manifest

    @property
    def zone(self) -> ZoneInfo:
        """Give the time zone of the business day."""
        return ZoneInfo(self.manifest.timezone)

    def local(self, moment: dt.datetime) -> dt.datetime:
        """Give the local wall time of an instant; a naive one is UTC."""
        return naive_utc(moment).replace(tzinfo=dt.UTC).astimezone(self.zone).replace(tzinfo=None)

    def utc(self, wall: dt.datetime) -> dt.datetime:
        """Give the instant (UTC, naive) of a local wall time."""
        return wall.replace(tzinfo=self.zone).astimezone(dt.UTC).replace(tzinfo=None)

    def watermark(self, sources: Iterable[str]) -> dt.datetime | None:
        """Give the earliest watermark (UTC, naive) of those ``sources`` that have landed."""
        marks = self.manifest.watermarks
        return min((naive_utc(marks[source]) for source in sources if source in marks), default=None)

    def end_of(self, day: dt.date) -> dt.datetime:
        """Give the last instant (UTC, naive) of a business day."""
        start = dt.datetime.combine(day + ONE_DAY, dt.time())
        return self.utc(start) - dt.timedelta(microseconds=1)

    def window(self, sources: Iterable[str], first: dt.date | None, last: dt.date | None) -> Window:
        """Give the asked window; by default the 30 days that end with the day of the watermark.

        Raises:
            InputError: it ends before it starts.

        """
        if last is None:
            mark = self.watermark(sources) or self.manifest.created_at
            last = self.local(mark).date()
            if first is not None and first > last:
                raise InputError(
                    f"There is no data as late as {first}: the latest is of {last}.", hint="Give an earlier --from."
                )
        window = Window(first or last - (DEFAULT_DAYS - 1) * ONE_DAY, last)
        if window.days < 1:
            raise InputError(f"The window ends ({last}) before it starts ({first}).", hint="Swap --from and --to.")
        return window

    def now(self, sources: Iterable[str], window: Window) -> Sight:
        """See a window with all that the release knows; what stands as of now is taken back to the window's end."""
        return Sight(window, self.watermark(sources), self._cut_at_end(window))

    def earlier(self, sources: Iterable[str], window: Window, before: Window | None = None) -> Sight:
        """See the window before, or another one that a person compares with, like for like.

        A running day is compared with the same part of the earlier one: each source is cut at the wall time that its
        watermark had, as many days earlier as lie between the last days of the two windows.
        """
        before = before or window.before()
        today = self.local(self.manifest.created_at).date()
        if before.last >= today:
            return self.now(sources, before)
        mark, back = self.watermark(sources), (window.last - before.last).days
        known = min(self._shifted(mark, back), mark) if mark else None
        if window.last < today:
            known = max(known, self.end_of(before.last)) if known else None
            return Sight(before, known, self._cut_at_end(before))
        start, end = self.end_of(before.last - ONE_DAY), self.end_of(before.last)
        shifted = {s: self._shifted(naive_utc(m), back) for s, m in self.manifest.watermarks.items()}
        return Sight(before, known, {s: min(max(m, start), end) for s, m in shifted.items()}, is_running=True)

    def _shifted(self, mark: dt.datetime, days: int) -> dt.datetime:
        return self.utc(self.local(mark) - days * ONE_DAY)

    def _cut_at_end(self, window: Window) -> dict[str, dt.datetime] | None:
        """Cut every source at the end of a window; None where no source reaches beyond it."""
        end = self.end_of(window.last)
        marks = {source: naive_utc(mark) for source, mark in self.manifest.watermarks.items()}
        if all(mark <= end for mark in marks.values()):
            return None
        return {source: min(mark, end) for source, mark in marks.items()}


def naive_utc(moment: dt.datetime) -> dt.datetime:
    """Give an instant as the warehouse holds it: UTC, without a zone."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def parse_day(text: str | dt.date | None, name: str) -> dt.date | None:
    """Read an ISO date.

    Raises:
        InputError: it is none.

    """
    if text is None or isinstance(text, dt.date):
        return text
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{name} {text!r} is not a date.", hint="Write it as 2026-01-31.") from error
