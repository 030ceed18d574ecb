"""A KPI's file as one SELECT over its marts, without a window: enough to read what its figures are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shoplake.access.kpi_inputs import NAMES

if TYPE_CHECKING:
    from shoplake.access.kpi_definition import Kpi

PARAMETER = re.compile(r"\$(\w+)")
NUMBERS = {"days", "engagement_days"}


def kpi_tables(kpi: Kpi) -> list[str]:
    """Name the tables that a KPI reads, the first that answers first."""
    named = " ".join([kpi.relation or "", *(mart.name for mart in kpi.marts), kpi.coverage.mart])
    return list(dict.fromkeys(NAMES.findall(named)))


def selects(kpi: Kpi) -> Iterator[str]:
    """Give, for each mart that can answer, the SELECT of every definition as ``value_<name>``."""
    if kpi.relation:
        yield _select(kpi, kpi.relation, {})
    for mart in kpi.marts:
        yield _select(kpi, f"select * from {mart.name}", mart.parts)


def _select(kpi: Kpi, base: str, own_parts: dict[str, str]) -> str:
    steps = [f"select current_date as last_day, kpi_rows.* from ({base}) as kpi_rows"]
    for step in kpi.per:
        columns = [*step.by, "last_day", *(f"({sql}) as {name}" for name, sql in step.measures.items())]
        steps.append(f"select {', '.join(columns)} from {{before}} group by {', '.join(step.by)}")
    parts = kpi.parts | own_parts
    steps.append(f"select {', '.join(f'({sql}) as {name}' for name, sql in parts.items())} from {{before}}")
    values = ", ".join(f"({one.value}) as value_{name}" for name, one in kpi.definitions.items())
    steps.append(f"select {values} from {{before}}")
    *earlier, last = [sql.replace("{before}", f"kpi_step_{n - 1}") for n, sql in enumerate(steps)]
    named = ", ".join(f"kpi_step_{n} as ({sql})" for n, sql in enumerate(earlier))
    return PARAMETER.sub(lambda found: "1" if found[1] in NUMBERS else "current_date", f"with {named} {last}")
