"""What the pages of the audit log show."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shoplake.access.kpi_definition import load_kpis
from shoplake.audit.checking import log_state
from shoplake.audit.kinds import KINDS, kind_of
from shoplake.audit.reading import Wanted, as_row
from shoplake.audit.recording import showing
from shoplake.audit.search import Found, search
from shoplake.errors import InputError

if TYPE_CHECKING:
    from shoplake.audit.entry import Entry
    from shoplake.audit.verify import Report
    from shoplake.portal.pages.viewer import Viewer
    from shoplake.settings import Settings

ON_A_PAGE, MOST_EXPORTED = 50, 50_000
SEARCH_SECONDS, EXPORT_SECONDS, STATE_SECONDS, CHECK_SECONDS = 4.0, 45.0, 1.0, 60.0
LONGEST, LONGEST_LINE = 300, 160
MOST_FINDINGS = 100
KIND_TITLES = {
    "look": "looked at something",
    "export": "took something out",
    "sign in": "signed in or out",
    "change": "changed something",
    "pipeline": "landed, built, published",
}
OUTCOMES = {"ok": "done", "failed": "failed", "begun": "begun"}
FIELDS = {
    "user": "User",
    "role": "Role",
    "table": "Table",
    "person": "Person's pseudonym",
    "kpi": "KPI",
    "release": "Release",
    "kind": "Kind",
    "action": "Action",
    "outcome": "Outcome",
    "text": "Text anywhere",
    "from": "From",
    "to": "To",
}
"""What can be looked for, and what it is called."""


@dataclass(frozen=True)
class Asked:
    """What an address asks of the search."""

    values: Mapping[str, str]
    before: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """Read it.

        Raises:
            InputError: it cannot be read.

        """
        values = {name: query[name].strip() for name in FIELDS if query.get(name, "").strip()}
        if any(len(value) > LONGEST for value in values.values()):
            raise InputError("What is looked for is too long.", hint="Look for a part of it.")
        if values.get("kind", KINDS[0]) not in KINDS or values.get("outcome", "ok") not in OUTCOMES:
            raise InputError("There is no such kind of record.", hint="Choose among those that the page offers.")
        asked = cls(values, query.get("before") or "")
        _ = asked.wanted
        return asked

    @property
    def wanted(self) -> Wanted:
        """Give what is looked for."""
        known: dict[str, Any] = {k: v for k, v in self.values.items() if k not in {"from", "to"}}
        return Wanted(**known, first=_day(self.values.get("from")), last=_day(self.values.get("to")))

    def address(self, path: str = "/audit", **more: str) -> str:
        """Give the address of a search for the same."""
        query = urlencode({k: v for k, v in {**self.values, **more}.items() if v})
        return f"{path}?{query}" if query else path

    def without(self, name: str) -> str:
        """Give the address without a part of what is looked for."""
        return Asked({k: v for k, v in self.values.items() if k != name}).address()


def _day(given: str | None) -> dt.date | None:
    if not given:
        return None
    try:
        return dt.date.fromisoformat(given)
    except ValueError:
        raise InputError("This is no day.", hint="Write it as 2026-01-31.") from None


def searched(settings: Settings, asked: Asked, action: str, *, limit: int, seconds: float) -> Found:
    """Search, on record as the command is."""
    words = {f"asked_{name}": value for name, value in asked.values.items()}
    with showing(settings, action, **words) as entry:
        found = search(settings, asked.wanted, limit=limit, seconds=seconds, before=asked.before)
        entry.show([one.entry for one in found.records])
    return found


def exported(settings: Settings, asked: Asked) -> list[dict[str, Any]]:
    """Give all records that are looked for, the oldest first.

    Raises:
        InputError: there are more than a file holds, or they are not found in time.

    """
    found = searched(settings, asked, "audit export", limit=MOST_EXPORTED, seconds=EXPORT_SECONDS)
    if not found.is_complete:
        raise InputError(
            "There is more than a file from here holds.",
            hint="Choose fewer days, or call `shoplake audit export` where the log lies.",
        )
    return [as_row(one.entry) for one in reversed(found.records)]


def shown(viewer: Viewer, asked: Asked, report: Report | None = None) -> dict[str, Any]:
    """Give what the template of the search shows; ``report`` is what a check has just found."""
    settings, language = viewer.settings, viewer.language
    found = searched(settings, asked, "audit search", limit=ON_A_PAGE, seconds=SEARCH_SECONDS)
    return {
        "asked": asked,
        "found": found,
        "state": log_state(settings, seconds=STATE_SECONDS),
        "report": report,
        "findings": report.findings[:MOST_FINDINGS] if report else [],
        "roles": sorted(viewer.rights.policy.roles),
        "kpi_names": sorted(load_kpis()),
        "titles": {name: language.text(words) for name, words in FIELDS.items()},
        "kinds": {name: language.text(words) for name, words in KIND_TITLES.items()},
        "may_export": viewer.rights.may_export("audit").is_allowed,
    } | words_of(viewer)


def words_of(viewer: Viewer) -> dict[str, Any]:
    """Give how a record's parts are written."""
    figures, language = viewer.figures, viewer.language
    return {
        "number": lambda value: figures.value(value, "count"),
        "moment": lambda at: _to_the_second(figures.moment(at), at),
        "outcomes": {name: language.text(words) for name, words in OUTCOMES.items()},
        "kind_of": lambda entry: language.text(KIND_TITLES[kind_of(entry)]),
        "about": about,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
        "megabytes": lambda size: figures.value(round(size / 1_000_000, 1), "score"),
    }


def _to_the_second(text: str, at: dt.datetime | None) -> str:
    return text if at is None else text.replace(f":{at:%M} ", f":{at:%M:%S} ")


def about(entry: Entry) -> str:
    """Say in a line what a record is about."""
    detail = entry.detail
    first = entry.error or detail.get("kpi") or detail.get("sql") or detail.get("user") or detail.get("file")
    told = {k: v for k, v in detail.items() if isinstance(v, str | int | float | list) and not isinstance(v, bool)}
    rest = "; ".join(f"{k}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in told.items())
    return str(first or entry.source or rest)[:LONGEST_LINE]
