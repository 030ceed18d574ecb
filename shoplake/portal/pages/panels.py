"""A panel's table: what its chart is drawn from and what an export holds, so that the three cannot differ."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from shoplake.access.kpi_scope import Scope
from shoplake.portal.pages.boards import Panel
from shoplake.portal.pages.figures import is_number, raw
from shoplake.portal.pages.filters import DIMENSIONS
from shoplake.portal.pages.tiles import State, missing_dimensions, reason_of, state_of

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.viewer import Viewer

FIRST_ROWS = {"bars": 12, "table": 12, "list": 15, "line": 400, "parts": 50, "curve": 100}
SINGLE_CASES = "a curve would tell single cases apart, which this role sees in figures over groups only"
MOST_ROWS = 2_500
MONEY_PARTS = {"gross", "discount", "net", "cost_of_goods", "net_with_cost", "gross_margin"}
LISTED_UNITS = {"expected_net_sales_lost_daily": "money"}
STEPS = {
    "sessions": "All visits",
    "sessions-bounces": "Past the first event",
    "sessions-bounces_ga4": "Engaged, by GA4's rule",
    "share_0_to_20": "Score 0 to 20",
    "share_20_to_40": "Score 20 to 40",
    "share_40_to_60": "Score 40 to 60",
    "share_60_to_80": "Score 60 to 80",
    "share_80_to_100": "Score 80 to 100",
}
"""What rows of a panel of parts are called, where the part's name does not say it."""
KEYS = {"product", "warehouse", "store"}
"""Columns of a listing that are ids: shown through the name beside them."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    title: str
    is_number: bool = False
    series: bool = False
    """The chart draws it."""
    unit: str = ""


@dataclass(frozen=True)
class Cell:
    """What a cell says, and its value."""

    text: str
    value: Any = None
    note: str = ""
    href: str = ""
    verdict: str = ""
    explain: str = ""
    """Where the figure of the cell is explained."""

    @property
    def raw(self) -> str:
        """Give the value for programs."""
        return raw(self.value)


@dataclass(frozen=True)
class Table:
    """A panel as it is shown."""

    panel: Panel
    title: str
    state: State
    unit: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    rows_in_all: int = 0
    reason: str = ""
    hint: str = ""
    window: str = ""
    order: str = ""

    @property
    def is_cut(self) -> bool:
        """Say whether there are more rows than are shown."""
        return len(self.rows) < self.rows_in_all


def table(viewer: Viewer, kpi: Kpi, panel: Panel, filters: Filters, path: str, *, is_whole: bool = False) -> Table:
    """Make the table of a panel.

    Args:
        viewer: who looks.
        kpi: the panel's.
        panel: what to show.
        filters: of the page.
        path: of the page that rows lead to.
        is_whole: show all rows, up to `MOST_ROWS`, instead of the first.

    Raises:
        AccessDenied: the person may not see it.
        InputError: the window ends before it starts.

    """
    missing = missing_dimensions(viewer, kpi, filters)
    unit = kpi.definitions[panel.definition or kpi.default_definition].unit
    if missing:
        words = ", ".join(viewer.language.text(name) for name in missing)
        reason = viewer.language.text("it is not known by %(dimensions)s", dimensions=words)
        return Table(panel, title_of(viewer, kpi, panel), "not-measurable", unit, reason=reason)
    answer = viewer.answer(kpi, filters, by=(panel.by,) if panel.by else (), definition=panel.definition)
    maker = _Maker(viewer, kpi, panel, filters, path, answer, MOST_ROWS if is_whole else FIRST_ROWS[panel.kind])
    columns, rows = maker.made()
    if panel.kind == "curve" and not rows and Scope(viewer.rights, kpi).is_in_figures_only:
        reason = viewer.language.text(SINGLE_CASES)
        return Table(panel, title_of(viewer, kpi, panel), "not-measurable", unit, reason=reason)
    state, reason = state_of(viewer, kpi, answer), answer.total.reason or ""
    if not rows and state in {"ok", "late"}:
        reason = "nothing to show in these days"
    return Table(
        panel=panel,
        title=title_of(viewer, kpi, panel),
        state=state,
        unit=unit,
        columns=columns,
        rows=tuple(rows),
        rows_in_all=maker.rows_in_all(len(rows)),
        reason=reason_of(viewer.language, reason),
        window=viewer.figures.window(answer.window.first, answer.window.last),
        order=maker.order,
    )


def title_of(viewer: Viewer, kpi: Kpi, panel: Panel) -> str:
    """Give the title of a panel; a dimension that has no panel of its own is named."""
    if panel.title:
        return viewer.language.text(panel.title)
    words = {"kpi": viewer.language.text(kpi.title), "dimension": viewer.language.text(panel.by)}
    return viewer.language.text("%(kpi)s by %(dimension)s", **words)


def humanised(name: str) -> str:
    """Give a part's or a column's name as words."""
    return name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class _Maker:
    viewer: Viewer
    kpi: Kpi
    panel: Panel
    filters: Filters
    path: str
    answer: KpiAnswer
    limit: int
    """Rows past it are counted and not written out: a panel shows a dozen of thousands of products."""

    def rows_in_all(self, made: int) -> int:
        """Count the rows that there are, of which so many were made."""
        if self.panel.kind == "parts" or not made:
            return made
        return len(self.answer.curve if self.panel.kind == "curve" else self.answer.rows)

    @property
    def order(self) -> str:
        if self.panel.kind not in {"bars", "table"}:
            return ""
        text = self.viewer.language.text
        if self.panel.order_by:
            return text("%(part)s: most first", part=text(humanised(self.panel.order_by)))
        return text("worst first") if self._is_worst_first else text("largest first")

    @property
    def _direction(self) -> str:
        return self.panel.direction or self.answer.direction

    @property
    def _is_worst_first(self) -> bool:
        definition = self.kpi.definitions[self.answer.definition]
        return not definition.is_additive and self._direction != "none"

    def made(self) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
        if self.panel.kind == "parts":
            return self._of_parts()
        if self.panel.kind == "list":
            return self._listed()
        if self.panel.kind == "curve":
            return self._curve()
        return self._grouped()

    def _curve(self) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
        text, figures = self.viewer.language.text, self.viewer.figures
        columns = (
            Column(text("Time since the complaint")),
            Column(text("Still open"), is_number=True, series=True, unit="ratio"),
            Column(text(self.filters.compared), is_number=True, series=True, unit="ratio"),
            Column(text("Cases followed so long"), is_number=True),
            Column(text("Resolved by then"), is_number=True),
        )
        rows: list[tuple[Cell, ...]] = [
            (
                Cell(figures.duration(point["seconds"]), point["seconds"]),
                Cell(figures.value(point["value"], "ratio"), point["value"], explain=self._explained(self.filters)),
                Cell(figures.value(point["previous"], "ratio"), point["previous"]),
                Cell(figures.value(point["at_risk"], "count"), point["at_risk"]),
                Cell(figures.value(point["ended"], "count"), point["ended"]),
            )
            for point in self.answer.curve[: self.limit]
        ]
        return columns, rows

    def _explained(self, filters: Filters) -> str:
        """Give the page that explains a figure under filters."""
        return filters.address(f"{self.path}/{self.kpi.name}", definition=self.panel.definition)

    def _grouped(self) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
        by, text, unit = self.panel.by, self.viewer.language.text, self.answer.unit
        columns = (
            Column(text(by).capitalize()),
            Column(text(self.answer.definition_title), is_number=True, series=True, unit=unit),
            Column(text(self.filters.compared), is_number=True, series=by == "day", unit=unit),
            Column(text("Change"), is_number=True),
            *(Column(text(humanised(name)), is_number=True) for name in self.panel.parts),
        )
        return columns, [self._row(row) for row in self._sorted(self.answer.rows)[: self.limit]]

    def _sorted(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        if self.panel.by == "day":
            return list(rows)
        known = [row for row in rows if row["value"] is not None]
        rising = self._is_worst_first and self._direction == "up"
        known.sort(key=lambda row: row["value"], reverse=not rising)
        if self.panel.order_by:
            known.sort(key=lambda row: row["parts"][self.panel.order_by], reverse=True)
        return known + [row for row in rows if row["value"] is None]

    def _row(self, row: Mapping[str, Any]) -> tuple[Cell, ...]:
        figures, unit = self.viewer.figures, self.answer.unit
        value, previous = row["value"], row["previous"]
        note = reason_of(self.viewer.language, row.get("reason")) if value is None else ""
        narrowed = self._narrowed(row)
        explain = self._explained(narrowed) if narrowed is not None else ""
        return (
            self._key(row, narrowed),
            Cell(figures.value(value, unit), value, note, explain=explain),
            Cell(figures.value(previous, unit), previous, explain=explain),
            self._change(value, previous, unit),
            *(replace(self._part(name, row["parts"].get(name)), explain=explain) for name in self.panel.parts),
        )

    def _narrowed(self, row: Mapping[str, Any]) -> Filters | None:
        """Give the filters of a row's group; None where it cannot be asked for by itself."""
        value = row[self.panel.by]
        if isinstance(value, dt.date):
            return self.filters.on(value)
        may = self.panel.by in DIMENSIONS and value not in (None, "")
        return self.filters.only(self.panel.by, str(value)) if may else None

    def _change(self, value: object, previous: object, unit: str) -> Cell:
        from shoplake.portal.pages.tiles import direction

        text = self.viewer.figures.change(value, previous, unit)
        verdict = direction(value, previous, self._direction)[1] if text else ""
        moved: Any = None
        if text and is_number(value) and is_number(previous):
            moved = float(value) - float(previous) if unit == "ratio" else float(value) / float(previous) - 1
        return Cell(text or "–", moved, verdict=verdict)

    def _key(self, row: Mapping[str, Any], narrowed: Filters | None) -> Cell:
        by = self.panel.by
        value, name = row[by], row.get(f"{by}_name")
        href = narrowed.address(self.path) if narrowed is not None else ""
        if isinstance(value, dt.date):
            return Cell(self.viewer.figures.day(value), value, href=href)
        text = str(name or value) if value is not None else self.viewer.language.text("none given")
        return Cell(text, value, str(value) if name else "", href)

    def _part(self, name: str, value: object) -> Cell:
        if name in MONEY_PARTS or LISTED_UNITS.get(name) == "money":
            return Cell(self.viewer.figures.value(value, "money"), value)
        return Cell(self.viewer.figures.part(name, value), value)

    def _of_parts(self) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
        text, parts = self.viewer.language.text, self.answer.total.parts
        is_share = all("share" in name for name in self.panel.parts)
        columns = [Column(text("What")), Column(text("Figure"), is_number=True, series=True, unit=_part_unit(is_share))]
        values = [(step, _amount(step, parts)) for step in self.panel.parts]
        if not is_share:
            columns.append(Column(text("Share"), is_number=True))
        if self.answer.total.value is None and not any(value for _, value in values):
            return tuple(columns), []
        whole = values[0][1]
        rows = []
        for step, value in values:
            figure = replace(self._part(step, value), explain=self._explained(self.filters))
            cells = [Cell(text(STEPS.get(step) or humanised(step)), step), figure]
            if not is_share:
                share = float(value) / float(whole) if is_number(value) and is_number(whole) and whole else None
                cells.append(Cell(self.viewer.figures.value(share, "ratio"), share))
            rows.append(tuple(cells))
        return tuple(columns), rows

    def _listed(self) -> tuple[tuple[Column, ...], list[tuple[Cell, ...]]]:
        listing = self.kpi.listing
        if listing is None:
            return (), []
        names = [name for name in listing.columns if name not in KEYS]
        numbers = {name for name in names if _has_number(row.get(name) for row in self.answer.rows)}
        columns = tuple(
            Column(
                self.viewer.language.text(humanised(name.removesuffix("_name"))),
                is_number=name in numbers,
                series=name == listing.value,
                unit=LISTED_UNITS.get(name, ""),
            )
            for name in names
        )
        return columns, [
            tuple(self._listed_cell(name, row) for name in names) for row in self.answer.rows[: self.limit]
        ]

    def _listed_cell(self, name: str, row: Mapping[str, Any]) -> Cell:
        value, key = row.get(name), name.removesuffix("_name")
        if key != name:
            shown = value if value is not None else row.get(key)
            href = self.filters.only(key, str(row[key])).address(self.path) if row.get(key) is not None else ""
            return Cell(self.viewer.figures.cell(shown), shown, str(row.get(key, "")), href)
        if LISTED_UNITS.get(name) == "money":
            explain = self._explained(self._of_listed(row))
            return Cell(self.viewer.figures.value(value, "money"), value, explain=explain)
        if isinstance(value, str):
            return Cell(self.viewer.language.text(value), value, verdict="bad" if value == "out" else "")
        return Cell(self.viewer.figures.cell(value), value)

    def _of_listed(self, row: Mapping[str, Any]) -> Filters:
        """Give the filters of one listed row."""
        narrowed = self.filters
        for key in KEYS & row.keys():
            if key in DIMENSIONS and row[key] is not None:
                narrowed = narrowed.only(key, str(row[key]))
        return narrowed


def _amount(step: str, parts: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the part is
    """Give a part, or one less another where the step says ``one-other``."""
    whole, _, less = step.partition("-")
    value, other = parts.get(whole), parts.get(less)
    return float(value) - float(other) if less and is_number(value) and is_number(other) else value


def _has_number(values: Iterable[object]) -> bool:
    """Say whether a column has a number; a column of text is not read to its end for it."""
    return any(is_number(value) for value in takewhile(lambda value: not isinstance(value, str), values))


def _part_unit(is_share: bool) -> str:
    return "ratio" if is_share else "count"
