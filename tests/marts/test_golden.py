"""Each folder of tests/golden/marts holds lake rows as landed and the rows of one mart, computed by hand.

A folder is named for its mart, with the case after a dot where a mart has several. `in_<source>*.csv` is a landed
file; `expected.csv` has every column of the mart but hashed keys, and `why`, which says how the row came about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.warehouse.lab import Lab, Row

GOLDEN = Path(__file__).parents[1] / "golden" / "marts"
CASES = sorted(folder.name for folder in GOLDEN.iterdir())
HASHED = {"session_key", "case_key"}
DOUBLE_DIGITS = 6


def read_rows(path: Path, types: dict[str, str]) -> list[Row]:
    """Read a CSV file as rows of the given types; an empty field is null."""
    text = duckdb.read_csv(str(path), header=True, all_varchar=True, delimiter=",", quotechar='"', escapechar='"')
    unknown = set(text.columns) - types.keys() - {"why"}
    assert not unknown, f"{path} has unknown columns: {unknown}"
    casts = ", ".join(f'cast("{name}" as {types[name]}) as "{name}"' for name in text.columns if name != "why")
    rows: list[Row] = text.project(casts).to_arrow_table().to_pylist()
    return rows


def comparable(rows: list[Row]) -> list[list[tuple[str, Any]]]:
    """Bring rows into one order, with seconds and ratios to the sixth decimal."""
    plain = [
        [
            (name, round(v, DOUBLE_DIGITS) if isinstance(v, float) else v)
            for name, v in sorted(row.items())
            if name not in HASHED
        ]
        for row in rows
    ]
    return sorted(plain, key=str)


@pytest.mark.parametrize("at_once", [True, False], ids=["one_build", "a_build_for_each_file"])
@pytest.mark.parametrize("case", CASES)
def test_mart_has_the_expected_rows(lab: Lab, case: str, at_once: bool) -> None:
    mart = case.partition(".")[0]
    columns = lab.project.graph[mart].columns
    for path in sorted((GOLDEN / case).glob("in_*.csv")):
        source = next(s for s in lab.project.lake_columns if path.stem.startswith(f"in_{s}"))
        lab.land(source, read_rows(path, dict(lab.project.lake_columns[source])), name=path.stem)
        if not at_once:
            lab.run()
    if at_once:
        lab.run()
    expected = read_rows(GOLDEN / case / "expected.csv", dict(columns))
    assert all(row.keys() == columns.keys() - HASHED for row in expected)
    assert comparable(lab.table(mart)) == comparable(expected)
    assert lab.audit() == {}


def test_every_mart_has_a_golden_case(lab: Lab) -> None:
    marts = {model.name for model in lab.project.graph.tables() if model.database != "warehouse"}
    assert {case.partition(".")[0] for case in CASES} == marts


@pytest.mark.parametrize("case", CASES)
def test_every_golden_case_says_how_it_was_computed(case: str) -> None:
    assert (GOLDEN / case / "README.md").read_text().strip()
