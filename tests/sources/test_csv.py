"""Whatever a CSV file holds, each row comes out once: as it is written, or as broken with its reason and raw line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoplake.sources.lexers import LONGEST_LINE, LONGEST_ROW, cut_csv
from tests.sources.rows import HEADER, POS, chunks, cut, outcomes, sale

NAMES = [field.name for field in POS.fields]
GOOD = sale("T1")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{HEADER}\n{GOOD}\n{sale('T2')}\n", id="LF"),
        pytest.param(f"{HEADER}\r\n{GOOD}\r\n{sale('T2')}\r\n", id="CRLF"),
        pytest.param(f"{HEADER}\r{GOOD}\r{sale('T2')}\r", id="CR"),
        pytest.param(f"{HEADER}\r\n{GOOD}\n{sale('T2')}", id="mixed, no final newline"),
        pytest.param(f"\ufeff{HEADER}\n{GOOD}\n{sale('T2')}\n", id="BOM"),
        pytest.param(f"\ufeff{HEADER}\n{GOOD}\n{sale('T2')}\n".encode("utf-16-le"), id="UTF-16, little end first"),
        pytest.param(f"\ufeff{HEADER}\n{GOOD}\n{sale('T2')}\n".encode("utf-16-be"), id="UTF-16, big end first"),
        pytest.param(f"{HEADER}\n{GOOD}\n{sale('T2')}\n".replace(",", "\t"), id="tabs"),
    ],
)
def test_two_rows_come_out_of_any_spelling(tmp_path: Path, content: str | bytes) -> None:
    rows = cut(tmp_path, content)
    assert outcomes(rows) == [(2, "T1"), (3, "T2")]
    assert rows[0].values == {
        "transaction_id": "T1",
        "store_id": "1",
        "product_id": "2",
        "quantity": "3",
        "revenue": "9.50",
        "discount_applied": None,
        "timestamp": "1767225600",
    }


def test_blank_lines_are_no_rows_but_count_as_lines(tmp_path: Path) -> None:
    assert outcomes(cut(tmp_path, f"{HEADER}\n\n{GOOD}\n  \n{sale('T2')}\n\n")) == [(3, "T1"), (5, "T2")]


def test_a_header_alone_has_no_row(tmp_path: Path) -> None:
    assert cut(tmp_path, f"{HEADER}\n") == []


def test_a_line_break_in_quotes_belongs_to_the_value(tmp_path: Path) -> None:
    content = f'{HEADER}\r\n"T\r\n1, ""so""",1,2,3,9.50,,1767225600\r\n{sale("T2")}\r\n'
    rows = cut(tmp_path, content)
    assert outcomes(rows) == [(2, 'T\n1, "so"'), (4, "T2")]
    assert rows[0].raw == '"T\n1, ""so""",1,2,3,9.50,,1767225600'


def test_a_quote_within_a_bare_value_opens_nothing(tmp_path: Path) -> None:
    content = f'{HEADER}\nScreen 5",1,2,3,9.50,,1767225600\n{GOOD}\n"two\nlines",1,5",3,9.50,,1767225600\n{GOOD}\n'
    rows = cut(tmp_path, content)
    assert outcomes(rows) == [(2, 'Screen 5"'), (3, "T1"), (4, "two\nlines"), (6, "T1")]
    assert rows[2].values["product_id"] == '5"'


def test_a_row_may_open_quotes_after_a_bare_one(tmp_path: Path) -> None:
    rows = cut(tmp_path, f'{HEADER}\n5","1\n2",2,3,9.50,,1767225600\n{GOOD}\n')
    assert outcomes(rows) == [(2, '5"'), (4, "T1")]
    assert rows[0].values["store_id"] == "1\n2"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param('"T9,1,2,3,9.50,,1767225600', id="at the start"),
        pytest.param('T9,1,2,3,9.50,,"1767225600', id="in the last field"),
        pytest.param('"T9" or so,1,2,3,9.50,,1767225600', id="text after the closing quote"),
    ],
)
@pytest.mark.parametrize("after", [GOOD, '"T1",1,2,3,9.50,,1767225600'])
def test_a_quote_out_of_balance_costs_its_own_row_only(tmp_path: Path, bad: str, after: str) -> None:
    rows = cut(tmp_path, f"{HEADER}\n{bad}\n{after}\n{sale('T2')}\n")
    assert outcomes(rows) == [(2, "unbalanced_quote"), (3, "T1"), (4, "T2")]
    assert rows[0].raw == bad
    assert set(rows[0].values.values()) == {None}


