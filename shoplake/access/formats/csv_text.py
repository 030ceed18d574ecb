"""CSV by RFC 4180: UTF-8, a header, CRLF; a missing value is empty, an empty text is ``""``.

Cells are what the table holds, to the letter, for programs read them: a text that begins with ``=`` stays as it is.
What is to be opened in a spreadsheet is asked for as XLSX, where no text is ever a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from shoplake.access.formats.values import date_text, decimal_text, time_text, timestamp_text, values

if TYPE_CHECKING:
    from shoplake.access.formats import About

BATCH_ROWS = 20_000
QUOTED = r'^$|[",\r\n]|^\s|\s$'
LINE = "\r\n"


def write(table: pa.Table, about: About) -> Iterator[bytes]:  # noqa: ARG001 - the headers say it
    """Give the table as CSV, a batch at a time."""
    names = _quoted(pa.array([field.name for field in table.schema], pa.string()))
    yield _line(names.to_pylist())
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        if batch.num_rows and batch.num_columns:
            columns = [pc.fill_null(_cells(column), "") for column in batch.columns]
            lines = pc.binary_join_element_wise(*columns, ",") if len(columns) > 1 else _no_empty_line(columns[0])
            whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
            yield pc.binary_join(whole, LINE)[0].as_py().encode() + LINE.encode()


def _no_empty_line(cells: Any) -> Any:  # noqa: ANN401
    """Let a lone missing value be ``""``: readers pass over empty lines."""
    return pc.if_else(pc.equal(cells, ""), '""', cells)


def _line(cells: list[str]) -> bytes:
    return (",".join(cells) + LINE).encode()


def _cells(array: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    for fits, text in _TEXTS:
        if fits(array.type):
            return text(array)
    return _quoted(pa.array([_text(value) for value in values(array)], pa.string()))


def _text(value: Any) -> str | None:  # noqa: ANN401
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict | bool) else str(value)


def _quoted(text: Any) -> Any:  # noqa: ANN401
    needs = pc.match_substring_regex(text, QUOTED)
    if not pc.any(needs).as_py():
        return text
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), text)


def _plain(array: Any) -> Any:  # noqa: ANN401
    return array.cast(pa.string())


_TEXTS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
    (pa.types.is_string, _quoted),
    (pa.types.is_decimal, decimal_text),
    (pa.types.is_timestamp, timestamp_text),
    (pa.types.is_date, date_text),
    (pa.types.is_time, time_text),
    (pa.types.is_integer, _plain),
    (pa.types.is_boolean, _plain),
)
