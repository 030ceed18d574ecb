"""Everything that there is stands in the catalogue, with its docs, its owner and what guards it."""

from __future__ import annotations

import msgspec
import pytest

from shoplake.access.catalogue import load_catalogue
from shoplake.access.kpi_definition import load_kpis
from shoplake.catalogue.graph import Ref
from shoplake.catalogue.opening import Catalogue, open_catalogue
from shoplake.catalogue.standing import broken_tests, held, landed, verdict
from shoplake.contracts import load_contracts
from shoplake.pipeline.build import AuditFailure
from shoplake.pipeline.project import load_project
from shoplake.pipeline.releases import required
from shoplake.pipeline.releasing import _explain, opened
from shoplake.settings import Settings
from tests.access.released import released
from tests.portal.conftest import own_released

__all__ = ["own_released", "released"]


@pytest.fixture(scope="module")
def catalogue(released: Settings) -> Catalogue:
    return open_catalogue(released)


def test_every_source_table_and_kpi_is_there(catalogue: Catalogue, released: Settings) -> None:
    kinds: dict[str, set[str]] = {"source": set(), "table": set(), "kpi": set()}
    for ref in catalogue.entries:
        kinds[ref.kind].add(ref.name)
    assert kinds["source"] == load_contracts(released).keys()
    assert kinds["kpi"] == load_kpis().keys()
    assert kinds["table"] == load_project(released).graph.models.keys()
    assert {e.ref.name for e in catalogue.entries.values() if e.is_released} == load_catalogue().keys()


def test_everything_is_described_and_owned(catalogue: Catalogue) -> None:
    for ref, entry in catalogue.entries.items():
        assert entry.description, ref
        assert entry.owner, ref
        assert entry.columns, ref
        assert "{{" not in entry.description
        for column in entry.columns:
            assert column.description, (ref, column.name)
            assert column.type or entry.kind == "kpi"


def test_columns_carry_unit_sensitivity_and_rule(catalogue: Catalogue) -> None:
    revenue = catalogue.entries[Ref("source", "pos")].column("revenue")
    assert revenue is not None
    assert (revenue.type, revenue.unit, revenue.is_required, revenue.is_key) == ("number", "money", True, False)
    rating = catalogue.entries[Ref("source", "interactions")].column("rating")
    assert rating is not None
    assert rating.rule == "1 to 5"
    cost = catalogue.entries[Ref("table", "dim_product")].column("unit_cost_amount")
    assert cost is not None
    assert (cost.unit, cost.sensitivity) == ("money", "cost")


def test_every_test_of_the_models_guards_a_table(catalogue: Catalogue, released: Settings) -> None:
    guards = [guard for entry in catalogue.entries.values() if entry.kind == "table" for guard in entry.guards]
    assert {guard.name for guard in guards} == {audit.name for audit in load_project(released).audits}
    lines = {guard.name: guard for guard in catalogue.entries[Ref("table", "fct_sale_lines")].guards}
    net = lines["fct_sale_lines__net_is_gross_less_discount"]
    assert (net.title, net.code) == ("Net is gross less discount", "gross_amount - discount_amount = net_amount")
    assert lines["counted_once_fct_sale_lines_"].title == "Counted once"
    rules = {guard.name: guard for guard in catalogue.entries[Ref("source", "pos")].guards}
    assert rules["zero_quantity"].is_warning
    assert not rules["discount_below_zero"].is_warning


def test_a_source_of_the_homes_own_is_there_at_once(settings: Settings) -> None:
    before = open_catalogue(settings)
    assert open_catalogue(settings) is before
    folder = settings.home / "contracts"
    folder.mkdir(exist_ok=True)
    text = "apiVersion: v3.0.2\nkind: DataContract\nid: own\nname: own\nversion: 1.0.0\nstatus: active\n"
    text += "customProperties: [{property: arrival, value: reference}, {property: format, value: csv}]\n"
    text += "schema:\n  - {name: own, properties: [{name: a, logicalType: string, required: true}]}\n"
    (folder / "own.odcs.yaml").write_text(text, encoding="utf-8")
    assert open_catalogue(settings).find("source", "own") is not None
    assert before.find("source", "own") is None


def test_what_a_release_holds_is_counted(released: Settings) -> None:
    table = required(released, None).tables["fct_sale_lines"]
    counted = held(released, table)
    assert (counted.rows, counted.files) == (table.rows, sum(len(p.files) for p in table.partitions))
    assert counted.bytes > 0
    assert (counted.first, counted.last) == ("2026-03-01", "2026-03-02")
    assert held(released, required(released, None).tables["dim_store"]).first == ""
    tills = landed(released, "pos")
    assert (tills.files, tills.rows) == (2, 8)


def test_a_test_stands_as_the_last_audit_left_it(catalogue: Catalogue, released: Settings) -> None:
    manifest = required(released, None)
    guard = catalogue.entries[Ref("table", "fct_sale_lines")].guards[0]
    assert verdict(guard, manifest, {}) == "passed"
    assert verdict(guard, manifest, {guard.name: 3}) == "failed"
    assert verdict(guard, msgspec.structs.replace(manifest, changed={}), {}) == "passed-before"
    assert verdict(guard, msgspec.structs.replace(manifest, release_id=""), {}) == "not-run"
    lasts = next(g for g in catalogue.entries[Ref("table", "fct_web_sessions")].guards if g.is_warning)
    warned = msgspec.structs.replace(manifest, tests=msgspec.structs.replace(manifest.tests, warned=1))
    assert (verdict(lasts, manifest, {}), verdict(lasts, warned, {})) == ("passed", "warned")


def test_a_run_that_failed_names_the_tests_that_broke(own_released: Settings) -> None:
    assert broken_tests(own_released) == {}
    failures = (
        AuditFailure("fct_sale_lines__is_complete", "fct_sale_lines", 12, "", ({"units": 3, "_line": 1},)),
        AuditFailure("dim_store__key", "dim_store", 1, "", ()),
    )
    with opened(own_released) as (_, ledger):
        run = ledger.start_run()
        ledger.finish_run(run, status="failed", release_id=None, detail={"error": _explain(failures, ledger)})
    assert broken_tests(own_released) == {"fct_sale_lines__is_complete": 12, "dim_store__key": 1}
