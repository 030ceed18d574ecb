"""A build runs the compiled models in order, holds them to their contracts, and stops at a test that breaks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from shoplake.errors import AuditFailed, BuildError
from shoplake.lake.landing import land
from shoplake.pipeline import releases, releasing
from shoplake.pipeline.build import BuildOutcome, build
from shoplake.pipeline.project import Project, load_project
from shoplake.pipeline.run import run
from shoplake.settings import Settings

ROWS = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\nT1,1,2,1,10.00,,1767600000\n"
NO_DBT = """
import sys
from pathlib import Path
from shoplake.pipeline.run import run
from shoplake.settings import load_settings
assert run(load_settings(Path(sys.argv[1]))).published
print(sorted(name for name in sys.modules if name.split(".")[0] == "dbt"))
"""


@pytest.fixture
def landed(settings: Settings) -> Settings:
    """Give a home with one sale in its lake."""
    path = settings.home.parent / "sales.csv"
    path.write_text(ROWS, encoding="utf-8")
    land(settings, "pos", [path])
    return settings


def with_project(patch: pytest.MonkeyPatch, project: Project) -> list[BuildOutcome]:
    """Let runs build another project; give what they build."""
    outcomes: list[BuildOutcome] = []

    def built(*arguments: Any) -> BuildOutcome:
        outcomes.append(build(*arguments))
        return outcomes[-1]

    patch.setattr(releasing, "load_project", lambda _: project)
    patch.setattr(releasing, "build", built)
    return outcomes


def test_a_run_does_without_dbt(landed: Settings) -> None:
    load_project(landed)  # compiled, if it was not
    told = subprocess.run([sys.executable, "-c", NO_DBT, landed.home], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("select 'today' as date_day", "not those of its contract"),
        ("select no_such_column from no_such_table", "no_such_table"),
    ],
)
def test_a_model_that_breaks_its_contract_or_fails_publishes_nothing(
    landed: Settings, monkeypatch: pytest.MonkeyPatch, sql: str, why: str
) -> None:
    project = load_project(landed)
    with_project(monkeypatch, replace(project, sql=project.sql | {"dim_date": sql}))
    with pytest.raises(BuildError, match=f"(?s)dim_date.*{why}"):
        run(landed)
    assert releases.current(landed) is None


def test_a_test_that_breaks_ends_the_build_and_goes_before_a_model_that_fails(
    landed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = load_project(landed)
    broken = tuple(
        msgspec.structs.replace(audit, sql="select * from warehouse.dim_store") if audit.table == "dim_store" else audit
        for audit in project.audits
    )
    failing = project.sql | {"mart_sales__store_day": "select * from no_such_table"}
    outcomes = with_project(monkeypatch, replace(project, audits=broken, sql=failing))
    with pytest.raises(AuditFailed, match="dim_store: 1 row"):
        run(landed)
    assert {failure.table for failure in outcomes[0].failures} == {"dim_store"}
    assert releases.current(landed) is None


def test_a_test_that_only_warns_is_counted_and_stops_nothing(landed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    project = load_project(landed)
    warning = tuple(
        msgspec.structs.replace(audit, sql="select 1 as odd", is_warning=True) if audit.table == "dim_store" else audit
        for audit in project.audits
    )
    outcomes = with_project(monkeypatch, replace(project, audits=warning))
    assert run(landed).published
    assert outcomes[0].tests.warned == sum(audit.table == "dim_store" for audit in warning)
