"""Reads JSON Lines fast: lines that are written plainly become columns, each other line is cut by the careful reader.

A line is plain if every value of it is of its field's own kind (or null), every number is written without an exponent,
and every field is known. Both readers decode with the same library, so a line's fate does not depend on which read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from shoplake.sources.lexers import KEEP_BYTES, LONGEST_LINE, TextRows, cut_json_lines, readable
from shoplake.sources.shape import BOM, Shape, opened

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

BLOCK = 1 << 20
"""Bytes read at once: some thousand lines, whose objects stay in the processor's cache."""
EXPONENT = ":[ \\t]*-?[0-9.]+[eE]"
"""A number with an exponent (or a text that looks like one): its value alone would not show how it was written."""
DECODED_LINES = 64
"""Lines that are decoded together where some of a block are odd."""
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
    count: int
    """Lines, odd ones included."""
    piece: bytes
    """All lines as they came; the first has the number ``first_line``."""
    drift: dict[str, int] = field(default_factory=dict)
    """Plain rows by field that the contract does not know."""

    def raw(self, line: int) -> str:
        """Give the text of a plain line."""
        return self._lines[line - self.first_line].decode()

    @cached_property
    def _lines(self) -> list[bytes]:
        return self.piece.split(b"\n")


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
        rows = reader.read(piece, number)
        number += rows.count
        yield rows


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
        self.decode, self.decode_lines = self._decoders()

    def _decoders(self) -> tuple[Callable[[bytes], Any], Callable[[bytes], list[Any]]]:
        import msgspec

        kinds: dict[str, Any] = {"string": str | None, "integer": int | float | None}
        columns: list[tuple[str, Any, Any]] = []
        for place, known in enumerate(self.fields):
            kind = kinds.get(known.type, float | None)
            columns.append((f"f{place}", kind, msgspec.field(default=None, name=known.name)))
        for place, name in enumerate(self.unknown):
            columns.append((f"u{place}", Any, msgspec.field(default=msgspec.UNSET, name=name)))
        row = msgspec.defstruct("Row", columns, forbid_unknown_fields=True, gc=False)
        decoder = msgspec.json.Decoder(row)
        return decoder.decode, decoder.decode_lines

    def read(self, piece: bytes, first_line: int) -> EventRows:
        """Read whole lines, of which the first has the number ``first_line``."""
        import pyarrow as pa

        piece = piece.removesuffix(b"\n")
        count = piece.count(b"\n") + 1
        has_exponents = _has_exponent(piece)
        rows, odd = None if has_exponents else self._decoded_at_once(piece, count), list[int]()
        lines = piece.split(b"\n") if rows is None else []
        if rows is None:
            rows, odd = self._decoded(_without_exponents(lines) if has_exponents else lines, first_line)
        numbers = _others(range(first_line, first_line + count), odd)
        columns = [self._column(place, rows) for place in range(len(self.fields))]
        plain = pa.table([values for values, _ in columns], [f"f{place}" for place in range(len(columns))])
        plain = plain.append_column("_line", pa.array(numbers, pa.int64()))
        strange = sorted({place for _, places in columns for place in places})
        if strange:
            is_plain = [True] * len(rows)
            for place in strange:
                is_plain[place] = False
                odd.append(int(numbers[place]))
            plain = plain.filter(pa.array(is_plain, pa.bool_()))
            rows = [row for row, keep in zip(rows, is_plain, strict=True) if keep]
        drift = self._drift(rows)
        careful = self._careful(lines or piece.split(b"\n"), first_line, sorted(odd)) if odd else []
        self._learn(careful, count)
        return EventRows(plain, careful, first_line, count, piece, drift)

    def _decoded_at_once(self, piece: bytes, count: int) -> list[Any] | None:
        """Decode ``count`` lines by one call; None if they may not be one object each.

        The decoder takes objects that stand anywhere. But where each line begins with ``{`` and ends with ``}``, every
        line break stands between objects, for within one JSON has no such place; so as many objects as lines are one a
        line.
        """
        if _has_longer_line(piece) or not _are_braced(piece):
            return None
        try:
            rows = self.decode_lines(piece)
        except self.broken:
            return None
        return rows if len(rows) == count else None

    def _decoded(self, lines: Sequence[bytes], first_line: int) -> tuple[list[Any], list[int]]:
        """Decode lines of which some are odd; give the numbers of those, too."""
        rows, odd = list[Any](), list[int]()
        for start in range(0, len(lines), DECODED_LINES):
            some = lines[start : start + DECODED_LINES]
            found = self._decoded_at_once(b"\n".join(some), len(some))
            if found is None:
                self._decode_singly(some, first_line + start, rows, odd)
            else:
                rows += found
        return rows, odd

    def _decode_singly(self, lines: Sequence[bytes], first_line: int, rows: list[Any], odd: list[int]) -> None:
        for number, line in enumerate(lines, start=first_line):
            # What is too long in bytes may be short enough in characters: that the careful reader decides.
            if len(line) > LONGEST_LINE:
                odd.append(number)
                continue
            try:
                rows.append(self.decode(line))
            except self.broken:
                odd.append(number)

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
        texts = ((n, *readable(lines[n - first_line].decode("utf-8", KEEP_BYTES))) for n in odd)
        return list(cut_json_lines(texts, self.names))

    def _learn(self, careful: Sequence[TextRows], lines: int) -> None:
        """Take unknown fields that many lines have for known ones: they are counted, and their values dropped."""
        often = [name for rows in careful for name, count in rows.drift.items() if count > lines * DRIFT_SHARE]
        new = [name for name in dict.fromkeys(often) if name not in self.unknown]
        if new and len(self.unknown) + len(new) <= DRIFT_NAMES:
            self.unknown += new
            self.decode, self.decode_lines = self._decoders()


def _are_braced(piece: bytes) -> bool:
    """Say whether each line, the last without its ending, begins with ``{`` and ends with ``}``."""
    import numpy as np

    if not (piece.startswith(b"{") and piece.endswith(b"}")):
        return False
    found = np.frombuffer(piece, np.uint8)
    breaks = np.flatnonzero(found == ord("\n"))
    return bool((found[breaks - 1] == ord("}")).all() and (found[breaks + 1] == ord("{")).all())


def _has_longer_line(piece: bytes) -> bool:
    """Say whether any line is longer than a line may be."""
    start = 0
    while len(piece) - start > LONGEST_LINE:
        end = piece.rfind(b"\n", start, start + LONGEST_LINE + 1)
        if end < 0:
            return True
        start = end + 1
    return False


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


def _others(numbers: range, left_out: Collection[int]) -> NDArray[np.int64]:
    import numpy as np

    every = np.arange(numbers.start, numbers.stop)
    return np.delete(every, [number - numbers.start for number in left_out]) if left_out else every


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
