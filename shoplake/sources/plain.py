"""Tells plain lines of a CSV file from odd ones: a plain line holds each value just as its type is written.

A plain line needs no further look at its text: any reader that knows the types gives the right values. The contract's
fields become one pattern of a whole line, which RE2 matches over whole blocks at the speed of a table look-up a byte.
Odd lines (something to repair, to doubt or to reject) are few in most files and go to the careful reader one by one.
Where they are many, as when every time is written as ISO 8601, the pattern of any text cuts the lines instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table

BLOCK = 1 << 20
"""Small enough for the processor's cache: each block is looked at several times."""
PARSED = 4 << 20
LONGEST_LINE = 1 << 20
ODD_LINES, ODD_SHARE = 1_000, 10
"""A file with more odd lines than 1,000 and a tenth of all is written in another way."""
SURROGATES = r"\x{d800}-\x{dfff}"
INTEGER = "(?:0|-?[1-9][0-9]{0,17})"
NUMBER = r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?"
EPOCH_SECONDS = r"-?(?:0|[1-9][0-9]{0,10})(?:\.[0-9]{1,30})?"
"""At most eleven digits: more of them are milliseconds, which is for the careful reader to say."""
PATTERNS = {"integer": INTEGER, "number": NUMBER, "timestamp": EPOCH_SECONDS}


class NamedField(Protocol):
    """What of a contract's field decides how a plain value is written."""

    @property
    def name(self) -> str:
        """Name of the field."""

    @property
    def type(self) -> str:
        """One of string, integer, number, timestamp."""

    @property
    def required(self) -> bool:
        """Whether it must have a value."""

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """The only values it may have."""


def line_pattern(columns: Sequence[NamedField | None], delimiter: str, ending: str) -> str:
    """Give the RE2 pattern of a plain line.

    Args:
        columns: the file's columns in order; None for one that may hold any text.
        delimiter: comma or tab.
        ending: what ends a line, LF or CRLF.

    """
    separator = r"\t" if delimiter == "\t" else delimiter
    values = [_any(separator) if column is None else _value(column, separator) for column in columns]
    return separator.join(values) + ending.replace("\r", r"\r").replace("\n", r"\n")


def _any(separator: str) -> str:
    bare = rf'[^{separator}"\x00\r\n\x{{feff}}{SURROGATES}]*'
    return rf'(?:{bare}|"(?:[^"\x00\r\n{SURROGATES}]|"")*")'


def _value(column: NamedField, separator: str) -> str:
    import re2

    if column.allowed:
        bare = quoted = "(?:" + "|".join(re2.escape(value) for value in column.allowed) + ")"
    elif column.type == "string":
        bare, quoted = _text(separator, ""), _text("", '|""')
    else:
        bare = quoted = PATTERNS[column.type]
    value = f'{bare}|"{quoted}"'
    return f"(?:{value})" if column.required else f'(?:{value}|"")?'


def _text(separator: str, more: str) -> str:
    """Text that begins and ends with something visible: every reader takes it as it is (Arrow drops a leading BOM)."""
    edge = rf'[^{separator}"\x00-\x20\x{{a0}}\x{{feff}}{SURROGATES}]'
    return rf'(?:{edge}(?:(?:[^{separator}"\x00\r\n{SURROGATES}]{more})*{edge})?)'


