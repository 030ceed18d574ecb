"""Looks at a file before anything is made of it: what it is, by its bytes and not by its name.

One pass hashes the file and sorts its lines into plain and odd ones (`shoplake.sources.plain`). Only a CSV file with
too many odd lines is read once more, to say whether its lines may be cut as text.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from shoplake.sources.plain import BLOCK, LineFilter

Format = Literal["csv", "jsonl", "parquet"]
Compression = Literal["none", "gzip", "zstd"]
Reading = Literal["typed", "text", "careful"]
HEAD = 1 << 16
GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
BOM = b"\xef\xbb\xbf"
UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
DELIMITERS = {",": "comma", "\t": "tab"}
CONTROL = bytes(code for code in range(32) if code not in b"\t\n\f\r")
OTHER_DELIMITERS = {";": "semicolon", "|": "pipe"}


class NamedFields(Protocol):
    """What of a contract is needed to read a header."""

    @property
    def source(self) -> str:
        """Name of the source."""

    @property
    def fields(self) -> tuple[Any, ...]:
        """Fields with ``name`` and ``required``."""


class Refused(Exception):  # noqa: N818 - what happens to the file
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True)
class Shape:
    """What a file is."""

    path: Path
    format: Format
    compression: Compression
    encoding: str
    content_hash: str
    """SHA-256 of the uncompressed content."""
    size: int
    """Uncompressed bytes."""
    rows: int
    """Lines of a CSV file less the header; rows of a Parquet file once it has been opened."""
    reading: Reading = "careful"
    """How the lines that are not odd may be read: each value as its type is written, or as text, or by no short cut."""
    odd: tuple[tuple[int, bytes], ...] = ()
    """(number, bytes) of the odd lines, which the careful reader gets."""
    has_quotes: bool = False
    delimiter: str = ","
    header: tuple[str, ...] = ()
    """Names of the columns as the file spells them."""
    columns: Mapping[str, int] = field(default_factory=dict)
    """Position of each contract field that the file has."""
    unknown: tuple[str, ...] = ()
    """Columns that the contract does not know."""


def look(path: Path, contract: NamedFields) -> Shape:
    """Read a file once: decide what it is, hash it, count its lines, match its header to the contract.

    Raises:
        Refused: it is empty, binary, cut off, in another format, or has no header that fits.

    """
    compression = _compression(path)
    scan = _Scan(contract)
    for block in _blocks(path, compression):
        scan.add(block)
    if scan.size == 0:
        raise Refused("the file is empty (0 bytes)")
    layout = scan.finish()
    seen: dict[str, Any] = {
        "path": path,
        "compression": compression,
        "content_hash": scan.hash.hexdigest(),
        "size": scan.size,
    }
    if layout.format == "parquet":
        if compression != "none":
            raise Refused("a compressed Parquet file cannot be read: Parquet compresses itself")
        return Shape(format="parquet", encoding="binary", rows=0, reading="text", **seen)
    if layout.format == "jsonl":
        return Shape(format="jsonl", encoding=layout.encoding, rows=scan.lines, **seen)
    lines = layout.filter
    reading: Reading = "typed"
    if lines is not None and lines.has_failed:
        reading, lines = "text", _sort_as_text(path, compression, lines, layout)
    odd = tuple(lines.odd) if lines is not None else ()
    if lines is None or lines.has_failed:
        reading, odd = "careful", ()
    return Shape(
        format="csv",
        encoding=layout.encoding,
        rows=max(scan.lines - 1, 0),
        reading=reading,
        odd=odd,
        has_quotes=scan.has_quotes,
        delimiter=layout.delimiter,
        header=layout.header,
        columns=layout.columns,
        unknown=layout.unknown,
        **seen,
    )


def _compression(path: Path) -> Compression:
    with path.open("rb") as file:
        head = file.read(len(ZSTD))
    if not head:
        raise Refused("the file is empty (0 bytes)")
    if head.startswith(GZIP):
        return "gzip"
    return "zstd" if head.startswith(ZSTD) else "none"


def _blocks(path: Path, compression: Compression) -> Iterator[bytes]:
    try:
        with opened(path, compression) as stream:
            while block := stream.read(BLOCK):
                yield block
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"the {compression} file is damaged or cut off") from error


def _sort_as_text(path: Path, compression: Compression, typed: LineFilter, layout: _Layout) -> LineFilter:
    """Sort the lines again, into those that any text cuts into the right number of values and others."""
    lines = LineFilter.of([None] * len(layout.header), layout.delimiter, typed.ending.decode())
    for block in _blocks(path, compression):
        lines.add(block)
    lines.finish()
    return lines


@contextmanager
def opened(path: Path, compression: str) -> Iterator[IO[bytes]]:
    """Open the uncompressed content of a file."""
    if compression == "gzip":
        import gzip

        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc] # GzipFile reads bytes
    elif compression == "zstd":
        import pyarrow as pa

        # Arrow's reader notices that a file is cut off; that of the package zstandard ends there without a word.
        with pa.input_stream(str(path), compression="zstd") as raw, io.BufferedReader(raw) as reader:
            yield reader
    else:
        with path.open("rb") as stream:
            yield stream


@dataclass(frozen=True)
class _Layout:
    """How a file is cut, by its first bytes."""

    format: Format
    encoding: str = "utf-8"
    delimiter: str = ","
    header: tuple[str, ...] = ()
    columns: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    filter: LineFilter | None = None


class _Scan:
    """What one pass over the content tells."""

    def __init__(self, contract: NamedFields) -> None:
        self.contract = contract
        self.hash, self.size, self.head, self.newlines = hashlib.sha256(), 0, b"", 0
        self.has_quotes, self.last = False, b""
        self.layout: _Layout | None = None

    def add(self, block: bytes) -> None:
        self.hash.update(block)
        self.size += len(block)
        self.newlines += block.count(b"\n")
        self.has_quotes = self.has_quotes or b'"' in block
        self.last = block[-1:]
        if self.layout is None:
            self.head += block
            if len(self.head) >= HEAD:
                self._begin()
        elif self.layout.filter is not None:
            self.layout.filter.add(block)

    def finish(self) -> _Layout:
        layout = self.layout or self._begin()
        if layout.filter is not None:
            layout.filter.finish()
        return layout

    def _begin(self) -> _Layout:
        """Decide what the file is; the lines of a CSV file go to its filter from now on."""
        self.layout = _layout(self.head, self.contract)
        if self.layout.filter is not None:
            self.layout.filter.add(self.head)
        return self.layout

    @property
    def lines(self) -> int:
        return self.newlines + (0 if self.last == b"\n" else 1)


def _layout(begin: bytes, contract: NamedFields) -> _Layout:
    head = begin[:HEAD]
    if head.startswith(PARQUET):
        return _Layout("parquet")
    encoding = UTF16.get(head[:2]) or "utf-8"
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    if encoding == "utf-8" and _is_binary(head):
        raise Refused("the file is binary, not CSV, TSV, JSON Lines or Parquet")
    if text.lstrip().startswith("["):
        raise Refused("the file is one JSON array; JSON Lines (one object a line) are expected")
    if text.lstrip().startswith("{"):
        return _Layout("jsonl", encoding)
    delimiter, header = _header(text, contract)
    columns, unknown = _match(header, contract)
    lines = _filter(begin, contract, delimiter, header) if encoding == "utf-8" else None
    return _Layout("csv", encoding, delimiter, header, columns, unknown, lines)


def _filter(begin: bytes, contract: NamedFields, delimiter: str, header: tuple[str, ...]) -> LineFilter | None:
    """Make the filter of a file whose header is a line of its own."""
    first, ending, _ = begin[:HEAD].partition(b"\n")
    line = first.removesuffix(b"\r")
    if not ending or b"\r" in line or b"\0" in line:
        return None
    return LineFilter.of(fields_of(header, contract), delimiter, "\r\n" if line != first else "\n")


def fields_of(header: tuple[str, ...], contract: NamedFields) -> list[Any]:
    """Give the contract's field of each column; None for one that it does not know."""
    known = {field.name: field for field in contract.fields}
    return [known.get(_normal(name)) for name in header]


