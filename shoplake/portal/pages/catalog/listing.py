"""Everything on one page: KPIs, sources and tables, by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.catalogue.entries import CORE, KPI, SOURCE, STAGING
from shoplake.portal.pages.boards import TEAMS
from shoplake.portal.pages.catalog.naming import address_of, layer_title, owner_of

if TYPE_CHECKING:
    from shoplake.catalogue.entries import Entry
    from shoplake.portal.pages.catalog.sight import Sight

ORDER = (KPI, SOURCE, *TEAMS, CORE, STAGING)


@dataclass(frozen=True)
class Card:
    """One thing."""

    title: str
    name: str
    text: str
    is_english: bool
    owner: str
    href: str
    is_locked: bool
    is_late: bool


@dataclass(frozen=True)
class Section:
    """The things of a layer."""

    anchor: str
    title: str
    cards: tuple[Card, ...]
    is_named_by_title: bool


def sections(sight: Sight) -> list[Section]:
    """Give all layers that hold anything."""
    entries = sorted(sight.catalogue.entries.values(), key=lambda entry: entry.ref)
    made = []
    for layer in ORDER:
        cards = sorted((_card(sight, e) for e in entries if e.layer == layer), key=lambda one: one.is_locked)
        if cards:
            made.append(Section(layer, layer_title(sight.viewer.language, layer), tuple(cards), layer == KPI))
    return made


def _card(sight: Sight, entry: Entry) -> Card:
    language, is_kpi = sight.viewer.language, entry.kind == "kpi"
    return Card(
        title=language.text(entry.title) if is_kpi else entry.ref.name,
        name=entry.ref.name,
        text=language.text(entry.description) if is_kpi else entry.description,
        is_english=not is_kpi,
        owner=owner_of(language, entry.owner),
        href=address_of(entry.ref),
        is_locked=sight.lock(entry) is not None,
        is_late=entry.kind == "source" and sight.viewer.is_late(entry.ref.name),
    )
