"""Parquet, compressed with zstd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shoplake.access.formats.values import values

if TYPE_CHECKING:
    from shoplake.access.formats import About

PIECE_BYTES = 1 << 18


def write(table: pa.Table, about: About) -> Iterator[bytes]:
    """Give the table as one Parquet file; intervals and unions, which Parquet lacks, as text."""
    import pyarrow.parquet as pq

    said = {"shoplake.release": about.release, "shoplake.query_id": about.query_id}
    said["shoplake.is_cut"] = str(about.is_cut).lower()
    columns = [_storable(column) for column in table.columns]
    storable = pa.Table.from_arrays(columns, names=_told_apart(table.column_names)).replace_schema_metadata(said)
    sink = pa.BufferOutputStream()
    pq.write_table(storable, sink, compression="zstd")
    whole = memoryview(sink.getvalue())
    for start in range(0, len(whole), PIECE_BYTES):
        yield whole[start : start + PIECE_BYTES].tobytes()


def _storable(column: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    if not _is_foreign(column.type):
        return column
    import msgspec

    found = [value for chunk in column.chunks for value in values(chunk)]
    texts = [v if v is None or isinstance(v, str) else msgspec.json.encode(v).decode() for v in found]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _is_foreign(kind: Any) -> bool:  # noqa: ANN401
    """Say whether Parquet has no such type, at any depth."""
    if kind == pa.month_day_nano_interval() or pa.types.is_union(kind):
        return True
    if pa.types.is_struct(kind) and kind.num_fields == 0:
        return True
    return any(_is_foreign(kind.field(n).type) for n in range(kind.num_fields)) if pa.types.is_nested(kind) else False


def _told_apart(names: list[str]) -> list[str]:
    """Give each of several columns of one name a number: readers of Parquet refuse them."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 1
        while unique in taken or (unique != name and unique in names):
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        found.append(unique)
    return found
