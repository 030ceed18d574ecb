"""What the pages of the quarantine show."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shoplake.audit.reading import Wanted
from shoplake.audit.search import search
from shoplake.errors import InputError
from shoplake.lake.quarantine_browse import browse
from shoplake.portal.pages.health.words import STATES
from shoplake.store.held_rows import HeldWanted

if TYPE_CHECKING:
    from shoplake.lake.held_values import HeldValue
    from shoplake.lake.quarantine import Replayed
    from shoplake.portal.pages.viewer import Viewer
    from shoplake.settings import Settings

LONGEST = 300
MOST_EXPORTED = 100_000
PAST_REPLAYS, PAST_SECONDS = 8, 0.7
CHARACTERS = {
    "digits": "digits: %(length)s",
    "letters": "letters: %(length)s",
    "mixed": "characters: %(length)s",
}


@dataclass(frozen=True)
class Asked:
    """What an address asks of the page."""

    source: str = ""
    day: str = ""
    reason: str = ""
    file: str = ""
    before: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """Read it.

        Raises:
            InputError: it cannot be read.

        """
        asked = cls(**{name: query.get(name) or "" for name in cls.__dataclass_fields__})
        if any(len(value) > LONGEST for value in asked.pairs().values()):
            raise InputError("A filter is too long.", hint="Choose among what the page offers.")
        if asked.before and not (asked.before.isdigit() and len(asked.before) < 18):  # noqa: PLR2004 - a row's number
            raise InputError("There is no such page.", hint="Begin with the first.")
        _ = asked.wanted
        return asked

    @property
    def wanted(self) -> HeldWanted:
        """Give which rows are looked for."""
        return HeldWanted(self.source or None, _day(self.day), self.reason or None, self.file or None)

    @property
    def cursor(self) -> int | None:
        """Give where the page goes on."""
        return int(self.before) if self.before else None

    def pairs(self) -> dict[str, str]:
        """Give what is asked for, by its name."""
        return {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}

    def address(self, path: str = "/quarantine", **changes: object) -> str:
        """Give the address of the page with changes; it begins with the first rows again."""
        values = {k: v for k, v in self.pairs().items() if k != "before"} | {k: str(v) for k, v in changes.items()}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{query}" if query else path


def _day(given: str) -> dt.date | None:
    if not given:
        return None
    try:
        return dt.date.fromisoformat(given)
    except ValueError:
        raise InputError("This is no day.", hint="Write it as 2026-01-31.") from None


def shown(viewer: Viewer, asked: Asked, done: list[Replayed] | None = None) -> dict[str, Any]:
    """Give what the template of the list shows; ``done`` is what a replay has just done."""
    return {
        "asked": asked,
        "found": browse(viewer.settings, asked.wanted, before=asked.cursor),
        "done": done,
        "past": _past(viewer),
        "may_export": viewer.rights.may_export("quarantine").is_allowed,
        "today": dt.datetime.now(dt.UTC).date(),
    } | words_of(viewer)


def words_of(viewer: Viewer) -> dict[str, Any]:
    """Give how figures, moments and hidden values are written."""
    figures, language = viewer.figures, viewer.language

    def hidden(value: HeldValue) -> str:
        return language.text(CHARACTERS[value.kind], length=value.length)

    return {
        "number": lambda value: figures.value(value, "count"),
        "moment": figures.moment,
        "day_of": figures.day,
        "hidden": hidden,
        "states": {name: language.text(text) for name, text in STATES.items()},
    }


def _past(viewer: Viewer) -> list[Any]:
    """Give the newest replays of anybody: what they asked for and what landed, from the audit log."""
    wanted = Wanted(action="quarantine replay")
    found = search(viewer.settings, wanted, limit=2 * PAST_REPLAYS, seconds=PAST_SECONDS)
    return [one.entry for one in found.records if one.entry.outcome != "begun"][:PAST_REPLAYS]


def csv_of(settings: Settings, asked: Asked) -> str:
    """Give the rows that are looked for as CSV: where they stand and why they wait; nothing of the lines.

    Raises:
        InputError: there are more than a file holds.

    """
    found = browse(settings, asked.wanted, limit=MOST_EXPORTED, with_lines=False)
    if found.before is not None:
        raise InputError("There are too many rows for a file.", hint="Choose a source, a day or a reason first.")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "source", "file", "line", "reasons"])
    writer.writerows([row.id, row.source, row.file, row.line, " ".join(row.reasons)] for row in found.rows)
    return text.getvalue()
