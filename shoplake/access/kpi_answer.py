"""What a KPI answers: the figure, what it is made of, what it is compared with, and how far it can be trusted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shoplake.access.kpi_window import Window
from shoplake.access.rendering import json_text
from shoplake.audit.entry import Shown, measured


@dataclass(frozen=True)
class Coverage:
    """How much of the window the data covers."""

    days: int
    days_with_data: int
    rows_quarantined: int

    @property
    def ratio(self) -> float:
        """Give the share of days with data."""
        return self.days_with_data / self.days

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "days": self.days,
            "days_with_data": self.days_with_data,
            "ratio": self.ratio,
            "rows_quarantined": self.rows_quarantined,
        }


@dataclass(frozen=True)
class Total:
    """The figure over the whole window."""

    value: Any
    parts: dict[str, Any]
    numerator: Any = None
    denominator: Any = None
    previous: Any = None
    reason: str | None = None
    """Why the value is null."""
    previous_reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "value": self.value,
            "numerator": self.numerator,
            "denominator": self.denominator,
            "parts": self.parts,
            "previous": self.previous,
            "reason": self.reason,
            "previous_reason": self.previous_reason,
        }


@dataclass(frozen=True)
class KpiAnswer:
    """One KPI over one window, from one release. Money is exact (Decimal)."""

    kpi: str
    team: str
    title: str
    unit: str
    direction: str
    window: Window
    previous_window: Window
    definition: str
    definition_title: str
    definition_version: int
    release: str
    watermark: dt.datetime | None
    """UTC, naive."""
    coverage: Coverage
    total: Total
    alternatives: dict[str, Any] = field(default_factory=dict)
    """Totals by the KPI's other definitions."""
    alternative_units: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Dimensions, ``value``, ``parts`` and ``previous`` of each group; ranked single rows where the KPI lists them."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """``seconds``, ``value``, ``previous``, ``at_risk`` and ``ended`` of each point, where the KPI has a curve."""

    @cached_property
    def shown(self) -> Shown:
        """Give what an audit record says of it."""
        return measured([self.as_dict()])

    @cached_property
    def json(self) -> str:
        """Give it as JSON."""
        return json_text(self.as_dict())

    @cached_property
    def _plain(self) -> dict[str, Any]:
        return {
            "kpi": self.kpi,
            "team": self.team,
            "title": self.title,
            "unit": self.unit,
            "direction": self.direction,
            "window": {**_ends(self.window), "days": self.window.days},
            "previous_window": _ends(self.previous_window),
            "definition": self.definition,
            "definition_title": self.definition_title,
            "definition_version": self.definition_version,
            "alternatives": self.alternatives,
            "release": self.release,
            "watermark": f"{self.watermark.isoformat()}Z" if self.watermark else None,
            "coverage": self.coverage.as_dict(),
            "total": self.total.as_dict(),
            "rows": [{name: _plain(value) for name, value in row.items()} for row in self.rows],
            **({"curve": self.curve} if self.curve else {}),
        }

    def as_dict(self) -> dict[str, Any]:
        """Give the answer as plain data with stable names; dates as ISO text."""
        return dict(self._plain)

    def overview(self) -> dict[str, Any]:
        """Give the total as one flat row, under the KPI's team and name."""
        return {"team": self.team, "kpi": self.kpi, **self._flat_total()}

    def flat_rows(self) -> list[dict[str, Any]]:
        """Give the rows (the total when there are none) with their parts as columns."""
        if not self.rows:
            return [self._flat_total() | self.total.parts]
        return [{k: v for k, v in row.items() if k != "parts"} | row["parts"] for row in self.rows]

    def _flat_total(self) -> dict[str, Any]:
        return {
            "from": self.window.first,
            "to": self.window.last,
            "definition": self.definition,
            "unit": self.unit,
            "value": self.total.value,
            "previous": self.total.previous,
            "reason": self.total.reason,
        }


def _ends(window: Window) -> dict[str, str]:
    return {"from": window.first.isoformat(), "to": window.last.isoformat()}


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return f"{value.isoformat()}Z"
    return value.isoformat() if isinstance(value, dt.date) else value
