"""What leaves in a format reads back to the values that went in, whatever they are."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from shoplake.access.formats import FORMATS, About, chosen
from shoplake.access.formats.type_names import sql_type
from shoplake.access.formats.values import values
from shoplake.access.formats.xlsx_file import MOST_ROWS, workbook
from shoplake.client import Page
from shoplake.errors import InputError

ABOUT = About("r-1", "0123456789abcdef", is_cut=True)
HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    '=HYPERLINK("http://x","y")',
    'a"b,c\r\nd',
    "",
    " ",
    "null",
    "NULL",
    "<script>alert(1)</script>",
    "]]>&amp;",
    "_x0041_",
    "\u202e\u0000\u001b[31m",
    "\ufeff😀",
    "NaN",
    "#N/A",
    "https://x.example",
    "1e5",
    "007",
]
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), max_size=12))
INT64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-5, 5), st.sampled_from([2**53, 2**53 - 1, -(2**53)]))
CONTROL = re.compile("_x00[01][0-9A-F]_")
MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
COLUMNS: dict[Any, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    pa.int64(): INT64,
    pa.uint8(): st.integers(0, 255),
    pa.decimal128(18, 2): st.decimals(-(10**15), 10**15, places=2),
    pa.decimal128(38, 0): st.integers(-(10**37), 10**37).map(Decimal),
    pa.decimal128(20, 12): st.decimals(-(10**7), 10**7, places=12),
    pa.float64(): st.floats(),
    pa.string(): TEXT,
    pa.date32(): st.dates(),
    pa.timestamp("us"): MOMENTS,
    pa.timestamp("us", "UTC"): MOMENTS,
    pa.binary(): st.binary(max_size=6),
    pa.list_(pa.int64()): st.lists(st.one_of(st.none(), INT64), max_size=3),
    pa.struct([("a", pa.int32()), ("b", pa.string())]): st.fixed_dictionaries({"a": st.none(), "b": TEXT}),
    pa.map_(pa.string(), pa.decimal128(9, 2)): st.lists(
        st.tuples(TEXT, st.decimals(0, 9, places=2)), max_size=2, unique_by=lambda pair: pair[0]
    ),
}
TIDY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def tables(draw: Callable[..., Any]) -> pa.Table:
    kinds = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4))
    rows = draw(st.integers(0, 6))
    cells = [draw(st.lists(st.one_of(st.none(), COLUMNS[kind]), min_size=rows, max_size=rows)) for kind in kinds]
    arrays = [pa.array(column, kind) for column, kind in zip(cells, kinds, strict=True)]
    skipped = draw(st.integers(0, rows))
    return pa.Table.from_arrays(arrays, names=[f"c{n}" for n in range(len(kinds))]).slice(skipped)


def written(name: str, table: pa.Table) -> bytes:
    return b"".join(FORMATS[name].write(table, ABOUT))


def plain(value: Any) -> Any:  # noqa: PLR0911 - a line a type
    """Say again, in other words, what `values` makes of a value."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return plain(int(value)) if value.as_tuple().exponent == 0 else f"{value:f}"
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value).strip('"')
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value]


def plain_rows(table: pa.Table) -> list[list[Any]]:
    return [[plain(value) for value in row] for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]


@TIDY
@given(tables())
def test_json_holds_every_value_exactly(table: pa.Table) -> None:
    said = json.loads(written("json", table))
    assert said["rows"] == json.loads(json.dumps([[_map_as_pairs(v) for v in row] for row in plain_rows(table)]))
    assert (said["release"], said["query_id"], said["is_cut"]) == ("r-1", "0123456789abcdef", True)
    assert said["row_count"] == table.num_rows
    assert [c["type"] for c in said["columns"]] == [sql_type(kind) for kind in table.schema.types]
    page = Page(said)
    for place, kind in enumerate(table.schema.types):
        if pa.types.is_decimal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
            found = [row[place] for row in page.rows]
            given_ = table.column(place).to_pylist()
            assert all(a == b or math.isnan(a) for a, b in zip(found, given_, strict=True))


def _map_as_pairs(value: Any) -> Any:
    return [list(v) if isinstance(v, tuple) else v for v in value] if isinstance(value, list) else value


