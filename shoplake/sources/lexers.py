"""Cuts files into rows of text, whatever they hold; a line that cannot be cut is kept with the reason.

DuckDB reads plain CSV itself, and faster. These readers take what is not plain: quoted line breaks, ragged rows, NUL
bytes, other encodings, JSON Lines. They give the same columns: one text a field, the line number, the raw line.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoplake.sources.shape import Shape, opened

LONGEST_LINE = 1 << 20
LONGEST_ROW = 200
"""Lines that one row may span by line breaks in quotes; past that the quote is taken for unbalanced."""
CHUNK_ROWS = 50_000
KEEP_BYTES, FIRST_BYTE = "shoplake.keep_bytes", 0xDC00


@dataclass
class TextRows:
    """Some rows of a file as columns of text."""

    columns: list[list[str | None]]
    """One list a contract field, in the contract's order."""
    kinds: list[str] | None
    """For JSON: one letter a field and row: s(tring), n(umber), b(oolean), o(bject or array), - (null)."""
    lines: list[int]
    broken: list[str | None]
    raw: list[str]
    drift: Counter[str] = field(default_factory=Counter)

    @classmethod
    def empty(cls, width: int, *, is_json: bool = False) -> TextRows:
        """Give no rows of ``width`` fields."""
        return cls([[] for _ in range(width)], [] if is_json else None, [], [], [])

    def add(self, values: Sequence[str | None], line: int, raw: str, broken: str | None = None) -> None:
        """Add a row."""
        for column, value in zip(self.columns, values, strict=True):
            column.append(value or None)
        self.lines.append(line)
        self.raw.append(raw)
        self.broken.append(broken)


def cut_csv(raw: str, delimiter: str, header: Sequence[str], names: Sequence[str]) -> TextRows:
    """Cut one CSV row (it may span lines) whose columns ``header`` names."""
    found = TextRows.empty(len(names))
    places = {name.strip().lower(): place for place, name in enumerate(header)}
    values, _, reason = _cut_row(raw.strip("\r\n"), _Pushback(iter(())), delimiter, len(header))
    row = [None if reason or n not in places else values[places[n]] for n in names]
    found.add(row, 0, raw, reason)
    return found


def cut_json(raw: str, names: Sequence[str]) -> TextRows:
    """Cut one JSON object."""
    return next(cut_json_lines(iter([(0, *readable(raw))]), names))


def lex(shape: Shape, names: Sequence[str]) -> Iterator[TextRows]:
    """Cut a CSV or JSON Lines file into rows of the named fields, some ten thousand at a time."""
    lines = _lines(shape)
    if shape.format == "jsonl":
        return cut_json_lines(lines, names)
    next(lines, None)  # the header
    return _lex_csv(lines, shape, names)


def lex_odd(shape: Shape, names: Sequence[str]) -> Iterator[TextRows]:
    """Cut the odd lines of a typed CSV file; each is a row of its own."""
    lines = ((number, *readable(line.decode("utf-8", KEEP_BYTES))) for number, line in shape.odd)
    return _lex_csv(lines, shape, names)


def lex_lines(lines: Iterable[bytes], names: Sequence[str]) -> Iterator[TextRows]:
    """Cut JSON objects that are in memory, one an item, as those of a file are cut; they are numbered from 1."""
    texts = (readable(line.decode("utf-8", KEEP_BYTES)) for line in lines)
    return cut_json_lines(((number, *text) for number, text in enumerate(texts, start=1)), names)


def _lines(shape: Shape) -> Iterator[tuple[int, str, str | None]]:
    """Give (number, text, why it cannot be used) of each line; lines end by CRLF, LF or CR."""
    with opened(shape.path, shape.compression) as stream:
        decoder = codecs.getincrementaldecoder(shape.encoding)(errors=KEEP_BYTES)
        rest, number = "", 0
        while True:
            block = stream.read(1 << 20)
            text = rest + decoder.decode(block, final=not block)
            if number == 0:
                text = text.removeprefix("\ufeff")
            # A CR at the end may be half of a CRLF: it waits for the next block.
            held = "\r" if block and text.endswith("\r") else ""
            parts = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n").split("\n")
            rest = parts.pop() + held
            for part in parts:
                number += 1
                yield number, *readable(part)
            if not block:
                break
        if rest:
            yield number + 1, *readable(rest)


