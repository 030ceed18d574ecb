"""Every column that holds something sensitive is tagged: found by what changes when only sensitive things change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from shoplake.access.catalogue import PACKAGE, load_catalogue
from shoplake.access.session import open_release
from shoplake.contracts import load_contracts
from shoplake.pipeline.releases import required
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.access.released import OTHER_COST, TEXT_DAYS, land_world

CHANGED = {"products": {"unit_cost": "cost"}}
"""Fields that differ between the two homes; pseudonyms and ciphertexts differ by themselves."""


def fingerprints(settings: Settings) -> dict[tuple[str, str], tuple[int, int]]:
    """Give (values, sum of their hashes) of every column of the release, provenance left out."""
    manifest = required(settings, None)
    con, found = open_release(settings, manifest), {}
    for name, table in manifest.tables.items():
        columns = [column for column in table.columns if not column.startswith("_")]
        sums = ", ".join(f'count("{c}"), coalesce(sum(hash("{c}")::hugeint), 0)' for c in columns)
        row = con.execute(f"select {sums} from {table.database}.{name}").fetchone()
        assert row is not None
        found |= {(name, column): (row[2 * n], row[2 * n + 1]) for n, column in enumerate(columns)}
    con.close()
    return found


def test_columns_that_depend_on_costs_persons_or_words_are_tagged(
    released: Settings, make_home: Callable[..., Settings], tmp_path: Path
) -> None:
    other = make_home("other", message_text_days=TEXT_DAYS)
    land_world(other, tmp_path / "files", cost=OTHER_COST, words="OtherWords")
    run(other)
    mine, theirs = fingerprints(released), fingerprints(other)
    differing = {column for column in mine if mine[column] != theirs[column]}
    tagged = {(e.name, column) for e in load_catalogue().values() for column, tag in e.columns.items() if tag}
    assert differing - tagged == set(), "tag these columns in their models' files: config: {meta: {sensitivity: …}}"
    filled = {column for column in tagged if mine[column][0] and column[1] != "session_id"}
    assert filled - differing == set(), "these are tagged, and do not depend on anything sensitive"
    assert {"cost", "pseudonym", "text"} == {load_catalogue()[table].columns[column] for table, column in differing}


def test_the_test_above_changes_every_sensitive_field_of_the_contracts() -> None:
    found = {
        (source, field.name): field.sensitivity
        for source, contract in load_contracts().items()
        for field in contract.fields
        if field.sensitivity and not field.personal
    }
    changed = {(source, name): tag for source, fields in CHANGED.items() for name, tag in fields.items()}
    assert found == changed, "give the new field another value in the second home"


def test_staging_carries_each_sensitivity_of_a_contract_on() -> None:
    for source, contract in load_contracts().items():
        tags = {field.sensitivity for field in contract.fields if field.sensitivity}
        for file in (PACKAGE / "warehouse" / "staging" / source).glob("*.yml"):
            columns = [c for m in yaml.safe_load(file.read_text(encoding="utf-8"))["models"] for c in m["columns"]]
            assert tags <= {c.get("config", {}).get("meta", {}).get("sensitivity") for c in columns}, file.name
