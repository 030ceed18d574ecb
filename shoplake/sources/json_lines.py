"""Reads JSON Lines fast: lines that are written plainly become columns, each other line is cut by the careful reader.

A line is plain if every value of it is of its field's own kind (or null), every number is written without an exponent,
and every field is known. Both readers decode with the same library, so a line's fate does not depend on which read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shoplake.sources.lexers import KEEP_BYTES, LONGEST_LINE, TextRows, cut_json_lines, readable
from shoplake.sources.shape import BOM, Shape, opened

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 20
"""Bytes read at once: some thousand lines, whose objects stay in the processor's cache."""
EXPONENT = ":[ \\t]*-?[0-9.]+[eE]"
"""A number with an exponent (or a text that looks like one): its value alone would not show how it was written."""
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
DRIFT_NAMES, DRIFT_SHARE = 64, 0.05


class TypedField(Protocol):
    """What of a contract's field is needed to read it."""

    @property
    def name(self) -> str:
        """Name of the field."""

    @property
    def type(self) -> str:
        """Type of the field: string, integer, number or timestamp."""


@dataclass(frozen=True)
class EventRows:
    """The rows of some following lines."""

    plain: pa.Table
    """Rows of plain lines: ``f0``, ``f1``, …, each field in its own type (times as seconds), and ``_line``."""
    odd: list[TextRows]
    """Rows of the other lines, as the careful reader gives them."""
    first_line: int
    lines: Sequence[bytes]
    """All lines as they came; ``lines[0]`` has the number ``first_line``."""
    drift: dict[str, int] = field(default_factory=dict)
    """Plain rows by field that the contract does not know."""

    def raw(self, line: int) -> str:
        """Give the text of a plain line."""
        return self.lines[line - self.first_line].decode()


def events_shape(blob: bytes) -> Shape:
    """Describe JSON Lines that are in memory; the path is empty."""
    return Shape(Path(), "jsonl", "none", "utf-8", hashlib.sha256(blob).hexdigest(), len(blob))


def blocks_of(shape: Shape) -> Iterator[bytes]:
    """Read a file in blocks of uncompressed bytes."""
    with opened(shape.path, shape.compression) as stream:
        while block := stream.read(BLOCK):
            yield block


