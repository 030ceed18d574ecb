"""What is behind a KPI's figure: its definition, what it was made of, what else it could be, and how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.access.kpi_scope import Scope
from shoplake.portal.pages.panels import MONEY_PARTS, humanised
from shoplake.portal.pages.tiles import State, missing_dimensions, reason_of, state_of, uneven

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.viewer import Viewer


@dataclass(frozen=True)
class Alternative:
    """The same question by another definition."""

    name: str
    title: str
    figure: str
    value: object
    unit: str
    formula: str
    is_chosen: bool


@dataclass(frozen=True)
class Input:
    """A source that the figure comes from."""

    name: str
    owner: str
    reaches: str
    is_late: bool
    quarantined: int
    """Rows that are held back, and could change the figure."""


@dataclass(frozen=True)
class Read:
    """A table that the figure is made of."""

    name: str
    rows: int
    files: int


@dataclass(frozen=True)
class Explanation:
    """Everything that someone could ask about a figure."""

    kpi: Kpi
    answer: KpiAnswer
    state: State
    title: str
    figure: str
    unit: str
    question: str
    formula: str
    definition: str
    sql: str
    reason: str
    window: str
    before: str
    compared: str
    """Words for the days that it is compared with."""
    uneven: str
    """Says so where these are more or fewer than the window's."""
    previous: str
    change: str
    numerator: tuple[str, str] | None
    denominator: tuple[str, str] | None
    parts: tuple[tuple[str, str], ...]
    alternatives: tuple[Alternative, ...]
    inputs: tuple[Input, ...]
    tables: tuple[Read, ...]
    reaches: str
    dimensions: tuple[str, ...]


def explained(viewer: Viewer, kpi: Kpi, filters: Filters, definition: str) -> Explanation:
    """Explain a KPI's figure under the filters that it has.

    Raises:
        AccessDenied: the person may not see the KPI.
        InputError: the window ends before it starts.
        NotFoundError: the KPI has no such definition.

    """
    for name in missing_dimensions(viewer, kpi, filters):
        filters = filters.without(name)
    answer = viewer.answer(kpi, filters, definition=definition)
    figures, text, total = viewer.figures, viewer.language.text, answer.total
    chosen = kpi.definitions[answer.definition]
    return Explanation(
        kpi=kpi,
        answer=answer,
        state=state_of(viewer, kpi, answer),
        title=text(kpi.title),
        figure=figures.value(total.value, answer.unit),
        unit=figures.unit(answer.unit),
        question=text(kpi.question),
        formula=text(kpi.formula),
        definition=text(answer.definition_title),
        sql=" ".join(chosen.value.split()),
        reason=reason_of(viewer.language, total.reason),
        window=figures.window(answer.window.first, answer.window.last),
        before=figures.window(answer.previous_window.first, answer.previous_window.last),
        compared=text(filters.compared),
        uneven=uneven(viewer, answer) if answer.previous_window.days != answer.window.days else "",
        previous=figures.value(total.previous, answer.unit)
        if total.previous is not None
        else reason_of(viewer.language, total.previous_reason),
        change=figures.change(total.value, total.previous, answer.unit),
        numerator=_named(viewer, chosen.numerator, total.numerator),
        denominator=_named(viewer, chosen.denominator, total.denominator),
        parts=tuple((text(humanised(name)), _part(viewer, name, total.parts.get(name))) for name in kpi.parts),
        alternatives=tuple(_alternatives(viewer, kpi, answer)),
        inputs=tuple(_inputs(viewer, kpi)),
        tables=tuple(_tables(viewer, kpi)),
        reaches=figures.moment(answer.watermark),
        dimensions=tuple(name for name in kpi.dimensions if viewer.may_go_by(kpi, name) and name != "customer"),
    )


def _named(viewer: Viewer, name: str | None, value: object) -> tuple[str, str] | None:
    return (viewer.language.text(humanised(name)), _part(viewer, name, value)) if name else None


def _part(viewer: Viewer, name: str, value: object) -> str:
    if name in MONEY_PARTS:
        return viewer.figures.value(value, "money")
    return viewer.figures.part(name, value)


def _alternatives(viewer: Viewer, kpi: Kpi, answer: KpiAnswer) -> list[Alternative]:
    values = {answer.definition: answer.total.value, **answer.alternatives}
    return [
        Alternative(
            name=name,
            title=viewer.language.text(one.title),
            figure=viewer.figures.value(values[name], one.unit),
            value=values[name],
            unit=viewer.figures.unit(one.unit),
            formula=" ".join(one.value.split()),
            is_chosen=name == answer.definition,
        )
        for name, one in kpi.definitions.items()
    ]


def _inputs(viewer: Viewer, kpi: Kpi) -> list[Input]:
    from shoplake.contracts import load_contracts

    contracts, manifest, late = load_contracts(viewer.settings), viewer.manifest, viewer.late_sources(kpi)
    return [
        Input(
            name=source,
            owner=contracts[source].owner,
            reaches=viewer.figures.moment(manifest.watermarks.get(source)),
            is_late=source in late,
            quarantined=sum(manifest.quarantined.get(source, {}).values()),
        )
        for source in kpi.sources
    ]


def _tables(viewer: Viewer, kpi: Kpi) -> list[Read]:
    """Name the released tables that the KPI reads, as far as the person sees them whole or in part."""
    tables = viewer.rights.narrowed(viewer.manifest).tables
    return [
        Read(f"{tables[name].database}.{name}", tables[name].rows, sum(len(p.files) for p in tables[name].partitions))
        for name in Scope(viewer.rights, kpi).tables()
        if name in tables
    ]
