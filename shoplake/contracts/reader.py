"""Reads data contracts (Open Data Contract Standard) into what landing needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shoplake.errors import ContractError
from shoplake.files import read_yaml

if TYPE_CHECKING:
    from shoplake.settings import Settings

FieldType = Literal["string", "integer", "number", "timestamp"]
Severity = Literal["error", "warning"]
LAKE_TYPES: Mapping[FieldType, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "timestamp": "TIMESTAMP",
}
SENSITIVITIES = {"identifier": "pseudonym"}
"""What becomes of a field's classification behind landing; any other keeps its name."""
PACKAGED = Path(__file__).parent


@dataclass(frozen=True)
class Field:
    """One field of a source."""

    name: str
    type: FieldType
    required: bool
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None
    allowed_severity: Severity = "error"
    """Whether a value outside of ``allowed`` is quarantined or landed with a warning."""
    personal: Literal["identifier", "text"] | None = None
    unit: str | None = None
    sensitivity: str | None = None
    """What its columns in the warehouse and the marts must be tagged with, for the policy."""

    @property
    def lake_type(self) -> str:
        """Give the DuckDB type in the lake; personal fields hold pseudonyms or ciphertext."""
        return "VARCHAR" if self.personal else LAKE_TYPES[self.type]


@dataclass(frozen=True)
class Rule:
    """A rule over a row's typed fields; ``broken`` is SQL that is true for a row that breaks it."""

    name: str
    severity: Severity
    broken: str
    description: str = ""


@dataclass(frozen=True)
class Contract:
    """What a source promises."""

    source: str
    version: str
    kind: Literal["batch", "stream", "reference"]
    cadence_seconds: float
    lateness_seconds: float
    owner: str
    consumers: tuple[str, ...]
    key: tuple[str, ...]
    event_time: str | None
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    measures: Mapping[str, str]
    purpose: str = ""

    def lake_columns(self) -> dict[str, str]:
        """Give the columns of a lake row and their DuckDB types: the fields, then where the row came from."""
        return {field.name: field.lake_type for field in self.fields} | {
            "_file_id": "VARCHAR",
            "_line": "BIGINT",
            "_landed_at": "TIMESTAMP",
            "_flags": "UINTEGER",
        }


def load_contracts(settings: Settings | None = None) -> dict[str, Contract]:
    """Read the packaged contracts, then those of the home, which add to them or take their place.

    Raises:
        ContractError: a file is not a contract, or promises what landing cannot keep.

    """
    files = sorted(PACKAGED.glob("*.odcs.yaml"))
    if settings is not None:
        files += sorted((settings.home / "contracts").glob("*.odcs.y*ml"))
    contracts = {}
    for file in files:
        contract = _read(str(file), file.stat().st_mtime_ns)
        contracts[contract.source] = contract
    return contracts


def stream_contracts(settings: Settings | None = None) -> dict[str, Contract]:
    """Give the contracts of the sources that come as events, one by one.

    Raises:
        ContractError: a file is not a contract, or promises what landing cannot keep.

    """
    return {name: contract for name, contract in load_contracts(settings).items() if contract.kind == "stream"}


@cache
def _read(path: str, _changed: int) -> Contract:
    import yaml
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    file = Path(path)
    try:
        return _contract(OpenDataContractStandard(**read_yaml(file)))
    except (OSError, yaml.YAMLError, ValidationError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ContractError(
            f"The contract {file.name} cannot be used: {error}", hint="Compare it with a packaged contract."
        ) from error


def _contract(document: Any) -> Contract:  # noqa: ANN401 - the library's model has every part optional
    custom = _custom(document.customProperties)
    levels = {p.property: float(p.value) for p in document.slaProperties or []}
    table = document.schema_[0]
    properties = table.properties or []
    keyed = sorted((p for p in properties if p.primaryKey), key=lambda p: p.primaryKeyPosition or 0)
    times = [p.name for p in properties if _custom(p.customProperties).get("eventTime")]
    return Contract(
        source=document.name,
        version=document.version,
        kind=custom["arrival"],
        cadence_seconds=levels.get("frequency", 0.0),
        lateness_seconds=levels.get("latency", 0.0),
        owner=next((m.username for m in _members(document.team)), ""),
        consumers=tuple(role.role for role in document.roles or []),
        key=tuple(p.name for p in keyed),
        event_time=times[0] if times else None,
        fields=tuple(_field(p) for p in properties),
        rules=tuple(_rule(q) for q in table.quality or []),
        measures={k.removeprefix("measure_"): v for k, v in custom.items() if k.startswith("measure_")},
        purpose=document.description.purpose if document.description else "",
    )


def _members(team: Any) -> list[Any]:  # noqa: ANN401 - a list in version 3.0 of the standard, an object since
    return team if isinstance(team, list) else list(getattr(team, "members", None) or [])


def _custom(properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return {p.property: p.value for p in properties or []}


def _field(p: Any) -> Field:  # noqa: ANN401
    custom, options = _custom(p.customProperties), p.logicalTypeOptions or {}
    if p.logicalType not in LAKE_TYPES:
        raise ValueError(f"field {p.name} has the type {p.logicalType!r}; known are {', '.join(LAKE_TYPES)}")
    return Field(
        name=p.name,
        type=p.logicalType,
        required=bool(p.required),
        description=p.description or "",
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        allowed=tuple(str(v.value) for v in p.enum) if p.enum else None,
        allowed_severity=custom.get("enumSeverity", "error"),
        personal=p.classification if p.classification in {"identifier", "text"} else None,
        unit=custom.get("unit"),
        sensitivity=SENSITIVITIES.get(p.classification, p.classification),
    )


def _rule(q: Any) -> Rule:  # noqa: ANN401
    if q.severity not in {"error", "warning"} or not q.implementation:
        raise ValueError(f"rule {q.name} needs a severity (error or warning) and an implementation")
    return Rule(q.name, q.severity, str(q.implementation), q.description or "")
