"""Arrow types by their SQL names."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

NAMES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.string_view(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.large_binary(): "BLOB",
    pa.binary_view(): "BLOB",
    pa.date32(): "DATE",
    pa.date64(): "DATE",
    pa.month_day_nano_interval(): "INTERVAL",
    pa.null(): "NULL",
}


def sql_type(kind: Any) -> str:  # noqa: ANN401 - pyarrow has no types
    """Give the SQL name of an Arrow type, such as ``DECIMAL(18,2)``, ``BIGINT[]`` or ``STRUCT(a INTEGER)``."""
    if kind in NAMES:
        return NAMES[kind]
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    if pa.types.is_time(kind):
        return "TIME"
    return _of_others(kind)


def _of_others(kind: Any) -> str:  # noqa: ANN401
    if pa.types.is_map(kind):
        return f"MAP({sql_type(kind.key_type)}, {sql_type(kind.item_type)})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind) or pa.types.is_union(kind):
        fields = ", ".join(f"{kind.field(n).name} {sql_type(kind.field(n).type)}" for n in range(kind.num_fields))
        return f"{'STRUCT' if pa.types.is_struct(kind) else 'UNION'}({fields})"
    if pa.types.is_dictionary(kind):
        return sql_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return sql_type(kind.storage_type)
    return str(kind).upper()