def read_events(blocks: Iterable[bytes], fields: Sequence[TypedField]) -> Iterator[EventRows]:
    """Read UTF-8 JSON Lines, one `EventRows` for each stretch of whole lines in a block.

    Args:
        blocks: the bytes, cut anywhere; lines end by CRLF, LF or CR.
        fields: the contract's fields.

    """
    reader, number = _Reader(fields), 1
    for piece in _pieces(blocks):
        lines = piece.split(b"\n")
        if not lines[-1]:
            lines.pop()
        yield reader.read(lines, number, has_exponents=_has_exponent(piece))
        number += len(lines)


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes into stretches of whole lines that end by LF alone."""
    rest, is_first = list[bytes](), True
    for block in blocks:
        # The last byte may be the CR of a CRLF: it waits for the next block.
        end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
        is_held = bool(rest) and rest[-1].endswith(b"\r")
        if not end and not is_held:
            rest.append(block)
            continue
        piece = b"".join([*rest, block[:end]]) if end else b"".join(rest)
        yield _unified(piece, is_first=is_first)
        rest, is_first = [block[end:]] if len(block) > end else [], False
    if rest:
        yield _unified(b"".join(rest), is_first=is_first)


def _unified(piece: bytes, *, is_first: bool) -> bytes:
    if is_first:
        piece = piece.removeprefix(BOM)
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece


class _Reader:
    """Decodes lines into columns; learns the names of unknown fields that come often."""

    def __init__(self, fields: Sequence[TypedField]) -> None:
        import msgspec

        self.fields, self.names = fields, [f.name for f in fields]
        self.broken = (msgspec.DecodeError, UnicodeError, RecursionError)
        self.unknown: list[str] = []
        self.decode = self._decoder()

    def _decoder(self) -> Callable[[bytes], Any]:
        import msgspec

        kinds: dict[str, Any] = {"string": str | None, "integer": int | float | None}
        columns: list[tuple[str, Any, Any]] = []
        for place, known in enumerate(self.fields):
            kind = kinds.get(known.type, float | None)
            columns.append((f"f{place}", kind, msgspec.field(default=None, name=known.name)))
        for place, name in enumerate(self.unknown):
            columns.append((f"u{place}", Any, msgspec.field(default=msgspec.UNSET, name=name)))
        row = msgspec.defstruct("Row", columns, forbid_unknown_fields=True, gc=False)
        decode: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode
        return decode

    def read(self, lines: Sequence[bytes], first_line: int, *, has_exponents: bool) -> EventRows:
        """Read lines whose first has the number ``first_line``; ``has_exponents``: some may hold one."""
        import pyarrow as pa

        decodable = _without_exponents(lines) if has_exponents else lines
        rows, odd = self._decoded(decodable, first_line)
        numbers = _others(range(first_line, first_line + len(lines)), odd)
        columns = [self._column(place, rows) for place in range(len(self.fields))]
        plain = pa.table([values for values, _ in columns], [f"f{place}" for place in range(len(columns))])
        plain = plain.append_column("_line", pa.array(numbers, pa.int64()))
        strange = sorted({place for _, places in columns for place in places})
        if strange:
            is_plain = [True] * len(rows)
            for place in strange:
                is_plain[place] = False
                odd.append(numbers[place])
            plain = plain.filter(pa.array(is_plain, pa.bool_()))
            rows = [row for row, keep in zip(rows, is_plain, strict=True) if keep]
        drift = self._drift(rows)
        careful = self._careful(lines, first_line, sorted(odd))
        self._learn(careful, len(lines))
        return EventRows(plain, careful, first_line, lines, drift)

    def _decoded(self, lines: Sequence[bytes], first_line: int) -> tuple[list[Any], list[int]]:
        rows, odd = list[Any](), list[int]()
        if max(map(len, lines), default=0) > LONGEST_LINE:
            # What is too long in bytes may be short enough in characters: that the careful reader decides.
            lines = [b"" if len(line) > LONGEST_LINE else line for line in lines]
        left = iter(lines)
        while True:
            try:
                for row in map(self.decode, left):
                    rows.append(row)  # noqa: PERF402 - what was decoded before a line that is odd is kept
            except self.broken:
                odd.append(first_line + len(rows) + len(odd))
            else:
                return rows, odd

    def _column(self, place: int, rows: Sequence[Any]) -> tuple[pa.Array, list[int]]:
        """Give a field's values, and the places of the rows whose value is not plain."""
        import pyarrow as pa

        values = list(map(attrgetter(f"f{place}"), rows))
        kind = self.fields[place].type
        if kind == "integer":
            return _integers(values)
        return pa.array(values, pa.string() if kind == "string" else pa.float64()), []

    def _drift(self, rows: Sequence[Any]) -> dict[str, int]:
        import msgspec

        found: dict[str, int] = {}
        for place, name in enumerate(self.unknown):
            given = len(rows) - list(map(attrgetter(f"u{place}"), rows)).count(msgspec.UNSET)
            if given:
                found[name] = given
        return found

    def _careful(self, lines: Sequence[bytes], first_line: int, odd: Sequence[int]) -> list[TextRows]:
        if not odd:
            return []
        texts = ((n, *readable(lines[n - first_line].decode("utf-8", KEEP_BYTES))) for n in odd)
        return list(cut_json_lines(texts, self.names))

    def _learn(self, careful: Sequence[TextRows], lines: int) -> None:
        """Take unknown fields that many lines have for known ones: they are counted, and their values dropped."""
        often = [name for rows in careful for name, count in rows.drift.items() if count > lines * DRIFT_SHARE]
        new = [name for name in dict.fromkeys(often) if name not in self.unknown]
        if new and len(self.unknown) + len(new) <= DRIFT_NAMES:
            self.unknown += new
            self.decode = self._decoder()


def _has_exponent(piece: bytes) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.match_substring_regex(pa.scalar(piece, pa.binary()), EXPONENT).as_py())


def _without_exponents(lines: Sequence[bytes]) -> list[bytes]:
    """Empty the lines that may hold a number with an exponent, so that the careful reader takes them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.match_substring_regex(pa.array(lines, pa.binary()), EXPONENT).to_pylist()
    return [b"" if is_found else line for line, is_found in zip(lines, found, strict=True)]


def _others(numbers: range, left_out: Collection[int]) -> Sequence[int]:
    if not left_out:
        return numbers
    out = set(left_out)
    return [number for number in numbers if number not in out]


def _integers(values: list[Any]) -> tuple[pa.Array, list[int]]:
    import pyarrow as pa

    strange: list[int] = []
    if not set(map(type, values)) <= {int, type(None)}:
        strange = [place for place, value in enumerate(values) if type(value) is float]
    try:
        numbers = pa.array(_without(values, strange), pa.int64())
    except OverflowError:
        whole = ((place, value) for place, value in enumerate(values) if type(value) is int)
        strange += [place for place, value in whole if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER]
        numbers = pa.array(_without(values, strange), pa.int64())
    return numbers, strange


def _without(values: list[Any], places: Sequence[int]) -> list[Any]:
    kept = list(values)
    for place in places:
        kept[place] = None
    return kept
