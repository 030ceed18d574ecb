"""The rows of offered files as relations that DuckDB reads: as texts, as typed values, or out of Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoplake.keys.duckdb_session import quoted, text
from shoplake.sources.lexers import LONGEST_LINE
from shoplake.sources.shape import Refused, fields_of, opened

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import RecordBatch

    from shoplake.contracts import Contract
    from shoplake.sources.shape import Shape

READ_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "timestamp": "DOUBLE", "string": "VARCHAR"}
PLAIN_LINES = "plain_lines"
Columns = Sequence[tuple[str, str] | None]
"""(name, type of field) of each column of a file; None for one that is not wanted."""


@dataclass
class Offered:
    """A file that is offered for landing."""

    file_id: str
    logical_name: str
    shape: Shape


def _nothing() -> None:
    """Need no preparation."""


@dataclass(frozen=True)
class Relation:
    """SQL of a relation in parentheses, and what must be done each time before it is read."""

    sql: str
    prepare: Callable[[], None] = _nothing


def text_relation(con: DuckDBPyConnection, contract: Contract, files: Sequence[Offered]) -> Relation:
    """Give the plain lines of CSV files of one shape as texts ``f0``, …, ``_file_id``, ``_line``, ``_broken``."""
    places = {
        files[0].shape.columns[f.name]: n for n, f in enumerate(contract.fields) if f.name in files[0].shape.columns
    }
    columns = [(f"f{places[n]}", "string") if n in places else None for n in range(len(files[0].shape.header))]
    fields = [f"f{n}" if n in places.values() else f"null::varchar as f{n}" for n in range(len(contract.fields))]
    return Relation(
        f"(select {', '.join(fields)}, _file_id, _line, null::varchar as _broken from {PLAIN_LINES})",
        lambda: _show_plain_lines(con, columns, files),
    )


def typed_relation(con: DuckDBPyConnection, contract: Contract, files: Sequence[Offered]) -> Relation:
    """Give the plain lines of CSV files of one shape as typed fields, ``_file_id``, ``_line``.

    DuckDB reads files that are plain throughout. Where there are odd lines, Arrow is given the lines between them.
    """
    shape, prepare = files[0].shape, _nothing
    known = fields_of(shape.header, contract)
    if any(file.shape.odd for file in files):
        values = {f.name: quoted(f.name) for f in known if f}
        columns = [(f.name, f.type) if f else None for f in known]
        rows, prepare = PLAIN_LINES, lambda: _show_plain_lines(con, columns, files)
    else:
        values = {f.name: f"column{place}" for place, f in enumerate(known) if f}
        rows = _csv_rows(con, files, [READ_TYPES[f.type] if f else "VARCHAR" for f in known])
    fields = []
    for f in contract.fields:
        value = f"{values.get(f.name, 'null')}::{READ_TYPES[f.type]}"
        if f.type == "timestamp":
            value = f"make_timestamp(round({value} * 1000000)::bigint)"
        fields.append(f"{value} as {quoted(f.name)}")
    return Relation(f"(select {', '.join(fields)}, _file_id, _line from {rows})", prepare)


def parquet_relation(con: DuckDBPyConnection, contract: Contract, files: Sequence[Offered]) -> Relation:
    """Give a Parquet file's values as texts, so that the same checks hold for them; note its rows in the shape.

    Raises:
        Refused: it cannot be read, or lacks a required column.

    """
    import duckdb

    (file,) = files
    reader = f"read_parquet({text(str(file.shape.path))}, file_row_number = true)"
    try:
        found = con.execute(f"describe select * from {reader}").fetchall()
        rows = con.execute(f"select count(*) from {reader}").fetchall()[0][0]
    except duckdb.Error as error:
        raise Refused(f"the Parquet file cannot be read: {str(error).splitlines()[0]}") from error
    given = {str(row[0]).strip().lower(): str(row[0]) for row in found if row[0] != "file_row_number"}
    known = {f.name for f in contract.fields}
    missing = [f.name for f in contract.fields if f.required and f.name not in given]
    if missing:
        raise Refused(f"the required column(s) {', '.join(missing)} are missing")
    file.shape = replace(file.shape, rows=rows, unknown=tuple(sorted(given.keys() - known)))
    fields = ", ".join(
        f"nullif({quoted(given[f.name])}::varchar, '') as f{n}" if f.name in given else f"null::varchar as f{n}"
        for n, f in enumerate(contract.fields)
    )
    provenance = f"{text(file.file_id)} as _file_id, file_row_number + 1 as _line, null::varchar as _broken"
    return Relation(f"(select {fields}, {provenance} from {reader})")


def _csv_rows(con: DuckDBPyConnection, files: Sequence[Offered], types: Sequence[str]) -> str:
    """Give ``column0``, ``column1``, … as DuckDB reads them, ``_file_id``, and the number of each row's line."""
    first = files[0].shape
    columns = ", ".join(f"'column{n}': '{kind}'" for n, kind in enumerate(types))
    quote = "quote = '\"', escape = '\"'" if any(f.shape.has_quotes for f in files) else "quote = '', escape = ''"
    paths = ", ".join(text(str(file.shape.path)) for file in files)
    reader = (
        f"read_csv([{paths}], header = true, auto_detect = false, columns = {{{columns}}}, parallel = false, "
        f"delim = {text(first.delimiter)}, {quote}, compression = {text(first.compression)}, filename = 'path', "
        f"max_line_size = {LONGEST_LINE}, nullstr = '')"
    )
    if len(files) == 1:
        return f"(select *, {text(files[0].file_id)} as _file_id, row_number() over () + 1 as _line from {reader})"
    _note_files(con, files)
    return (
        "(select *, file_id as _file_id, n - rows_before + 1 as _line "
        f"from (select *, row_number() over () as n from {reader}) join batch_files using (path))"
    )


def _note_files(con: DuckDBPyConnection, files: Sequence[Offered]) -> None:
    import pyarrow as pa

    before, starts = 0, []
    for file in files:
        starts.append(before)
        before += file.shape.rows
    noted = pa.table(  # noqa: F841 - read by name
        {
            "path": [str(file.shape.path) for file in files],
            "file_id": [file.file_id for file in files],
            "rows_before": starts,
        }
    )
    con.execute("create or replace temp table batch_files as select * from noted")


def _show_plain_lines(con: DuckDBPyConnection, columns: Columns, files: Sequence[Offered]) -> None:
    """Show Arrow's reader as a relation; it can be read once."""
    import pyarrow as pa

    batches = _plain_batches(columns, files)
    first = next(batches, None)
    if first is None:
        texts = [(column[0], pa.string()) for column in columns if column]
        schema = pa.schema([*texts, ("_line", pa.int64()), ("_file_id", pa.string())])
        con.register(PLAIN_LINES, schema.empty_table())
        return

    def every() -> Iterator[RecordBatch]:
        yield first
        yield from batches

    con.register(PLAIN_LINES, pa.RecordBatchReader.from_batches(first.schema, every()))


def _plain_batches(columns: Columns, files: Sequence[Offered]) -> Iterator[RecordBatch]:
    import numpy as np
    import pyarrow as pa

    from shoplake.sources.plain import plain_batches

    for file in files:
        shape = file.shape
        with opened(shape.path, shape.compression) as stream:
            for batch in plain_batches(stream, columns, shape.delimiter, [line for line, _ in shape.odd]):
                nowhere = np.zeros(batch.num_rows, np.int32)
                yield batch.append_column("_file_id", pa.DictionaryArray.from_arrays(nowhere, [file.file_id]))
