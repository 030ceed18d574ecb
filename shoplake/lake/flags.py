"""What a landed row's ``_flags`` say: a repaired field, a broken warning rule, a late event, a key in conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shoplake.store.ledger import RowLayout

if TYPE_CHECKING:
    from shoplake.contracts import Contract

CONFLICT = 1 << 31
"""The highest bit, so that a comparison with it lets Parquet statistics skip rows without it."""
CONFLICT_CODE = "key_conflict"
LATE_CODE = "late_event"
"""An event of a stream that arrived later than its contract allows."""


def repair_codes(contract: Contract) -> dict[str, int]:
    """Give the bit of each field's lossless repair, by ``<field>:repaired``."""
    return {f"{field.name}:repaired": 1 << n for n, field in enumerate(contract.fields)}


def warning_codes(contract: Contract) -> dict[str, int]:
    """Give the bit of each warning: unknown values of lenient lists, warning rules, late events, key conflicts."""
    lenient = [f"{f.name}:unknown_value" for f in contract.fields if f.allowed and f.allowed_severity == "warning"]
    rules = [rule.name for rule in contract.rules if rule.severity == "warning"]
    first = len(contract.fields)
    late = [LATE_CODE] if contract.kind == "stream" and contract.event_time else []
    bits = {code: 1 << (first + n) for n, code in enumerate([*lenient, *rules, *late])}
    if bits and max(bits.values()) >= CONFLICT:
        raise ValueError(f"the contract {contract.source} has more fields and warnings than a row can flag (31)")
    return bits | {CONFLICT_CODE: CONFLICT}


def row_layout(contract: Contract) -> RowLayout:
    """Say what the rows hold that land under a contract; it is kept with them, for contracts gain fields."""
    return RowLayout(tuple(f.name for f in contract.fields), repair_codes(contract) | warning_codes(contract))


def flags_sql(was: RowLayout, now: RowLayout) -> str:
    """Give SQL of ``_flags`` as ``now`` numbers them; codes that it does not know are left out."""
    kept = sum(bit for code, bit in now.flags.items() if was.flags.get(code) == bit)
    moved = [(was.flags[code], bit) for code, bit in now.flags.items() if was.flags.get(code, bit) != bit]
    parts = [f"(_flags & {kept})", *(f"(case when _flags & {old} <> 0 then {new} else 0 end)" for old, new in moved)]
    return f"({' | '.join(parts)})::uinteger"


def decode(flags: int, codes: Mapping[str, int]) -> list[str]:
    """Name the codes whose bits are set."""
    return [code for code, bit in codes.items() if flags & bit]