@TIDY
@given(tables())
def test_csv_reads_back_and_tells_missing_from_empty(table: pa.Table) -> None:
    text = written("csv", table)
    assert text.startswith(b"c0")
    read = pc_csv.read_csv(
        io.BytesIO(text),
        parse_options=pc_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pc_csv.ConvertOptions(
            column_types=dict.fromkeys(table.column_names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    assert [list(row) for row in zip(*(c.to_pylist() for c in read.columns), strict=True)] == [
        [_csv_cell(value, table.num_columns) for value in row] for row in plain_rows(table)
    ]


def _csv_cell(value: Any, columns: int) -> str | None:
    if value is None:
        return "" if columns == 1 else None
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@TIDY
@given(tables())
def test_arrow_and_parquet_read_back_whole(table: pa.Table) -> None:
    stream = pa.ipc.open_stream(written("arrow", table))
    assert stream.schema.metadata[b"shoplake.is_cut"] == b"true"
    read = pq.read_table(io.BytesIO(written("parquet", table)))
    for found in (stream.read_all(), read):
        assert found.schema.types == table.schema.types
        assert plain_rows(found) == plain_rows(table)


@settings(TIDY, max_examples=15)
@given(tables())
def test_xlsx_has_numbers_dates_and_texts_but_no_formula(table: pa.Table) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(table, "r-1", "q")))["answer"]
    assert [cell.value for cell in sheet[1]] == table.column_names
    for number, row in enumerate(zip(*(c.to_pylist() for c in table.columns), strict=True), start=2):
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(number, place)
            assert cell.data_type != "f"
            assert _is_same(cell.value, value), (cell.value, value)


def shown_by_excel(value: Any) -> Any:
    """Undo the writing of control characters in a workbook, which openpyxl leaves as it is."""
    return unescape(value) if isinstance(value, str) and CONTROL.search(value) else value


def _is_same(found: Any, value: Any) -> bool:  # noqa: PLR0911 - a line a type
    if isinstance(value, dt.datetime) and isinstance(found, dt.datetime):
        return abs(found - value.replace(tzinfo=None)) < dt.timedelta(milliseconds=1)
    if isinstance(value, dt.date) and isinstance(found, dt.datetime):
        return found == dt.datetime(value.year, value.month, value.day)
    if isinstance(value, float) and isinstance(found, int | float):
        return math.isclose(found, value, rel_tol=1e-15) or found == value
    if isinstance(value, Decimal) and isinstance(found, int | float):
        return len(value.as_tuple().digits) <= 15 and Decimal(repr(found)) == value
    if isinstance(value, int) and isinstance(found, int | float):
        return found == value
    shown = plain(value)
    if shown in (None, ""):
        return found in (None, "")
    if isinstance(shown, list | dict):
        shown = json.dumps(_map_as_pairs(shown), ensure_ascii=False, separators=(",", ":"))
    return str(shown) == shown_by_excel(str(found))


def test_what_duckdb_has_and_python_has_not_leaves_in_every_format() -> None:
    with duckdb.connect() as con:
        table = con.execute(
            """select 'infinity'::timestamp ends, '-infinity'::date began, interval '1 month 2 days 3.5 seconds' lasts,
            timestamp_ns '2026-01-01 00:00:00.123456789' fine, union_value(num := 1) one_of, 'a'::enum('a', 'b') kind,
            1::hugeint big, row(1, 'x') pair, uuid() id, '101'::bit bits, 1::bignum huge, null nil,
            [[1], null] nested, time '12:00:01.5' noon, 'nan'::float missing, 1 twice, 2 twice,
            {'u': union_value(num := 1), 'l': [{'v': union_value(t := 'x')}]} deep, map(['k'], [interval 1 day]) of_days
            from range(2)"""
        ).to_arrow_table()
    said = json.loads(written("json", table))
    row = dict(zip(table.column_names, said["rows"][0], strict=True))
    assert (row["ends"], row["began"], row["lasts"]) == ("infinity", "-infinity", "P1M2DT3.5S")
    assert (row["fine"], row["noon"]) == ("2026-01-01T00:00:00.123456789Z", "12:00:01.500000")
    assert (row["one_of"], row["kind"], row["big"], row["missing"], row["nested"]) == (1, "a", 1, "NaN", [[1], None])
    assert (row["deep"], row["of_days"]) == ({"u": 1, "l": [{"v": "x"}]}, [["k", "P1D"]])
    read = pq.read_table(io.BytesIO(written("parquet", table)))
    assert read.column("lasts")[0].as_py() == "P1M2DT3.5S"
    assert written("csv", table).count(b"\r\n") == 3
    sheet = openpyxl.load_workbook(io.BytesIO(written("xlsx", table)))["answer"]
    assert (sheet["A2"].value, sheet["C2"].value, sheet["G2"].value) == ("infinity", "P1M2DT3.5S", 1)


def test_what_a_workbook_cannot_hold_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InputError, match="do not fit in a workbook"):
        FORMATS["xlsx"].write(pa.table({"n": pa.nulls(MOST_ROWS)}), ABOUT)
    with pytest.raises(InputError, match="does not fit in a cell"):
        FORMATS["xlsx"].write(pa.table({"t": ["x" * 40_000]}), ABOUT)


def test_an_answer_without_rows_still_names_its_columns() -> None:
    table = pa.table({"n": pa.array([], pa.int64())})
    assert json.loads(written("json", table))["rows"] == []
    assert written("csv", table) == b"n\r\n"
    assert pa.ipc.open_stream(written("arrow", table)).read_all() == table


def test_values_of_a_slice_are_those_of_the_slice() -> None:
    whole = pa.array([[("a", 1)], None, [], [("b", 2), ("c", 3)]], pa.map_(pa.string(), pa.int64()))
    assert values(whole.slice(1)) == [None, [], [["b", 2], ["c", 3]]]
    lists = pa.array([[1], None, [2, 3]], pa.list_(pa.int64(), -1))
    assert values(lists.slice(1)) == [None, [2, 3]]


def test_a_format_is_chosen_by_name_or_else_by_what_is_accepted() -> None:
    assert chosen("csv", "application/json").name == "csv"
    assert chosen(None, "").name == "json"
    assert chosen(None, "text/html, */*;q=0.1").name == "json"
    assert chosen(None, "application/json;q=0.2, application/vnd.apache.arrow.stream").name == "arrow"
    with pytest.raises(InputError, match="no format 'xml'"):
        chosen("xml", "")
    with pytest.raises(InputError, match="Accept"):
        chosen(None, "image/png, application/json;q=0")