def _keep_bytes(error: UnicodeError) -> tuple[str, int]:
    """Stand in for bytes that are no text by a lone surrogate each; Python's own handler fails on UTF-16."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(FIRST_BYTE + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(KEEP_BYTES, _keep_bytes)


def readable(line: str) -> tuple[str, str | None]:
    """Give a line as it can be stored, and why it cannot be used, if so."""
    if len(line) > LONGEST_LINE:
        return _clean(line), "line_too_long"
    if "\0" in line:
        return _clean(line), "nul_byte"
    if line.isascii() or not any(_is_byte(c) for c in line):
        return line, None
    return _clean(line), "not_utf8"


def _clean(line: str) -> str:
    """Show what is not text as escapes, so that nothing is lost and all can be stored."""
    shown = (f"\\x{ord(c) - FIRST_BYTE:02x}" if _is_byte(c) else c for c in line.replace("\0", "\\x00"))
    return "".join(shown)


def _is_byte(character: str) -> bool:
    return FIRST_BYTE <= ord(character) < FIRST_BYTE + 256


def _lex_csv(lines: Iterator[tuple[int, str, str | None]], shape: Shape, names: Sequence[str]) -> Iterator[TextRows]:
    width, places = len(shape.header), [shape.columns.get(name) for name in names]
    found, blank = TextRows.empty(len(names)), list[str | None]([None] * len(names))
    source = _Pushback(lines)
    for number, line, broken in source:
        if not line.strip():
            continue
        values, raw, reason = ([], line, broken) if broken else _cut_row(line, source, shape.delimiter, width)
        row = blank if reason else [values[place] if place is not None else None for place in places]
        found.add(row, number, raw, reason)
        if len(found.lines) >= CHUNK_ROWS:
            yield found
            found = TextRows.empty(len(names))
    yield found


class _Pushback:
    """An iterator of lines that takes lines back."""

    def __init__(self, lines: Iterator[tuple[int, str, str | None]]) -> None:
        self._lines, self._back = lines, list[tuple[int, str, str | None]]()

    def __iter__(self) -> _Pushback:
        return self

    def __next__(self) -> tuple[int, str, str | None]:
        return self._back.pop() if self._back else next(self._lines)

    def give_back(self, taken: list[tuple[int, str, str | None]]) -> None:
        self._back += reversed(taken)


def _cut_row(line: str, following: _Pushback, delimiter: str, width: int) -> tuple[list[str], str, str | None]:
    """Cut the row that begins with ``line``; give its values, its raw text and why it cannot be used.

    A line break in quotes takes the next line into the row. A quote that never closes, or only in the middle of a
    value, takes no other line: the lines after it are rows of their own. A quote within a bare value (an inch sign)
    opens nothing.
    """
    if '"' not in line and "\n" not in line:
        values = line.split(delimiter)
        return values, line, None if len(values) == width else "wrong_number_of_fields"
    taken: list[tuple[int, str, str | None]] = []

    def lines() -> Iterator[str]:
        yield line + "\n"
        while len(taken) < LONGEST_ROW and (item := next(following, None)) is not None:
            taken.append(item)
            if item[2] is not None:
                return
            yield item[1] + "\n"

    csv.field_size_limit(LONGEST_LINE * 2)
    try:
        values = next(csv.reader(lines(), delimiter=delimiter, strict=True))
    except csv.Error:
        values = []
    if len(values) == width:
        return values, "\n".join([line, *(item[1] for item in taken)]), None
    following.give_back(taken)
    return [], line, "wrong_number_of_fields" if values and not taken else "unbalanced_quote"


class _NumberText(str):
    """A JSON number as it was written, so that no digit of it is lost."""

    __slots__ = ()


KINDS = {str: "s", _NumberText: "n", int: "n", bool: "b", type(None): "-", dict: "o", list: "o"}


def cut_json_lines(lines: Iterator[tuple[int, str, str | None]], names: Sequence[str]) -> Iterator[TextRows]:
    """Cut lines, each given as (number, text, why it cannot be used), into rows of the named fields."""
    import msgspec

    # An int is exact in Python however long it is; anything with a point or an exponent stays text.
    decode = msgspec.json.Decoder(dict[str, Any], float_hook=_NumberText).decode
    known, found = set(names), TextRows.empty(len(names), is_json=True)
    for number, line, broken in lines:
        if not line.strip():
            continue
        reason, row = broken, dict[str, Any]()
        if reason is None:
            try:
                row = decode(line)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                reason = "not_a_json_object"
        values = [row.get(name) for name in names]
        kinds = "".join([KINDS[type(value)] for value in values])
        found.add([v if type(v) is str or v is None else _text(v) for v in values], number, line, reason)
        found.kinds.append(kinds)  # type: ignore[union-attr] # made for JSON
        if not row.keys() <= known:
            found.drift.update(row.keys() - known)
        if len(found.lines) >= CHUNK_ROWS:
            yield found
            found = TextRows.empty(len(names), is_json=True)
    yield found


def _text(value: object) -> str:
    """Give the text of a JSON value that is no string."""
    if isinstance(value, bool | dict | list):
        return json.dumps(value)
    return str(value)
