"""Figures, changes, days and instants as people of a language read them."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TypeGuard
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_interval
from babel.numbers import NumberPattern, format_currency, format_decimal, format_percent, parse_pattern
from babel.units import format_unit

from shoplake.portal.pages.language import Language

Number = int | float | Decimal
MINUTE, HOUR, DAY = 60, 3600, 86400
WHOLE_MONEY_FROM = 10_000
"""A headline shows no cents from here on."""
SHORT_SECONDS = 10
PLAIN_UNITS = {"money", "ratio", "seconds", "count"}
DASH = "–"
TYPES = {"money": "money", "ratio": "percent", "seconds": "duration"}


@dataclass(frozen=True)
class Figures:
    """How numbers and times are written for one person over one home."""

    language: Language
    currency: str
    zone: ZoneInfo

    def value(self, value: object, unit: str, *, is_headline: bool = False) -> str:
        """Give a figure of a KPI's unit as text; a dash where there is none."""
        if not is_number(value):
            return DASH if value is None else str(value)
        locale = self.language.locale
        if unit == "money":
            return self._money(value, is_headline=is_headline)
        if unit == "ratio":
            pattern = str(locale.percent_formats[None].pattern).replace("#,##0", "#,##0.0")
            return format_percent(value, format=_read(pattern), locale=locale)
        if unit == "seconds":
            return self.duration(float(value))
        is_whole = isinstance(value, int) or value == int(value)
        return format_decimal(value, format=_read("#,##0" if is_whole else "#,##0.00"), locale=locale)

    def unit(self, unit: str) -> str:
        """Give the word beside a figure; empty where the figure says it itself."""
        if unit in PLAIN_UNITS:
            return ""
        words = {
            "units": "units",
            "score": "of 100",
            "pairs": "pairs",
            "days": "days",
            "rating": "of 5",
            "turns": "turns",
            "rises": "restocks",
        }
        return self.language.text(words.get(unit, unit))

    def change(self, value: object, previous: object, unit: str) -> str:
        """Give the change against the window before: points for a share, percent for all else; empty for none."""
        if not is_number(value) or not is_number(previous):
            return ""
        if unit == "ratio":
            points = (float(value) - float(previous)) * 100
            return self.language.text("%(points)s points", points=self._signed(points))
        if previous == 0:
            return ""
        return self.language.text("%(percent)s %%", percent=self._signed((float(value) / float(previous) - 1) * 100))

    def duration(self, seconds: float) -> str:
        """Give seconds by their two largest units."""
        if abs(seconds) < SHORT_SECONDS and seconds != int(seconds):
            return self._unit(seconds, "second", "#,##0.0")
        whole = round(seconds)
        steps = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second"))
        for n, (size, name) in enumerate(steps[:-1]):
            if abs(whole) >= size:
                smaller, smaller_name = steps[n + 1]
                rest = whole % size // smaller
                parts = [self._amount(whole // size, name)] + ([self._amount(rest, smaller_name)] if rest else [])
                return " ".join(parts)
        return self._amount(whole, "second")

    def day(self, day: dt.date, style: str = "medium") -> str:
        """Give a day."""
        return format_date(day, format=style, locale=self.language.locale)

    def window(self, first: dt.date, last: dt.date) -> str:
        """Give a range of days, as short as the language has it."""
        if first == last:
            return self.day(first)
        return format_interval(first, last, skeleton="yMMMd", locale=self.language.locale)

    def moment(self, moment: dt.datetime | None) -> str:
        """Give an instant (UTC) in the time zone of the business day; a dash where there is none."""
        if moment is None:
            return DASH
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        local = aware.astimezone(self.zone)
        return f"{self.day(local.date())}, {local:%H:%M} {local.tzname()}"

    def cell(self, value: object) -> str:
        """Give what stands in a table: a key without separators, a time to the minute, a number as it reads."""
        if isinstance(value, dt.datetime):
            return self.moment(value)
        if isinstance(value, dt.date):
            return self.day(value)
        if isinstance(value, bool):
            return self.language.text("yes") if value else self.language.text("no")
        return self.value(value, "units") if is_number(value) else str(value) if value is not None else DASH

    def part(self, name: str, value: object) -> str:
        """Give a part of a figure as its name says: seconds as a duration, a share in percent."""
        if not is_number(value):
            return DASH if value is None else self.language.text(str(value))
        if name.endswith("_seconds"):
            return self.duration(float(value))
        if "share" in name.split("_"):
            return self.value(value, "ratio")
        return self.value(value, "money" if isinstance(value, Decimal) and _has_cents(value) else "units")

    def _money(self, value: Number, *, is_headline: bool) -> str:
        locale = self.language.locale
        if is_headline and abs(float(value)) >= WHOLE_MONEY_FROM:
            pattern = str(locale.currency_formats["standard"].pattern).replace(".00", "")
            return format_currency(value, self.currency, _read(pattern), locale=locale, currency_digits=False)
        return format_currency(value, self.currency, locale=locale)

    def _signed(self, number: float) -> str:
        text = format_decimal(abs(number), format=_read("#,##0.0"), locale=self.language.locale)
        sign = "±" if round(number, 1) == 0 else "+" if number > 0 else "−"  # noqa: RUF001 - the minus of typography
        return f"{sign}{text}"

    def _amount(self, number: int, unit: str) -> str:
        return self._unit(number, unit)

    def _unit(self, number: float, unit: str, pattern: str | None = None) -> str:
        """Give a number of a unit of time, in the shortest form that the language has."""
        name, locale = f"duration-{unit}", self.language.locale
        found = format_unit(number, name, length="narrow", format=pattern, locale=locale)
        return format_unit(number, name, length="short", format=pattern, locale=locale) if name in found else found


def is_number(value: object) -> TypeGuard[Number]:
    """Say whether a value is a finite number (and no truth value)."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)


def raw(value: object) -> str:
    """Give a value for programs: a number in full, a day or an instant in ISO form; empty for none."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return f"{value.isoformat()}Z" if value.tzinfo is None else value.isoformat()
    return value.isoformat() if isinstance(value, dt.date) else str(value)


@cache
def _read(pattern: str) -> NumberPattern:
    """Read a pattern once: it is what a number costs most."""
    return parse_pattern(pattern)


def _has_cents(value: Decimal) -> bool:
    return value.as_tuple().exponent == -2  # noqa: PLR2004 - money in the marts is DECIMAL(18,2)