@dataclass
class LineFilter:
    """Sorts the lines of a file, block by block, into plain and odd."""

    pattern: Any
    """A compiled RE2 pattern of any number of plain lines."""
    ending: bytes
    lines: int = 0
    """Lines seen, the header included."""
    odd: list[tuple[int, bytes]] = field(default_factory=list)
    """(number, bytes without ending) of each odd line."""
    has_failed: bool = False
    """An odd line may reach over its end (a quote, a bare CR), or there are too many of them."""
    _rest: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, columns: Sequence[NamedField | None], delimiter: str, ending: str) -> LineFilter:
        """Make the filter of a file."""
        import re2

        options = re2.Options()
        options.never_capture, options.log_errors = True, False
        lines = re2.compile(f"(?:{line_pattern(columns, delimiter, ending)})*", options)
        return cls(lines, ending.encode())

    def add(self, block: bytes) -> None:
        """Take the next bytes; the first line is the header."""
        if not self.lines:
            _, newline, block = block.partition(b"\n")
            self.lines = len(newline)
        end = block.rfind(b"\n") + 1
        if not end:
            self._rest.append(block)
            return
        self._sort(b"".join([*self._rest, block[:end]]))
        self._rest = [block[end:]]

    def finish(self) -> None:
        """Take the last line, which may have no ending."""
        rest = b"".join(self._rest)
        if rest:
            self._sort(rest + self.ending)

    def _sort(self, chunk: bytes) -> None:
        place, size = 0, len(chunk)
        if chunk.find(b"\n") > LONGEST_LINE:  # only a block's first line can be as long
            place = self._set_aside(chunk, 0)
        while not self.has_failed and place < size:
            end = self.pattern.match(chunk, place).end()
            self.lines += chunk.count(b"\n", place, end)
            place = self._set_aside(chunk, end) if end < size else end

    def _set_aside(self, chunk: bytes, start: int) -> int:
        end = chunk.find(b"\n", start) + 1
        line = chunk[start:end].removesuffix(b"\n").removesuffix(b"\r")
        self.lines += 1
        self.odd.append((self.lines, line))
        too_many = len(self.odd) > ODD_LINES + self.lines // ODD_SHARE
        self.has_failed = self.has_failed or too_many or b'"' in line or b"\r" in line
        return end


def plain_batches(
    stream: IO[bytes], columns: Sequence[tuple[str, str] | None], delimiter: str, odd: Iterable[int]
) -> Iterator[RecordBatch]:
    """Read the plain lines of a file whose odd lines are known.

    Args:
        stream: the uncompressed file.
        columns: (name, type of field) of each column; those that are None are left out.
        delimiter: comma or tab.
        odd: numbers of the odd lines, ascending.

    Returns:
        Batches with a column of each name, timestamps as seconds, and ``_line`` with the line numbers.

    """
    import numpy as np
    import pyarrow as pa

    numbers, first = np.fromiter(odd, np.int64), 2
    for lines in _whole_lines(stream):
        count = lines.count(b"\n")
        here = numbers[(numbers >= first) & (numbers < first + count)] - first
        kept = _without(lines, here.tolist()) if len(here) else lines
        if kept:
            places = np.delete(np.arange(first, first + count), here)
            yield _parse(kept, columns, delimiter).append_column("_line", pa.array(places)).to_batches()[0]
        first += count


def _whole_lines(stream: IO[bytes]) -> Iterator[bytes]:
    stream.readline()
    rest = b""
    while block := stream.read(PARSED):
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
        rest = block[end:] if end else rest + block
    if rest:
        yield rest + b"\n"


def _without(lines: bytes, places: Iterable[int]) -> bytes:
    kept = lines.split(b"\n")
    for place in sorted(places, reverse=True):
        del kept[place]
    return b"\n".join(kept)


def _parse(lines: bytes, columns: Sequence[tuple[str, str] | None], delimiter: str) -> Table:
    import pyarrow as pa
    from pyarrow import csv

    names = [column[0] if column else f"_unknown{place}" for place, column in enumerate(columns)]
    known = dict(column for column in columns if column)
    numbers = {"integer": pa.int64(), "number": pa.float64(), "timestamp": pa.float64()}
    return csv.read_csv(
        pa.BufferReader(lines),
        csv.ReadOptions(use_threads=False, block_size=len(lines) + 1, column_names=names),
        csv.ParseOptions(delimiter=delimiter),
        csv.ConvertOptions(
            include_columns=list(known),
            column_types={name: numbers.get(kind, pa.string()) for name, kind in known.items()},
            null_values=[""],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    ).combine_chunks()
