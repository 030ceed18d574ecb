"""What the catalogue's pages call things, and where each has its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from shoplake.catalogue.entries import CORE, KPI, SOURCE, STAGING
from shoplake.portal.pages.boards import TITLES

if TYPE_CHECKING:
    from shoplake.catalogue.entries import Entry
    from shoplake.catalogue.graph import Ref
    from shoplake.portal.pages.language import Language

PATH = "/catalog"
LINEAGE = "lineage"
"""Id of the part of a page that shows where things come from."""


@dataclass(frozen=True)
class Link:
    """Something to go to."""

    text: str
    href: str
    note: str = ""
    is_locked: bool = False


def address_of(ref: Ref) -> str:
    """Give the page of a thing; of a column that of its table, with the column's own lineage."""
    path = f"{PATH}/{ref.kind}/{quote(ref.name, safe='')}"
    return f"{path}?{urlencode({'column': ref.column})}#{LINEAGE}" if ref.column else path


def name_of(ref: Ref) -> str:
    """Give what a thing is called in the text of a link."""
    return f"{ref.name}.{ref.column}" if ref.column else ref.name


def layer_title(language: Language, layer: str) -> str:
    """Give the title of all things of a layer."""
    words = {KPI: "KPIs", SOURCE: "Sources", CORE: "Core tables", STAGING: "Staging views"}
    if layer in TITLES:
        return language.text("Marts of %(team)s", team=language.text(TITLES[layer]))
    return language.text(words[layer])


def kind_of(language: Language, entry: Entry, column: str = "") -> str:
    """Give what a thing is, in a word or two."""
    if column:
        return language.text("Definition") if entry.kind == KPI else language.text("Column")
    words = {KPI: "KPI", SOURCE: "Source", CORE: "Core table", STAGING: "Staging view"}
    return language.text(words.get(entry.layer, "Mart"))


def owner_of(language: Language, owner: str) -> str:
    """Give an owner's name: a team as its page is called."""
    words = {
        "data engineering": "Data engineering",
        "sales-systems": "Sales systems",
        "supply-chain": "Supply chain",
        "customer-care": "Customer care",
        "web-platform": "Web platform",
    }
    return language.text(TITLES.get(owner) or words.get(owner, owner))


def unit_text(language: Language, unit: str, currency: str) -> str:
    """Give a unit as people read it."""
    if unit == "money":
        return currency
    words = {
        "ratio": "Share",
        "count": "Number",
        "units": "Units",
        "seconds": "Seconds",
        "epoch_seconds": "Seconds since 1970",
        "business day": "Business day",
        "units x seconds": "Units x seconds",
        "score": "0 to 100",
        "pairs": "Pairs",
        "days": "Days",
        "rating": "1 to 5",
        "turns": "Turns",
        "rises": "Restocks",
    }
    return language.text(words.get(unit, unit))


def sensitivity_text(language: Language, tag: str) -> str:
    """Give what a column is sensitive as."""
    words = {"cost": "Cost", "pseudonym": "Pseudonym", "text": "Customers' words", "identifier": "Identifier"}
    return language.text(words.get(tag, tag))
