"""Each JSON line gives its fields as text with their kind; a line that is no object is kept as broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shoplake.sources.lexers import cut_json
from tests.sources.rows import WEB, chunks, cut

NAMES = [field.name for field in WEB.fields]
GOOD = '{"session_id": "s1", "page": "/", "timestamp": 1767225600}'


@pytest.mark.parametrize(
    ("token", "text", "kind"),
    [
        ('"s1"', "s1", "s"),
        ('""', None, "s"),
        ('" s "', " s ", "s"),
        (r'"a\n\"b\" \u00e9 \ud83d\ude00"', 'a\n"b" é 😀', "s"),
        ("17", "17", "n"),
        ("-0.50", "-0.50", "n"),
        ("1e3", "1e3", "n"),
        ("12345678901234567890123", "12345678901234567890123", "n"),
        ("true", "true", "b"),
        ("false", "false", "b"),
        ("null", None, "-"),
        ('{"a": [1]}', '{"a": [1]}', "o"),
        ("[1, 2]", "[1, 2]", "o"),
    ],
)
def test_a_value_keeps_its_text_and_its_kind(tmp_path: Path, token: str, text: str | None, kind: str) -> None:
    (row,) = cut(tmp_path, f'{{"page" :  {token} , "session_id": "s"}}\n', WEB)
    assert row.broken is None
    assert (row.values["page"], row.kinds[NAMES.index("page")]) == (text, kind)


def test_fields_come_in_the_order_of_the_contract_and_missing_ones_are_null(tmp_path: Path) -> None:
    (row,) = cut(tmp_path, '{"timestamp": 1, "session_id": "s"}\n', WEB)
    assert list(row.values) == NAMES
    assert row.kinds == "s-----n"
    assert row.values["browser"] is None


@pytest.mark.parametrize(
    "bad",
    [
        "no json",
        "[1, 2]",
        '"text"',
        "17",
        '{"session_id": "s"',
        '{"session_id": "s"} {"session_id": "t"}',
        '{"timestamp": NaN}',
        "{'session_id': 's'}",
        r'{"session_id": "\ud800"}',
        '{"session_id": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
    ids=lambda text: str(text)[:24],
)
def test_a_line_that_is_no_object_is_kept_as_broken(tmp_path: Path, bad: str) -> None:
    rows = cut(tmp_path, f"{GOOD}\n{bad}\n{GOOD}\n", WEB)
    assert [(row.line, row.broken) for row in rows] == [(1, None), (2, "not_a_json_object"), (3, None)]
    assert rows[1].raw == bad
    assert set(rows[1].values.values()) == {None}
    assert rows[1].kinds == "-" * len(NAMES)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{GOOD}\n\n{GOOD}\n", id="blank line"),
        pytest.param(f"{GOOD}\r\n \r\n{GOOD}", id="CRLF, no final newline"),
        pytest.param(f"\ufeff{GOOD}\n\n{GOOD}\n", id="BOM"),
        pytest.param(f"\ufeff{GOOD}\n\n{GOOD}\n".encode("utf-16-le"), id="UTF-16"),
    ],
)
def test_two_events_come_out_of_any_spelling(tmp_path: Path, content: str | bytes) -> None:
    rows = cut(tmp_path, content, WEB)
    assert [(row.line, row.values["session_id"], row.broken) for row in rows] == [(1, "s1", None), (3, "s1", None)]


def test_bytes_that_are_no_text_break_their_line_only(tmp_path: Path) -> None:
    rows = cut(tmp_path, f"{GOOD}\n".encode() + b'{"session_id": "\xff"}\n{"page": "\0"}\n' + GOOD.encode(), WEB)
    assert [row.broken for row in rows] == [None, "not_utf8", "nul_byte", None]


def test_unknown_fields_are_counted_by_name(tmp_path: Path) -> None:
    events = [{"session_id": "s", "colour": "red"}, {"colour": None, "x": {"session_id": 1}}, {"session_id": "t"}]
    (chunk,) = chunks(tmp_path, "".join(json.dumps(event) + "\n" for event in events), WEB)
    assert chunk.drift == {"colour": 2, "x": 1}


def test_unknown_fields_of_many_chunks_add_up(tmp_path: Path) -> None:
    found = chunks(tmp_path, '{"session_id": "s", "colour": 1}\n' * 50_001, WEB)
    assert [(len(chunk.lines), chunk.drift["colour"]) for chunk in found] == [(50_000, 50_000), (1, 1)]


def test_an_edited_object_is_cut_like_a_line() -> None:
    found = cut_json(GOOD, NAMES)
    assert (found.broken, found.columns[0], found.kinds) == ([None], ["s1"], ["s-s---n"])


def test_an_edited_line_that_is_no_object_stays_broken() -> None:
    found = cut_json("{", NAMES)
    assert (found.broken, found.columns[0]) == (["not_a_json_object"], [None])