def test_a_quote_that_stays_open_for_too_long_gives_the_lines_back(tmp_path: Path) -> None:
    lines = [sale(f"T{n}") for n in range(LONGEST_ROW + 5)]
    rows = cut(tmp_path, f'{HEADER}\n"open\n' + "\n".join(lines) + '\n",1,2,3,9.50,,1767225600\n')
    assert outcomes(rows)[0] == (2, "unbalanced_quote")
    assert [row.values["transaction_id"] for row in rows[1:-1]] == [f"T{n}" for n in range(LONGEST_ROW + 5)]


def test_a_row_of_quoted_lines_that_grows_too_long_stops_nothing(tmp_path: Path) -> None:
    part = "x" * (LONGEST_LINE - 10)
    rows = cut(tmp_path, f'{HEADER}\n"{part}\n{part}\n{part}",1,2,3,9.50,,1767225600\n{GOOD}\n')
    assert rows[0].broken == "unbalanced_quote"
    assert outcomes(rows)[-1] == (5, "T1")


@pytest.mark.parametrize("bad", ["T9", f"{GOOD},more", "T9,1,2,3", ",,,,,,,,", '"T9",1'])
def test_a_row_with_fields_too_few_or_too_many_is_broken(tmp_path: Path, bad: str) -> None:
    rows = cut(tmp_path, f"{HEADER}\n{GOOD}\n{bad}\n{GOOD}\n")
    assert outcomes(rows) == [(2, "T1"), (3, "wrong_number_of_fields"), (4, "T1")]
    assert rows[1].raw == bad


@pytest.mark.parametrize(
    ("bad", "reason", "raw"),
    [
        pytest.param(b"T\x009,1,2,3,9.5,,1", "nul_byte", r"T\x009,1,2,3,9.5,,1", id="NUL"),
        pytest.param(b"K\xf6ln,1,2,3,9.5,,1", "not_utf8", r"K\xf6ln,1,2,3,9.5,,1", id="Latin-1"),
        pytest.param(b"T\xe2\x82,1,2,3,9.5,,1", "not_utf8", r"T\xe2\x82,1,2,3,9.5,,1", id="half a character"),
        pytest.param(b"T\xed\xa0\x80,1,2,3,9.5,,1", "not_utf8", r"T\xed\xa0\x80,1,2,3,9.5,,1", id="a surrogate"),
        pytest.param(b"x" * (LONGEST_LINE + 1), "line_too_long", "x" * (LONGEST_LINE + 1), id="long line"),
    ],
)
def test_a_line_that_is_no_text_is_kept_with_its_bytes_shown(tmp_path: Path, bad: bytes, reason: str, raw: str) -> None:
    rows = cut(tmp_path, f"{HEADER}\n{GOOD}\n".encode() + bad + f"\n{GOOD}\n".encode())
    assert outcomes(rows) == [(2, "T1"), (3, reason), (4, "T1")]
    assert rows[1].raw == raw


