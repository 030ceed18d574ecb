"""What a page can be filtered by: the values that the data holds, and the way back from what was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.errors import ShoplakeError
from shoplake.portal.pages.filters import DIMENSIONS

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi
    from shoplake.portal.pages.filters import Filters
    from shoplake.portal.pages.viewer import Viewer

MOST_CHOICES = 200
TYPED = {"product", "page"}
"""Dimensions with too many values for a list to choose from: they are typed, with the first as proposals."""
WITHIN = {"store": ("region",), "warehouse": ("region",), "product": ("category",)}
"""Dimensions whose values depend on another that is chosen."""
WAY = ("region", "store", "warehouse", "category", "product")


@dataclass(frozen=True)
class Choice:
    """One value to choose."""

    value: str
    label: str
    is_chosen: bool = False


@dataclass(frozen=True)
class Chooser:
    """One dimension with its values."""

    dimension: str
    title: str
    is_typed: bool
    choices: tuple[Choice, ...]

    @property
    def chosen(self) -> list[Choice]:
        """Give the values in use."""
        return [choice for choice in self.choices if choice.is_chosen]


@dataclass(frozen=True)
class Crumb:
    """One step of the way that was drilled down; the last one leads nowhere."""

    text: str
    href: str = ""


def choosers(viewer: Viewer, kpis: list[Kpi], filters: Filters, *, is_full: bool = False) -> list[Chooser]:
    """Give what a page can be filtered by.

    Args:
        viewer: who looks.
        kpis: those of the page.
        filters: in use.
        is_full: ask the data for the values, too; else only those in use are there.

    """
    found = []
    for name in DIMENSIONS:
        kpi = next((kpi for kpi in kpis if name in viewer.dimensions(kpi)), None)
        if kpi is not None:
            found.append(_chooser(viewer, kpi, name, filters, is_full=is_full))
    return found


def _chooser(viewer: Viewer, kpi: Kpi, name: str, filters: Filters, *, is_full: bool) -> Chooser:
    chosen = filters.where.get(name, ())
    values = _values(viewer, kpi, name, filters) if is_full else {}
    # A value in an address is an id or a name; the list offers ids.
    choices = [Choice(value, label, value in chosen or label in chosen) for value, label in values.items()]
    known = {word for value, label in values.items() for word in (value, label)}
    choices += [Choice(value, value, True) for value in chosen if value not in known]
    return Chooser(name, viewer.language.text(name).capitalize(), name in TYPED, tuple(choices))


def _values(viewer: Viewer, kpi: Kpi, name: str, filters: Filters) -> dict[str, str]:
    """Give the values of a dimension with the names that people know them by; none where they cannot be had."""
    kept = {n: v for n, v in filters.where.items() if n in WITHIN.get(name, ()) and n in kpi.dimensions}
    try:
        rows = viewer.answer(kpi, _with(filters, kept), by=(name,)).rows
    except ShoplakeError:
        return {}
    if name in TYPED:
        rows = sorted((r for r in rows if r["value"] is not None), key=lambda r: r["value"], reverse=True)
        rows = rows[:MOST_CHOICES]
    found = {str(row[name]): str(row.get(f"{name}_name") or row[name]) for row in rows if row[name] not in (None, "")}
    return found if name in TYPED else dict(sorted(found.items(), key=lambda one: one[1].casefold()))


def _with(filters: Filters, where: dict[str, Any]) -> Filters:
    from dataclasses import replace

    return replace(filters, where=where)


def crumbs(viewer: Viewer, filters: Filters, path: str, title: str) -> list[Crumb]:
    """Give the way from the whole page down to what is shown; empty where nothing was drilled into."""
    steps = [name for name in WAY if name in filters.where]
    steps += [name for name in filters.where if name not in WAY]
    is_one_day = filters.first is not None and filters.first == filters.last
    if not steps and not is_one_day:
        return []
    whole = _with(filters, {})
    found = [Crumb(title, (whole.over("30") if is_one_day else whole).address(path))]
    taken: dict[str, tuple[str, ...]] = {}
    for name in steps:
        taken[name] = filters.where[name]
        label = f"{viewer.language.text(name).capitalize()}: {', '.join(filters.where[name])}"
        upto = _with(filters, dict(taken))
        found.append(Crumb(label, (upto.over("30") if is_one_day else upto).address(path)))
    if is_one_day and filters.first is not None:
        found.append(Crumb(viewer.figures.day(filters.first)))
    found[-1] = Crumb(found[-1].text)
    return found
