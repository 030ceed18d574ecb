"""A KPI's tile: its figure, what it is compared with and its trend; or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shoplake.portal.pages.figures import is_number, raw
from shoplake.portal.pages.sparkline import Sparkline, sparkline

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.language import Language
    from shoplake.portal.pages.viewer import Viewer

State = Literal["loading", "ok", "late", "no-data", "not-measurable", "failed"]
NOT_MEASURABLE = "not measurable: "
STEADY = 0.0005
"""A change below this part of the figure is none."""


@dataclass(frozen=True)
class Tile:
    """What a tile shows."""

    kpi: str
    title: str
    definition: str
    state: State
    value: str = ""
    """In full, for programs."""
    figure: str = ""
    unit: str = ""
    change: str = ""
    trend: Literal["up", "down", "flat", ""] = ""
    verdict: Literal["good", "bad", ""] = ""
    compared: str = ""
    window: str = ""
    reaches: str = ""
    """Up to when the data is known."""
    reason: str = ""
    hint: str = ""
    spark: Sparkline | None = None
    others: tuple[tuple[str, str], ...] = ()
    """Titles and figures by other definitions."""


def tile(viewer: Viewer, kpi: Kpi, filters: Filters) -> Tile:
    """Make the tile of a KPI.

    Raises:
        AccessDenied: the person may not see the KPI.
        InputError: the window ends before it starts.

    """
    missing = missing_dimensions(viewer, kpi, filters)
    if missing:
        return _unfiltered(viewer, kpi, missing)
    is_daily = "day" in kpi.dimensions and "day" not in filters.where
    answer = viewer.answer(kpi, filters, by=("day",) if is_daily else ())
    return _tile(viewer, kpi, answer)


def missing_dimensions(viewer: Viewer, kpi: Kpi, filters: Filters) -> list[str]:
    """Give the filters in use that a KPI does not have, or that the person may not use on it."""
    return [name for name in filters.where if name not in viewer.dimensions(kpi)]


def reason_of(language: Language, reason: str | None) -> str:
    """Give the reason why there is no figure, in the person's language."""
    text = (reason or "").removeprefix(NOT_MEASURABLE)
    return language.text(text)


def state_of(viewer: Viewer, kpi: Kpi, answer: KpiAnswer) -> State:
    """Say what a figure is worth."""
    if answer.total.value is None:
        return "not-measurable" if answer.coverage.days_with_data else "no-data"
    return "late" if viewer.late_sources(kpi) else "ok"


def _tile(viewer: Viewer, kpi: Kpi, answer: KpiAnswer) -> Tile:
    figures, total = viewer.figures, answer.total
    before = answer.previous_window
    trend, verdict = direction(total.value, total.previous, answer.direction)
    change = figures.change(total.value, total.previous, answer.unit)
    compared = viewer.language.text("against %(window)s", window=figures.window(before.first, before.last))
    if before.days != answer.window.days:
        compared = f"{compared} ({uneven(viewer, answer)})"
    if not change and total.value is not None:
        compared = reason_of(viewer.language, total.previous_reason)
    return Tile(
        kpi=kpi.name,
        title=viewer.language.text(kpi.title),
        definition=viewer.language.text(answer.definition_title),
        state=state_of(viewer, kpi, answer),
        value=raw(total.value),
        figure=figures.value(total.value, answer.unit, is_headline=True),
        unit=figures.unit(answer.unit),
        change=change,
        trend=trend if change else "",
        verdict=verdict if change else "",
        compared=compared,
        window=figures.window(answer.window.first, answer.window.last),
        reaches=figures.moment(answer.watermark),
        reason=reason_of(viewer.language, total.reason),
        others=tuple(
            (viewer.language.text(kpi.definitions[name].title), figures.value(value, kpi.definitions[name].unit))
            for name, value in answer.alternatives.items()
        ),
        spark=sparkline([float(r["value"]) if is_number(r["value"]) else None for r in answer.rows])
        if answer.rows and "day" in answer.rows[0]
        else None,
    )


def uneven(viewer: Viewer, answer: KpiAnswer) -> str:
    """Say that a figure is compared with that of more or fewer days."""
    days = {"days": answer.window.days, "others": answer.previous_window.days}
    return viewer.language.text("%(days)s days against %(others)s", **days)


def _unfiltered(viewer: Viewer, kpi: Kpi, missing: list[str]) -> Tile:
    words = ", ".join(viewer.language.text(name) for name in missing)
    return Tile(
        kpi=kpi.name,
        title=viewer.language.text(kpi.title),
        definition=viewer.language.text(kpi.definitions[kpi.default_definition].title),
        state="not-measurable",
        reason=viewer.language.text("it is not known by %(dimensions)s", dimensions=words),
    )


def failed(viewer: Viewer, kpi: Kpi, reason: str, hint: str = "") -> Tile:
    """Make the tile of a KPI that could not be answered."""
    return Tile(kpi.name, viewer.language.text(kpi.title), "", "failed", reason=reason, hint=hint)


def direction(
    value: object, previous: object, better: str
) -> tuple[Literal["up", "down", "flat", ""], Literal["good", "bad", ""]]:
    """Say where a figure went, and whether that is what one wants."""
    if not is_number(value) or not is_number(previous):
        return "", ""
    moved = float(value) - float(previous)
    if abs(moved) <= STEADY * max(abs(float(previous)), 1e-9):
        return "flat", ""
    way: Literal["up", "down"] = "up" if moved > 0 else "down"
    if better == "none":
        return way, ""
    return way, "good" if way == better else "bad"
