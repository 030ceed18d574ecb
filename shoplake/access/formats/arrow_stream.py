"""Arrow's IPC stream: types and values as they are, without a conversion on either side."""

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
    sink = _Sink()
    with pa.ipc.new_stream(sink, table.schema.with_metadata(said)) as stream:
        for batch in table.to_batches(max_chunksize=BATCH_ROWS):
            stream.write_batch(batch)
            yield from sink.pieces()
    yield from sink.pieces()


class _Sink:
    """Keeps what is written until it is taken: of a large table a batch at a time."""

    closed = False

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        self._kept += data
        return len(data)

    def flush(self) -> None:
        """Have nothing to do."""

    def pieces(self) -> Iterator[bytes]:
        whole, self._kept = self._kept, bytearray()
        for start in range(0, len(whole), PIECE_BYTES):
            yield bytes(whole[start : start + PIECE_BYTES])