def _is_binary(head: bytes) -> bool:
    control = len(head) - len(head.translate(None, CONTROL))
    return control > len(head) / 100 + 8


def _header(text: str, contract: NamedFields) -> tuple[str, tuple[str, ...]]:
    import csv
    import re

    line = re.split(r"\r\n|\n|\r", text, maxsplit=1)[0].replace("\0", "")
    known = {field.name for field in contract.fields}
    for delimiter in (*DELIMITERS, *OTHER_DELIMITERS):
        names = next(csv.reader([line], delimiter=delimiter), [])
        if len({_normal(name) for name in names} & known) >= min(2, len(known)):
            if delimiter in OTHER_DELIMITERS:
                raise Refused(
                    f"the columns are separated by {OTHER_DELIMITERS[delimiter]} ({delimiter!r}); "
                    "comma or tab is expected"
                )
            return delimiter, tuple(names)
    raise Refused(
        f"the first line names no columns of {contract.source}; expected a header with {', '.join(sorted(known))}"
    )


def _normal(name: str) -> str:
    return name.strip().strip("\ufeff").lower()


def _match(header: tuple[str, ...], contract: NamedFields) -> tuple[dict[str, int], tuple[str, ...]]:
    positions: dict[str, int] = {}
    unknown = []
    known = {field.name for field in contract.fields}
    for position, name in enumerate(header):
        if _normal(name) not in known:
            unknown.append(name.strip())
        elif _normal(name) in positions:
            raise Refused(f"the column {_normal(name)!r} stands twice in the header")
        else:
            positions[_normal(name)] = position
    missing = [field.name for field in contract.fields if field.required and field.name not in positions]
    if missing:
        raise Refused(f"the required column(s) {', '.join(missing)} are missing from the header")
    return positions, tuple(unknown)
