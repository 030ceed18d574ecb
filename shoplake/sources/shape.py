"""Looks at a file before anything is made of it: what it is, by its bytes and not by its name."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Protocol

Format = Literal["csv", "jsonl", "parquet"]
BLOCK = 8 << 20
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
    compression: Literal["none", "gzip", "zstd"]
    encoding: str
    content_hash: str
    """SHA-256 of the uncompressed content."""
    size: int
    """Uncompressed bytes."""
    rows: int
    """Rows of a plain file: its lines less the header."""
    is_plain: bool
    """Each row is one line of well-formed UTF-8 with the same ending: DuckDB may read it."""
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
    with path.open("rb") as file:
        head = file.read(len(ZSTD))
    if not head:
        raise Refused("the file is empty (0 bytes)")
    compression: Literal["none", "gzip", "zstd"] = "none"
    if head.startswith(GZIP):
        compression = "gzip"
    elif head.startswith(ZSTD):
        compression = "zstd"
    scan = _Scan()
    try:
        with opened(path, compression) as stream:
            while block := stream.read(BLOCK):
                scan.add(block)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"the {compression} file is damaged or cut off") from error
    return _shape(path, compression, scan, contract)


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


class _Scan:
    """What one pass over the content tells."""

    def __init__(self) -> None:
        self.hash, self.size, self.head = hashlib.sha256(), 0, b""
        self.newlines = self.returns = self.pairs = self.quotes = 0
        self.has_nul, self.is_utf8, self.has_blank_line = False, True, False
        self.last, self._rest = b"", b""

    def add(self, block: bytes) -> None:
        self.hash.update(block)
        self.size += len(block)
        if len(self.head) < HEAD:
            self.head += block[: HEAD - len(self.head)]
        joined = self.last[-1:] + block
        self.newlines += block.count(b"\n")
        if b"\r" in block or self.last.endswith(b"\r"):
            self.returns += block.count(b"\r")
            self.pairs += joined.count(b"\r\n")
        self.has_blank_line |= b"\n\n" in joined or b"\n\r\n" in joined
        self.quotes += block.count(b'"')
        self.has_nul |= b"\0" in block
        if self.is_utf8 and not (block.isascii() and not self._rest):
            self._decode(block)
        self.last = (self.last + block)[-2:]

    def _decode(self, block: bytes) -> None:
        data = self._rest + block
        try:
            data.decode("utf-8")
            self._rest = b""
        except UnicodeDecodeError as error:
            # A character may be cut by the end of the block: it is finished by the next one.
            is_cut = error.reason == "unexpected end of data" and len(data) - error.start < 4  # noqa: PLR2004
            self._rest = data[error.start :] if is_cut else b""
            self.is_utf8 = is_cut

    @property
    def lines(self) -> int:
        return self.newlines + (0 if self.last.endswith(b"\n") else 1)

    @property
    def is_plain(self) -> bool:
        whole = self.is_utf8 and not self._rest and not self.has_nul and not self.has_blank_line
        return whole and (self.returns == 0 or self.returns == self.pairs == self.newlines)


def _shape(path: Path, compression: Literal["none", "gzip", "zstd"], scan: _Scan, contract: NamedFields) -> Shape:
    head = scan.head
    common: dict[str, Any] = {
        "path": path,
        "compression": compression,
        "content_hash": scan.hash.hexdigest(),
        "size": scan.size,
    }
    if scan.size == 0:
        raise Refused("the file is empty (0 bytes)")
    if head.startswith(PARQUET):
        if compression != "none":
            raise Refused("a compressed Parquet file cannot be read: Parquet compresses itself")
        return Shape(format="parquet", encoding="binary", rows=0, is_plain=True, **common)
    encoding = UTF16.get(head[:2]) or "utf-8"
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    if encoding == "utf-8" and _is_binary(head):
        raise Refused("the file is binary, not CSV, TSV, JSON Lines or Parquet")
    if text.lstrip().startswith("["):
        raise Refused("the file is one JSON array; JSON Lines (one object a line) are expected")
    if text.lstrip().startswith("{"):
        return Shape(format="jsonl", encoding=encoding, rows=scan.lines, is_plain=False, **common)
    delimiter, header = _header(text, contract)
    columns, unknown = _match(header, contract)
    return Shape(
        format="csv",
        encoding=encoding,
        rows=max(scan.lines - 1, 0),
        is_plain=scan.is_plain and encoding == "utf-8",
        has_quotes=scan.quotes > 0,
        delimiter=delimiter,
        header=header,
        columns=columns,
        unknown=unknown,
        **common,
    )


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
