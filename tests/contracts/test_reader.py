"""The packaged contracts say what the sources promise; a home adds its own; a bad one is named."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from shoplake.contracts import Contract, load_contracts
from shoplake.contracts.reader import PACKAGED
from shoplake.errors import ContractError
from shoplake.home import HomePaths
from shoplake.settings import Settings

CONTRACTS = load_contracts()
SOURCES = ("pos", "inventory", "interactions", "web_events", "stores", "products", "warehouses")

every_contract = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


def document(source: str) -> dict[str, Any]:
    """Give a packaged contract as YAML holds it."""
    found: dict[str, Any] = yaml.safe_load((PACKAGED / f"{source}.odcs.yaml").read_text(encoding="utf-8"))
    return found


def keep(settings: Settings, name: str, content: object) -> Path:
    """Write a contract into a home."""
    file = HomePaths(settings.home).contracts / name
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return file


def test_the_seven_sources_have_a_contract_each() -> None:
    assert set(CONTRACTS) == set(SOURCES)


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("pos", "transaction_id! store_id! product_id! quantity! revenue! discount_applied timestamp!"),
        ("inventory", "inventory_id! product_id! warehouse_id! stock_level! restock_threshold last_updated!"),
        ("interactions", "customer_id! interaction_type! channel rating message_excerpt timestamp!"),
        ("web_events", "session_id! user_id page! device_type browser event_type timestamp!"),
    ],
)
def test_the_four_sources_have_the_fields_that_were_agreed(source: str, fields: str) -> None:
    found = [f"{field.name}{'!' if field.required else ''}" for field in CONTRACTS[source].fields]
    assert found == fields.split()


@every_contract
def test_a_contract_names_its_owner_purpose_and_readers(contract: Contract) -> None:
    assert contract.owner
    assert contract.purpose
    assert contract.consumers
    assert all(field.description for field in contract.fields)
    assert re.fullmatch(r"\d+\.\d+\.\d+", contract.version)


@every_contract
def test_a_source_that_keeps_coming_says_when_it_is_late(contract: Contract) -> None:
    if contract.kind != "reference":
        assert contract.cadence_seconds > 0
        assert contract.lateness_seconds > 0


@every_contract
def test_the_key_is_made_of_fields_and_the_event_time_is_required(contract: Contract) -> None:
    required = {field.name for field in contract.fields if field.required}
    assert set(contract.key) <= {field.name for field in contract.fields}
    if contract.kind == "reference":
        assert contract.key
        assert contract.event_time is None
    else:
        assert contract.event_time in required


@every_contract
def test_rules_and_measures_are_sql_over_the_typed_fields(contract: Contract) -> None:
    columns = ", ".join(f'"{field.name}" {field.lake_type}' for field in contract.fields)
    with duckdb.connect() as con:
        con.execute(f"create table landed ({columns})")
        for rule in contract.rules:
            found = con.execute(f"select ({rule.broken}) as broken from landed").description or []
            assert str(found[0][1]) == "BOOLEAN", rule.name
        for sql in contract.measures.values():
            con.execute(f"select sum({sql}) from landed")


def test_ids_hold_a_barcode_and_times_are_timestamps() -> None:
    types = {field.name: field.lake_type for field in CONTRACTS["pos"].fields}
    assert types == {
        "transaction_id": "VARCHAR",
        "store_id": "BIGINT",
        "product_id": "BIGINT",
        "quantity": "BIGINT",
        "revenue": "DOUBLE",
        "discount_applied": "DOUBLE",
        "timestamp": "TIMESTAMP",
    }


def test_personal_fields_are_marked_and_land_as_pseudonyms_or_ciphertext() -> None:
    marked = {
        (contract.source, field.name): (field.personal, field.lake_type)
        for contract in CONTRACTS.values()
        for field in contract.fields
        if field.personal
    }
    assert marked[("interactions", "customer_id")] == ("identifier", "VARCHAR")
    assert marked[("interactions", "message_excerpt")] == ("text", "VARCHAR")
    assert marked[("web_events", "user_id")] == ("identifier", "VARCHAR")
    assert {source for source, _ in marked} == {"interactions", "web_events"}


def test_an_unknown_interaction_type_is_an_error_and_an_unknown_channel_a_warning() -> None:
    fields = {field.name: field for field in CONTRACTS["interactions"].fields}
    assert fields["interaction_type"].allowed == ("Feedback", "Loyalty", "Complaint")
    assert fields["interaction_type"].allowed_severity == "error"
    assert fields["channel"].allowed_severity == "warning"
    assert (fields["rating"].minimum, fields["rating"].maximum) == (1, 5)


@every_contract
def test_a_lake_row_says_where_it_came_from(contract: Contract) -> None:
    columns = contract.lake_columns()
    assert list(columns)[-4:] == ["_file_id", "_line", "_landed_at", "_flags"]
    assert list(columns)[:-4] == [field.name for field in contract.fields]


def test_a_contract_of_the_home_takes_the_place_of_the_packaged_one(settings: Settings) -> None:
    changed = document("pos") | {"version": "1.1.0"}
    keep(settings, "pos.odcs.yml", changed)
    assert load_contracts(settings)["pos"].version == "1.1.0"
    assert load_contracts()["pos"].version == "1.0.0"
    assert set(load_contracts(settings)) == set(SOURCES)


def test_a_contract_of_the_home_may_add_a_source(settings: Settings) -> None:
    keep(settings, "returns.odcs.yaml", document("pos") | {"name": "returns", "id": "shopware-returns"})
    assert set(load_contracts(settings)) == {*SOURCES, "returns"}


def test_a_changed_contract_is_read_anew(settings: Settings) -> None:
    for number, version in enumerate(("1.1.0", "1.2.0"), start=1):
        file = keep(settings, "pos.odcs.yaml", document("pos") | {"version": version})
        os.utime(file, ns=(number, number))
        assert load_contracts(settings)["pos"].version == version


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in document("pos").items() if key != name}


def with_field(**changes: object) -> dict[str, Any]:
    found = document("pos")
    found["schema"][0]["properties"][0] |= changes
    return found


def with_rule(**changes: object) -> dict[str, Any]:
    found = document("pos")
    found["schema"][0]["quality"][0] |= changes
    return found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: [unclosed", ""),
        ("", ""),
        ("just a word", ""),
        ("- a\n- list\n", ""),
        ("name: pos\n", ""),
        (without("customProperties"), "arrival"),
        (without("schema"), ""),
        (document("pos") | {"schema": []}, ""),
        (document("pos") | {"slaProperties": [{"property": "frequency", "value": "daily"}]}, "daily"),
        (with_field(logicalType="array"), "transaction_id"),
        (with_rule(severity="fatal"), "negative_quantity_without_negative_revenue"),
        (with_rule(implementation=""), "negative_quantity_without_negative_revenue"),
    ],
)
def test_a_contract_that_cannot_be_used_is_named_with_the_reason(
    settings: Settings, content: object, said: str
) -> None:
    keep(settings, "broken.odcs.yaml", content)
    with pytest.raises(ContractError) as caught:
        load_contracts(settings)
    assert "broken.odcs.yaml" in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


def test_a_contract_that_is_not_text_is_named(settings: Settings) -> None:
    (HomePaths(settings.home).contracts / "binary.odcs.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ContractError, match="binary.odcs.yaml"):
        load_contracts(settings)
