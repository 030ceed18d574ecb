"""The columns of a thing and what guards it, as rows of the page's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.catalogue.standing import broken_tests, verdict
from shoplake.portal.pages.catalog.naming import Link, address_of, sensitivity_text, unit_text
from shoplake.portal.pages.catalog.ways import link_to

if TYPE_CHECKING:
    from shoplake.catalogue.entries import Column, Entry
    from shoplake.portal.pages.catalog.sight import Lock, Sight

MARKS = {"failed": "failed", "warned": "late", "not-run": "none"}


@dataclass(frozen=True)
class ColumnRow:
    """One column, or one definition of a KPI."""

    name: str
    href: str
    title: str
    """What it means; of a KPI in the person's language."""
    type: str
    unit: str
    sensitivity: str
    is_key: bool
    is_required: bool
    rule: str
    made_of: tuple[Link, ...]
    lock: Lock | None
    is_chosen: bool
    is_default: bool = False


@dataclass(frozen=True)
class GuardRow:
    """One rule or test, and how it stands."""

    title: str
    name: str
    code: str
    severity: str
    state: str
    mark: str
    text: str


def column_rows(sight: Sight, entry: Entry, chosen: str) -> list[ColumnRow]:
    """Give the columns of a thing."""
    return [_row(sight, entry, column, chosen) for column in entry.columns]


def _row(sight: Sight, entry: Entry, column: Column, chosen: str) -> ColumnRow:
    language, ref = sight.viewer.language, entry.ref._replace(column=column.name)
    is_kpi = entry.kind == "kpi"
    return ColumnRow(
        name=column.name,
        href=address_of(ref),
        title=language.text(column.description) if is_kpi else column.description,
        type=column.type,
        unit=unit_text(language, column.unit, sight.viewer.settings.currency),
        sensitivity=sensitivity_text(language, column.sensitivity),
        is_key=column.is_key,
        is_required=column.is_required,
        rule=column.rule,
        made_of=tuple(link_to(sight, one) for one in sight.catalogue.columns.inputs.get(ref, ())),
        lock=None if sight.lock(entry) else sight.column_lock(entry, column.name),
        is_chosen=column.name == chosen,
        is_default=is_kpi and sight.catalogue.kpis[entry.ref.name].default_definition == column.name,
    )


def guard_rows(sight: Sight, entry: Entry) -> list[GuardRow]:
    """Give what guards a source at landing, or a table before each release."""
    text = sight.viewer.language.text
    kinds = {False: text("stops"), True: text("warns")}
    if entry.kind == "source":
        words = {False: "holds the row in quarantine", True: "lands the row, and counts it"}
        return [
            GuardRow(g.title, g.name, g.code, kinds[g.is_warning], "rule", "", text(words[g.is_warning]))
            for g in entry.guards
        ]
    if not entry.guards:
        return []
    broken = broken_tests(sight.viewer.settings)
    found = []
    for guard in entry.guards:
        state = verdict(guard, sight.viewer.manifest, broken)
        said = _said(sight, state, broken.get(guard.name, 0))
        kind = kinds[guard.is_warning]
        found.append(GuardRow(guard.title, guard.name, guard.code, kind, state, MARKS.get(state, ""), said))
    return found


def _said(sight: Sight, state: str, rows: int) -> str:
    text = sight.viewer.language.text
    if state == "failed":
        return text("failed in the last run, with %(rows)s rows: nothing was published", rows=rows)
    words = {
        "passed": "passed",
        "passed-before": "passed, and nothing that it reads has changed since",
        "warned": "warned",
        "not-run": "not run yet",
    }
    return text(words[state])
