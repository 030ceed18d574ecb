"""Everything on one source, table or KPI: facts, freshness, uses, and a query to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from babel.numbers import format_decimal

from shoplake.catalogue.entries import STAGING
from shoplake.catalogue.standing import held, landed
from shoplake.portal.pages.boards import BOARDS, TITLES
from shoplake.portal.pages.catalog.naming import Link, layer_title, owner_of
from shoplake.portal.pages.catalog.ways import link_to

if TYPE_CHECKING:
    from shoplake.catalogue.entries import Entry
    from shoplake.catalogue.graph import Ref
    from shoplake.portal.pages.catalog.sight import Sight

MOST_COLUMNS, SAMPLE_ROWS, LONGEST_LINE = 8, 100, 60
CONSOLE = "/sql"
KILO = 1000


@dataclass(frozen=True)
class Input:
    """A source, and how far its data reaches in the release."""

    link: Link
    owner: str
    reaches: str
    is_late: bool
    quarantined: str


@dataclass(frozen=True)
class Use:
    """What something is used for."""

    title: str
    links: tuple[Link, ...]


def facts(sight: Sight, entry: Entry) -> Iterator[tuple[str, str]]:
    """Give what there is to say of a thing in a word: who owns it, how much there is of it."""
    viewer, text = sight.viewer, sight.viewer.language.text
    yield text("Layer"), layer_title(viewer.language, entry.layer)
    yield text("Owner"), owner_of(viewer.language, entry.owner)
    if entry.kind == "source":
        yield from _of_source(sight, entry.ref.name)
    elif entry.kind == "table":
        yield from _of_table(sight, entry)
    else:
        kpi = sight.catalogue.kpis[entry.ref.name]
        words = {"up": "more is better", "down": "less is better", "none": "neither more nor less is better"}
        yield text("Direction"), text(words[kpi.direction])
        yield text("Dimensions"), ", ".join(text(name) for name in kpi.dimensions)
        yield text("Definition version"), str(kpi.version)


def _of_source(sight: Sight, name: str) -> Iterator[tuple[str, str]]:
    from shoplake.contracts import load_contracts

    viewer, text = sight.viewer, sight.viewer.language.text
    contract = load_contracts(viewer.settings)[name]
    words = {"batch": "files", "stream": "events, one by one", "reference": "a file, when it changes"}
    yield text("Comes as"), text(words[contract.kind])
    if contract.cadence_seconds:
        yield text("Comes every"), viewer.figures.duration(contract.cadence_seconds)
        yield text("May be late by"), viewer.figures.duration(contract.lateness_seconds)
    yield text("Meant for"), ", ".join(owner_of(viewer.language, one) for one in contract.consumers) or "–"
    if name in viewer.manifest.spans:
        yield text("Business days"), viewer.figures.window(*viewer.manifest.spans[name])
    if viewer.rights.may_use("lake").is_allowed:
        counted = landed(viewer.settings, name)
        yield text("Rows landed"), viewer.figures.value(counted.rows, "count")
        yield text("Files"), f"{viewer.figures.value(counted.files, 'count')} ({size(sight, counted.bytes)})"
    yield text("Contract"), f"{name}.odcs.yaml {contract.version}"


def _of_table(sight: Sight, entry: Entry) -> Iterator[tuple[str, str]]:
    viewer, text = sight.viewer, sight.viewer.language.text
    if entry.layer == STAGING:
        yield text("Rows"), text("none of its own: builds look through it into the lake")
        return
    table = viewer.rights.narrowed(viewer.manifest).tables.get(entry.ref.name)
    if table is not None:
        counted = held(viewer.settings, table)
        limits = sight.limits(entry)
        rows = viewer.figures.value(counted.rows, "count")
        yield text("Rows"), f"{rows} ({limits})" if limits else rows
        yield text("Size"), size(sight, counted.bytes)
        yield text("Files"), viewer.figures.value(counted.files, "count")
        if counted.first:
            yield text("Partitions"), f"{counted.first} – {counted.last}"
    if entry.partition_by:
        yield text("Kept by"), entry.partition_by
    if viewer.manifest.release_id:
        yield text("Release"), viewer.manifest.release_id


def inputs(sight: Sight, entry: Entry) -> list[Input]:
    """Give the sources of a thing, with how far their data reaches."""
    viewer, found = sight.viewer, []
    for name in dict.fromkeys(sight.catalogue.sources_of(entry)):
        source = sight.catalogue.find("source", name)
        if source is None:
            continue
        rows = sum(viewer.manifest.quarantined.get(name, {}).values())
        mark = viewer.manifest.watermarks.get(name)
        found.append(
            Input(
                link_to(sight, source.ref),
                owner_of(viewer.language, source.owner),
                viewer.figures.moment(mark),
                viewer.is_late(name),
                viewer.figures.value(rows, "count"),
            )
        )
    return found


def uses(sight: Sight, entry: Entry) -> list[Use]:
    """Give what is made of a thing, or shows it."""
    text, made = sight.viewer.language.text, sight.catalogue.wholes.outputs.get(entry.ref, ())
    below = sight.catalogue.wholes.downstream(entry.ref)
    kpis = [ref for ref in below if ref.kind == "kpi"] or ([entry.ref] if entry.kind == "kpi" else [])
    found = [
        Use(text("Tables made of it"), _links(sight, [ref for ref in made if ref.kind == "table"])),
        Use(text("KPIs"), _links(sight, [ref for ref in kpis if ref != entry.ref])),
        Use(text("KPIs that go by a column of it"), tuple(_dimensions(sight, entry))),
        Use(text("Team pages"), tuple(_pages(sight, [ref.name for ref in kpis]))),
        Use(text("Published"), tuple(_publications(sight, entry))),
    ]
    return [use for use in found if use.links]


def _links(sight: Sight, refs: list[Ref]) -> tuple[Link, ...]:
    return tuple(link_to(sight, ref) for ref in sorted(refs))


def _dimensions(sight: Sight, entry: Entry) -> Iterator[Link]:
    text, columns = sight.viewer.language.text, {column.name for column in entry.columns}
    for kpi in sight.catalogue.kpis.values() if entry.kind == "table" else ():
        named = [text(name) for name, one in kpi.dimensions.items() if one.column in columns]
        ref = next((ref for ref in sight.catalogue.entries if ref == ("kpi", kpi.name, "")), None)
        if ref and named and entry.ref in sight.catalogue.wholes.inputs.get(ref, ()):
            link = link_to(sight, ref)
            yield Link(link.text, link.href, ", ".join(named), link.is_locked)


def _pages(sight: Sight, kpis: list[str]) -> Iterator[Link]:
    """Give the team pages that show a KPI, and the KPI's own page; those of others are named without a way in."""
    text = sight.viewer.language.text
    for team, panels in BOARDS.items():
        shown = [kpi for kpi in kpis if sight.catalogue.kpis[kpi].team == team]
        if shown:
            count = sum(panel.kpi in shown for panel in panels)
            may_open = team in sight.viewer.teams
            note = text("charts and tables: %(panels)s", panels=count)
            yield Link(text(TITLES[team]), f"/{team}" if may_open else "", note, not may_open)