def test_a_broken_line_within_quotes_ends_the_row_before_it(tmp_path: Path) -> None:
    rows = cut(tmp_path, f'{HEADER}\n"open\n'.encode() + b"\xff\n" + f'closed",1,2,3,9.5,,1\n{GOOD}\n'.encode())
    assert outcomes(rows)[:2] == [(2, "unbalanced_quote"), (3, "not_utf8")]
    assert outcomes(rows)[-1] == (5, "T1")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        pytest.param(lambda data: data[:-1], [(2, "T1"), (3, "not_utf8")], id="cut within a character"),
        pytest.param(
            lambda data: data + b"\x00\xd8T\x00\n\x00", [(2, "T1"), (3, "T2"), (4, "not_utf8")], id="lone half"
        ),
    ],
)
def test_damaged_utf_16_breaks_the_damaged_line_only(
    tmp_path: Path, damage: object, expected: list[tuple[int, str]]
) -> None:
    assert callable(damage)
    content = f"\ufeff{HEADER}\n{GOOD}\n{sale('T2')}\n".encode("utf-16-le")
    assert outcomes(cut(tmp_path, damage(content))) == expected


@pytest.mark.parametrize("place", [1, -1], ids=["within a character", "within CRLF"])
def test_what_the_end_of_a_block_cuts_is_put_together(tmp_path: Path, place: int) -> None:
    block = 1 << 20  # what the reader takes at a time
    line = "ö,1,2,3,9.5,,1\r\n".encode()
    before = f"{HEADER}\r\n".encode()
    pad = (block - place - len(before)) % len(line) + len(line)
    content = before + b"p" * (pad - len(line) + 2) + line[2:] + line * (block // len(line))
    cut_at = content[block - 1 : block + 1]
    assert cut_at in {"ö".encode(), b"\r\n"}
    rows = cut(tmp_path, content)
    assert [row.line for row in rows] == list(range(2, 3 + block // len(line)))
    assert {row.values["transaction_id"] for row in rows[1:]} == {"ö"}


def test_many_rows_come_in_chunks_and_none_twice(tmp_path: Path) -> None:
    found = chunks(tmp_path, f"{HEADER}\n" + "".join(f"{sale(str(n))}\n" for n in range(50_001)))
    assert [len(chunk.lines) for chunk in found] == [50_000, 1]
    assert [value for chunk in found for value in chunk.columns[0]] == [str(n) for n in range(50_001)]


def test_a_file_may_leave_out_a_field_and_bring_others(tmp_path: Path) -> None:
    (row,) = cut(tmp_path, "timestamp,till,revenue,quantity,product_id,store_id,transaction_id\n1,K7,9.5,3,2,1,T1\n")
    assert row.values == {
        "transaction_id": "T1",
        "store_id": "1",
        "product_id": "2",
        "quantity": "3",
        "revenue": "9.5",
        "discount_applied": None,
        "timestamp": "1",
    }


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), max_size=12)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(TEXTS, min_size=7, max_size=7), max_size=6))
def test_what_a_csv_writer_quotes_comes_back_as_it_was(tmp_path: Path, written: list[list[str]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows(written)
    rows = cut(tmp_path, f"{HEADER}\n{buffer.getvalue()}")
    assert [row.broken for row in rows] == [None] * len(written)
    assert [list(row.values.values()) for row in rows] == [[value or None for value in row] for row in written]


@pytest.mark.parametrize("raw", [GOOD, f"{GOOD}\n", f"{GOOD}\r\n"])
def test_an_edited_row_is_cut_like_a_line(raw: str) -> None:
    found = cut_csv(raw, ",", HEADER.split(","), NAMES)
    assert (found.broken, found.columns[0], found.columns[6]) == ([None], ["T1"], ["1767225600"])


def test_an_edited_row_keeps_its_line_breaks_and_may_be_long() -> None:
    long = "x" * 300_000
    found = cut_csv(f'"{long}\nend",1,2,3,9.5,,1', ",", HEADER.split(","), NAMES)
    assert (found.broken, found.columns[0]) == ([None], [f"{long}\nend"])


@pytest.mark.parametrize("raw", ["", "T1", f"{GOOD}\n{GOOD}", 'T1,1,2,3,9.5,,"1', '"', "\n"])
def test_an_edited_row_that_is_no_row_stays_broken(raw: str) -> None:
    found = cut_csv(raw, ",", HEADER.split(","), NAMES)
    assert found.broken[0] in {"wrong_number_of_fields", "unbalanced_quote"}
    assert [column[0] for column in found.columns] == [None] * 7
