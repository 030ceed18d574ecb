"""Arrow's IPC stream: types and values as they are, without a copy on either side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from shoplake.access.formats import About

BATCH_ROWS = 131_072
PIECE_BYTES = 1 << 18


def write(table: pa.Table, about: About) -> Iterator[bytes]:
    """Give the table as an IPC stream; the schema's metadata say release, query and whether it was cut."""
    said = {"shoplake.release": about.release, "shoplake.query_id": about.query_id}
    said["shoplake.is_cut"] = str(about.is_cut).lower()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata(said)) as stream:
        stream.write_table(table, max_chunksize=BATCH_ROWS)
    whole = memoryview(sink.getvalue())
    for start in range(0, len(whole), PIECE_BYTES):
        yield whole[start : start + PIECE_BYTES].tobytes()