def _publications(sight: Sight, entry: Entry) -> Iterator[Link]:
    from shoplake.pipeline.outcome import last_publication
    from shoplake.publication.wanted import wanted

    published = last_publication(sight.viewer.settings)
    if entry.is_released and published is not None and published.release:
        tables = wanted(sight.viewer.settings, sight.viewer.manifest, ()).tables
        place = next((f"{schema}.{name}" for schema, name in tables if name == entry.ref.name), "")
        if place:
            where = f"{published.target}, {published.release}" if sight.may_query(entry) else published.release
            yield Link(f"PostgreSQL: {place}", "", where)


def sample(sight: Sight, entry: Entry) -> tuple[str, str]:
    """Give a query to begin with, and where it opens; nothing of a table that the person cannot query."""
    if not sight.may_query(entry):
        return "", ""
    names = ", ".join(_quoted(name) for name in sight.viewer.rights.columns(entry.ref.name)[:MOST_COLUMNS])
    columns = fill(names, LONGEST_LINE, subsequent_indent=" " * len("SELECT "), break_long_words=False)
    order = f"\nORDER BY {_quoted(entry.partition_by)} DESC" if entry.partition_by else ""
    sql = f"SELECT {columns}\nFROM {entry.title}{order}\nLIMIT {SAMPLE_ROWS}"
    has_console = any(place.address == CONSOLE for place in sight.viewer.places)
    return sql, f"{CONSOLE}?{urlencode({'sql': sql})}" if has_console else ""


def _quoted(name: str) -> str:
    """Give a column's name as SQL takes it; only what a plain word is not stands in quotes."""
    return name if name.isidentifier() and name not in {"year", "quarter", "month", "week"} else f'"{name}"'


def size(sight: Sight, number: int) -> str:
    """Give a number of bytes as people read it."""
    amount, units = float(number), ["B", "kB", "MB", "GB", "TB"]
    while amount >= KILO and len(units) > 1:
        amount, units = amount / KILO, units[1:]
    return f"{format_decimal(amount, format='#,##0.#', locale=sight.viewer.language.locale)} {units[0]}"
