"""Every KPI against figures worked out by hand: ``tests/golden/kpi/<kpi>/<case>/`` holds the files, questions, answers.

``in_<source>.csv`` is what lands, ``ask.json`` the questions (one or a list), ``expected.json`` what each answer must
hold; ``why`` in it says how the figures come about.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.kpi_definition import load_kpis
from tests.access.conftest import KpiLab, printed
from tests.warehouse.lab import Row

GOLDEN = Path(__file__).parents[1] / "golden" / "kpi"
CASES = sorted(file.parent for file in GOLDEN.glob("*/*/ask.json"))


def test_every_kpi_has_a_golden_case() -> None:
    assert {case.parent.name for case in CASES} == load_kpis().keys()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_the_answers_are_those_worked_out_by_hand(case: Path, kpis: KpiLab) -> None:
    for file in sorted(case.glob("in_*.csv")):
        source = file.stem.removeprefix("in_")
        kpis.land(source, read_rows(file, kpis.lab.project.lake_columns[source]))
    asks, answers = (json.loads((case / f"{name}.json").read_text()) for name in ("ask", "expected"))
    for ask, expected in zip(*(one if isinstance(one, list) else [one] for one in (asks, answers)), strict=True):
        if "created_at" in ask:
            kpis.created_at = dt.datetime.fromisoformat(ask.pop("created_at"))
        if "from" in ask:
            ask["from_"] = ask.pop("from")
        found = printed(kpis.ask(case.parent.name, **ask))
        expected.pop("why", None)
        assert picked(found, expected) == near(expected)


def read_rows(file: Path, kinds: Mapping[str, str]) -> list[Row]:
    """Read a CSV file with the types of the lake; an empty cell is null."""
    read: dict[str, Callable[[str], Any]] = {"BIGINT": int, "DOUBLE": float, "TIMESTAMP": dt.datetime.fromisoformat}
    with file.open(newline="") as lines:
        return [
            {name: None if not cell else read.get(kinds[name], str)(cell) for name, cell in row.items()}
            for row in csv.DictReader(lines)
        ]


def picked(found: Any, expected: Any) -> Any:
    """Keep of an answer what is expected of it."""
    if isinstance(expected, dict):
        return {name: picked(found.get(name, "absent"), value) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        return [picked(f, e) for f, e in zip(found, expected, strict=True)]
    return found


def near(expected: Any) -> Any:
    """Allow a float its last bits."""
    if isinstance(expected, dict):
        return {name: near(value) for name, value in expected.items()}
    if isinstance(expected, list):
        return [near(value) for value in expected]
    return pytest.approx(expected, rel=1e-9) if isinstance(expected, float) else expected
