"""XLSX: numbers as numbers, dates as dates, and no text ever a formula.

What a cell cannot hold exactly is text: integers and decimals of more than 15 digits, dates before March
1900. Times are in UTC, to the millisecond.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from shoplake.access.formats.values import values
from shoplake.errors import InputError

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

    from shoplake.access.formats import About

MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 1_048_576, 16_384, 32_767
MOST_CELLS = 4_000_000
"""About a gigabyte of memory, for the time that it is made."""
REFUSED = 2
EXACT_DIGITS = 15
EPOCH_DAY = 25_569
"""1970-01-01 as spreadsheets count days."""
FIRST_DAY, LAST_DAY = 61, 2_958_465
"""1900-03-01, before which spreadsheets do not agree on days, and 9999-12-31."""
DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
BATCH_ROWS = 5_000
PIECE_BYTES = 1 << 18
Write = Callable[["Worksheet", int, int, Any], None]


def write(table: pa.Table, about: About) -> Iterator[bytes]:
    """Give the table as a workbook with one sheet, made by a process of its own: it takes long, and much memory.

    Raises:
        InputError: more rows or columns than a sheet has, or a text that no cell can hold.

    """
    _check_size(table)
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as sink:
        sink.write_table(table)
    command = [sys.executable, "-m", __name__, about.release, about.query_id]
    made = subprocess.run(command, input=memoryview(stream.getvalue()), stdout=subprocess.PIPE, check=False)  # noqa: S603
    if made.returncode == REFUSED:
        said = msgspec.json.decode(made.stdout)
        raise InputError(said["message"], hint=said["hint"])
    if made.returncode != 0:
        raise InputError("The workbook could not be made.", hint="Ask for csv or parquet.")
    return (made.stdout[start : start + PIECE_BYTES] for start in range(0, len(made.stdout), PIECE_BYTES))


def _check_size(table: pa.Table) -> None:
    rows, columns = table.num_rows, table.num_columns
    if rows >= MOST_ROWS or columns > MOST_COLUMNS or rows * columns > MOST_CELLS:
        raise InputError(
            f"{rows:,} rows of {columns:,} columns do not fit in a workbook.",
            hint=f"It holds {MOST_ROWS - 1:,} rows, {MOST_COLUMNS:,} columns and {MOST_CELLS:,} cells; "
            "ask for csv or parquet.",
        )


def workbook(table: pa.Table, release: str, query_id: str) -> bytes:
    """Give the bytes of the workbook.

    Raises:
        InputError: a text that no cell can hold.

    """
    import xlsxwriter

    sink = io.BytesIO()
    # Nothing of it may lie on a disk in clear, as the library's own temporary files would.
    book = xlsxwriter.Workbook(sink, {"in_memory": True})
    book.set_properties({"title": query_id, "comments": f"release {release}"})
    sheet = book.add_worksheet("answer")
    sheet.freeze_panes(1, 0)
    bold = book.add_format({"bold": True})
    for place, field in enumerate(table.schema):
        _check(field.name)
        sheet.write_string(0, place, field.name, bold)
    writers = [_writer(field.type, book) for field in table.schema]
    row = 1
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        for place, (column, put) in enumerate(zip(batch.columns, writers, strict=True)):
            for offset, value in enumerate(_cells(column)):
                if value is not None:
                    put(sheet, row + offset, place, value)
        row += batch.num_rows
    book.close()
    return sink.getvalue()


def main() -> int:
    """Make a workbook of the Arrow stream on standard input."""
    _, release, query_id = sys.argv
    table = pa.ipc.open_stream(sys.stdin.buffer).read_all()
    try:
        made = workbook(table, release, query_id)
    except InputError as error:
        sys.stdout.buffer.write(msgspec.json.encode({"message": error.message, "hint": error.hint}))
        return REFUSED
    sys.stdout.buffer.write(made)
    return 0


def _cells(array: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    kind = array.type
    if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        numbers = array.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()).to_pylist()
        size = 1 if pa.types.is_date32(kind) else DAY[kind.unit]
        return [
            text if number is None or not FIRST_DAY <= number // size + EPOCH_DAY <= LAST_DAY else number / size
            for number, text in zip(numbers, values(array), strict=True)
        ]
    return values(array)


def _writer(kind: Any, book: Any) -> Write:  # noqa: ANN401
    """Give what writes one value of a type into a cell."""
    if pa.types.is_date32(kind):
        return _moments(book.add_format({"num_format": "yyyy-mm-dd"}))
    if pa.types.is_timestamp(kind):
        return _moments(book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}))
    if pa.types.is_decimal(kind):
        return _decimal
    if pa.types.is_boolean(kind):
        return lambda sheet, row, place, value: _done(sheet.write_boolean(row, place, value))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number
    return _text


def _moments(shown: Any) -> Write:  # noqa: ANN401
    def put(sheet: Worksheet, row: int, place: int, value: float | str) -> None:
        if isinstance(value, str):
            _text(sheet, row, place, value)
        else:
            _done(sheet.write_number(row, place, value + EPOCH_DAY, shown))

    return put


def _number(sheet: Worksheet, row: int, place: int, value: float | str) -> None:
    if isinstance(value, str) or (isinstance(value, int) and len(str(abs(value))) > EXACT_DIGITS):
        _text(sheet, row, place, value)
    else:
        _done(sheet.write_number(row, place, value))


def _decimal(sheet: Worksheet, row: int, place: int, value: str | int) -> None:
    if len(Decimal(value).as_tuple().digits) > EXACT_DIGITS:
        _text(sheet, row, place, value)
    else:
        _done(sheet.write_number(row, place, float(value)))


def _text(sheet: Worksheet, row: int, place: int, value: Any) -> None:  # noqa: ANN401
    text = msgspec.json.encode(value).decode() if isinstance(value, list | dict) else str(value)
    _check(text)
    _done(sheet.write_string(row, place, text))


def _check(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"A text of {len(text):,} characters does not fit in a cell.",
            hint=f"A cell holds {MOST_CHARACTERS:,}; ask for csv or parquet, or for a part of the text.",
        )


def _done(outcome: int) -> None:
    if outcome != 0:
        raise InputError("A value does not fit in a cell.", hint="Ask for csv or parquet.")


if __name__ == "__main__":
    sys.exit(main())
