"""JSON: one object, rows as arrays, every value exact (`shoplake.access.formats.values`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from shoplake.access.formats.type_names import sql_type
from shoplake.access.formats.values import values

if TYPE_CHECKING:
    from pyarrow import Table

    from shoplake.access.formats import About

BATCH_ROWS = 5_000


def write(table: Table, about: About) -> Iterator[bytes]:
    """Give ``release``, ``query_id``, ``is_cut``, ``columns`` [{``name``, ``type``}], ``row_count`` and ``rows``."""
    encode = msgspec.json.Encoder().encode
    head = {
        "release": about.release,
        "query_id": about.query_id,
        "is_cut": about.is_cut,
        "columns": [{"name": field.name, "type": sql_type(field.type)} for field in table.schema],
        "row_count": table.num_rows,
    }
    yield encode(head)[:-1] + b',"rows":['
    mark = b""
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        if batch.num_rows:
            columns = [values(column) for column in batch.columns]
            yield mark + encode(list(zip(*columns, strict=True)))[1:-1]
            mark = b","
    yield b"]}"
