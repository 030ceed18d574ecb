"""The fast reader of JSON Lines and the careful one agree on any line, however it is cut into blocks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st

from shoplake.contracts import load_contracts
from shoplake.sources.json_lines import blocks_of, events_shape, read_events
from shoplake.sources.lexers import lex
from shoplake.sources.shape import Refused
from tests.sources.rows import WEB, look_at

INTERACTIONS = load_contracts()["interactions"]
GOOD = b'{"session_id": "s1", "user_id": 7, "page": "/", "timestamp": 1767225600.25}'
Fates = dict[int, tuple[tuple[object, ...], str | None, str, bool]]
"""By line: values, why it is broken, raw, and whether any value is of another kind than its field.

The careful reader gives texts: that of a number which is written plainly stands for its value.
"""
PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

TOKENS = st.sampled_from(
    [
        '"s"',
        '""',
        '" s "',
        r'"\u00e9\n"',
        r'"\ud83d\ude00"',
        r'"\ud800"',
        '"\0"',
        '"é\u2028"',
        "17",
        "-0",
        "-0.0",
        "-0.50",
    ]
    + ["3.0", "1e3", "1E+3", "1e999", "01", "1.", ".5", "+1", "9223372036854775807", "9223372036854775808", "1" * 400]
    + ["-9223372036854775808", "-9223372036854775809", "1" * 5000, "1." + "5" * 400, "true", "null", "NaN", "nul"]
    + ['{"a": 1.5}', "[1, 2]", "[", r'{"a": "\ud800"}', '"2026-03-01T12:00:00Z"', '"3"', '"']
)
NAMES = st.sampled_from(
    ["session_id", "user_id", "page", "timestamp", "rating", "customer_id", r"p\u0061ge", "x", "", "é"]
)
OBJECTS = st.lists(st.tuples(NAMES, TOKENS), max_size=5).map(
    lambda items: ("{" + ", ".join(f'"{name}": {token}' for name, token in items) + "}").encode()
)
LINES = st.one_of(
    st.just(GOOD),
    OBJECTS,
    st.sampled_from(
        [b"", b" ", "\u00a0".encode(), b"[]", b"{} {}", b"{} x", b"\xff", b'{"page": "\xed\xa0\x80"}', b"{\0}"]
    ),
    st.text(max_size=12).map(lambda text: text.encode(errors="replace")),
    st.binary(max_size=12),
)
CONTENTS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(part for line in lines for part in line)
)


def careful(content: bytes, contract: object, folder: Path) -> tuple[Fates, Counter[str]]:
    fates, drift = Fates(), Counter[str]()
    for chunk in lex(look_at(folder, content, contract), [f.name for f in contract.fields]):  # type: ignore[attr-defined]
        drift.update(chunk.drift)
        for n, line in enumerate(chunk.lines):
            texts = values_of([column[n] for column in chunk.columns], contract)
            fates[line] = (texts, chunk.broken[n], chunk.raw[n], is_odd(chunk.kinds[n], contract))  # type: ignore[index]
    return fates, drift


def values_of(texts: Sequence[str | None], contract: object) -> tuple[object, ...]:
    return tuple(map(value_of, texts, (f.type for f in contract.fields)))  # type: ignore[attr-defined]


def value_of(written: str | None, kind: str) -> object:
    if written is None or kind == "string" or not PLAIN.fullmatch(written):
        return written
    if kind != "integer":
        return float(written)
    return int(written) if len(written) < 4000 and "." not in written else written


def is_odd(kinds: str, contract: object) -> bool:
    wanted = ("s" if f.type == "string" else "n" for f in contract.fields)  # type: ignore[attr-defined]
    return any(kind not in ("-", want) for kind, want in zip(kinds, wanted, strict=True))


def fast(content: bytes, contract: object, size: int) -> tuple[Fates, Counter[str], int]:
    blocks = [content[start : start + size] for start in range(0, len(content), size)]
    fates, drift, plain = Fates(), Counter[str](), 0
    for rows in read_events(blocks, contract.fields):  # type: ignore[attr-defined]
        drift.update(rows.drift)
        *columns, lines = rows.plain.to_pydict().values()
        for n, line in enumerate(lines):
            plain += 1
            values = tuple(None if column[n] == "" else column[n] for column in columns)
            fates[line] = (values, None, rows.raw(line), False)
        for odd in rows.odd:
            drift.update(odd.drift)
            for n, line in enumerate(odd.lines):
                texts = values_of([column[n] for column in odd.columns], contract)
                fates[line] = (texts, odd.broken[n], odd.raw[n], is_odd(odd.kinds[n], contract))  # type: ignore[index]
    return fates, drift, plain


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(content=b'{"page": "a"}\r\r\n{"page": "b"}\r', size=14, is_web=True)
@example(content=b'{"timestamp": 1e3}\n{"timestamp": 1}\n{"timestamp": null}', size=1 << 20, is_web=True)
@example(content=b"\n" * 3 + GOOD, size=1, is_web=True)
@given(content=CONTENTS, size=st.sampled_from([1, 7, 64, 1 << 20]), is_web=st.booleans())
def test_both_readers_give_every_line_the_same_fate(content: bytes, size: int, is_web: bool) -> None:
    contract = WEB if is_web else INTERACTIONS
    # A file that begins with an object is taken for JSON Lines; so that any line may follow, a good one leads.
    content = GOOD + b"\n" + content
    with TemporaryDirectory() as folder:
        try:
            expected = careful(content, contract, Path(folder))
        except Refused:
            reject()  # so many control characters that the file is taken for a binary one
    found = fast(content, contract, size)
    assert found[:2] == expected


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_byte_order_mark_is_no_part_of_the_first_line(count: int) -> None:
    found = read_events([b"\xef\xbb\xbf" + b"\n" * count + GOOD], WEB.fields)
    assert [line for rows in found for line in rows.plain["_line"].to_pylist()] == [count + 1]


def test_plain_lines_are_not_left_to_the_careful_reader() -> None:
    *_, plain = fast(GOOD + b'\n{"page": 5}\n' + GOOD + b'\n{"timestamp": null, "user_id": null}\n', WEB, 1 << 20)
    assert plain == 3


@pytest.mark.parametrize("number", ["1.7e9", "17E8", " 1.7e+9", "\t-1e3"])
def test_a_number_with_an_exponent_is_left_to_the_careful_reader(number: str) -> None:
    content = GOOD + f'\n{{"page": ": 1e3", "timestamp":{number}}}\n{{"page": "1e3"}}'.encode()
    found, _, plain = fast(content, WEB, 1 << 20)
    assert plain == 2
    assert number.strip() in found[2][0]


def test_an_unknown_field_of_many_lines_is_learned_and_still_counted() -> None:
    lines = [json.dumps({"session_id": "s", "colour": n, **({"x": 1} if n == 3 else {})}) for n in range(4000)]
    blocks = ["".join(line + "\n" for line in lines[at : at + 1000]).encode() for at in range(0, 4000, 1000)]
    first, *others = read_events(blocks, WEB.fields)
    assert (first.plain.num_rows, first.drift, sum(len(odd.lines) for odd in first.odd)) == (0, {}, 1000)
    assert [(rows.plain.num_rows, rows.drift) for rows in others] == [(1000, {"colour": 1000})] * 3
    assert first.odd[0].drift == {"colour": 1000, "x": 1}


def test_a_line_is_long_by_its_characters(tmp_path: Path) -> None:
    long, wide = "y" * (1 << 20), "é" * 600_000
    content = "\n".join([GOOD.decode(), f'{{"page": "{long}"}}', f'{{"page": "{wide}"}}', GOOD.decode()]).encode()
    found, _, _ = fast(content, WEB, 1 << 18)
    assert found == careful(content, WEB, tmp_path)[0]
    assert [fate[1] for fate in found.values()].count("line_too_long") == 1


def test_lines_in_memory_have_the_shape_of_their_file(tmp_path: Path) -> None:
    for content in (GOOD, GOOD + b"\n", GOOD + b"\n\n" + GOOD):
        shape, memory = look_at(tmp_path, content, WEB), events_shape(content)
        assert (memory.content_hash, memory.size, memory.rows) == (shape.content_hash, shape.size, shape.rows)
        assert b"".join(blocks_of(shape)) == content
