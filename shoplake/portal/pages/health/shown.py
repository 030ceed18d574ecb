"""What the page of data health shows, out of what is known of a home."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.errors import InputError
from shoplake.monitoring.health import health
from shoplake.portal.pages.health.strips import strip
from shoplake.portal.pages.health.words import (
    CODES,
    MEASURES,
    STATES,
    failure_of,
    meaning_of,
    test_title,
)
from shoplake.portal.pages.panels import Cell, Column
from shoplake.store.landed_counts import Counts

if TYPE_CHECKING:
    from shoplake.monitoring.health import Health
    from shoplake.portal.pages.viewer import Viewer

DAYS = ("30", "90")
MOST_REASONS = 4


@dataclass(frozen=True)
class Asked:
    """What an address asks of the page."""

    days: str = DAYS[0]
    source: str = ""
    measure: str = "landed"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """Read it.

        Raises:
            InputError: it asks for what there is not.

        """
        asked = cls(query.get("days") or DAYS[0], query.get("source") or "", query.get("measure") or "landed")
        if asked.days not in DAYS or asked.measure not in MEASURES:
            raise InputError("This page has no such view.", hint="Choose among the days and figures that it offers.")
        return asked

    def address(self, path: str = "/health", **changes: str) -> str:
        """Give the address of the page with changes; what is as by default is left out."""
        from urllib.parse import urlencode

        values = {"days": self.days, "source": self.source, "measure": self.measure} | changes
        usual = {"days": DAYS[0], "source": "", "measure": "landed"}
        query = urlencode({name: value for name, value in values.items() if value != usual[name]})
        return f"{path}?{query}" if query else path


@dataclass(frozen=True)
class Daily:
    """Rows by day: the table that the chart is drawn from."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_empty: bool


def shown(viewer: Viewer, asked: Asked) -> dict[str, Any]:
    """Give what the template shows."""
    found = health(viewer.settings, days=int(asked.days))
    names = [one.source for one in found.sources]
    if asked.source and asked.source not in names:
        raise InputError("There is no such source.", hint="Choose among the sources that the page offers.")
    language, figures, rights = viewer.language, viewer.figures, viewer.rights
    return {
        "health": found,
        "asked": asked,
        "presets": {days: language.text("Last %(days)s days", days=days) for days in DAYS},
        "measures": {name: language.text(words) for name, words in MEASURES.items()},
        "strips": {one.source: strip(one.days) for one in found.sources},
        "daily": daily(viewer, found, asked),
        "states": {name: language.text(words) for name, words in STATES.items()},
        "rows_open": sum(one.rows_open for one in found.sources),
        "landed_sources": sum(one.state != "nothing landed" for one in found.sources),
        "reasons_of": reasons_of,
        "meaning_of": lambda test: meaning_of(language, test),
        "failure_of": lambda code: failure_of(language, code),
        "test_title": test_title,
        "knows_code": lambda code: code in CODES,
        "may_see_messages": rights.may_use("run").is_allowed,
        "may_see_releases": rights.may_use("releases").is_allowed,
        "may_see_rows": rights.may_use("quarantine").is_allowed,
        "number": lambda value: figures.value(value, "count"),
        "moment": figures.moment,
        "duration": figures.duration,
        "money": lambda value: figures.value(float(value), "money") if value is not None else "–",
        "raw": lambda value: "" if value is None else str(value),
    }


def daily(viewer: Viewer, found: Health, asked: Asked) -> Daily:
    """Give rows by day of one source, or of all; a day on which nothing came has no figure."""
    language, figures = viewer.language, viewer.figures
    chosen = [one for one in found.sources if asked.source in ("", one.source)]
    columns = (
        Column(language.text("Day (UTC)")),
        *(
            Column(language.text(words), is_number=True, series=name == asked.measure, unit="count")
            for name, words in MEASURES.items()
        ),
    )
    rows = []
    for place in range(found.days):
        day, count = _of_day([one.days[place] for one in chosen])
        values = [getattr(count, name) if count is not None else None for name in MEASURES]
        cells = [Cell(figures.value(value, "count"), value) for value in values]
        rows.append((Cell(figures.day(day), day), *cells))
    title = language.text("%(measure)s by day", measure=language.text(MEASURES[asked.measure]))
    return Daily(title, columns, tuple(rows), all(row[1].value is None for row in rows))


def _of_day(days: Sequence[tuple[dt.date, Counts | None]]) -> tuple[dt.date, Counts | None]:
    came = [count for _, count in days if count is not None]
    return days[0][0], sum(came[1:], came[0]) if came else None


def reasons_of(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    """Give the most frequent reasons."""
    return sorted(reasons.items(), key=lambda one: -one[1])[:MOST_REASONS]
