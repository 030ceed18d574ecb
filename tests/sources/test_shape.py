"""A file is known by its bytes: what can be read is described, what cannot is refused with the reason."""

from __future__ import annotations

import gzip
import hashlib
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoplake.sources.shape import Refused, opened
from tests.sources.rows import HEADER, WEB, look_at, sale

SALES = f"{HEADER}\n{sale('T1')}\n{sale('T2')}\n"
SEMICOLONS, PIPES, TABS = (SALES.replace(",", delimiter) for delimiter in ";|\t")
MANY = f"{HEADER}\n" + "".join(sale(str(random.Random(n).random())) + "\n" for n in range(5000))  # noqa: S311


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


def test_a_plain_file_is_described(tmp_path: Path) -> None:
    shape = look_at(tmp_path, SALES)
    assert (shape.format, shape.compression, shape.encoding, shape.delimiter) == ("csv", "none", "utf-8", ",")
    assert (shape.rows, shape.size, shape.reading, shape.has_quotes) == (2, len(SALES), "typed", False)
    assert shape.odd == ()
    assert shape.content_hash == hashlib.sha256(SALES.encode()).hexdigest()
    assert shape.columns["timestamp"] == 6
    assert shape.unknown == ()


@pytest.mark.parametrize(
    ("content", "rows", "odd"),
    [
        pytest.param(HEADER, 0, [], id="header only, without newline"),
        pytest.param(f"{HEADER}\r\n", 0, [], id="header only with CRLF"),
        pytest.param(SALES.rstrip("\n"), 2, [], id="no final newline"),
        pytest.param(SALES.replace("\n", "\r\n"), 2, [], id="CRLF"),
        pytest.param(SALES + "\n", 3, [4], id="blank line at the end"),
        pytest.param(SALES.replace("T2", "T\x002"), 2, [3], id="NUL"),
        pytest.param(SALES.replace("T2", "Köln"), 2, [], id="UTF-8"),
        pytest.param(SALES.replace("T2", "Köln").encode("latin-1"), 2, [3], id="Latin-1"),
        pytest.param(b"\xef\xbb\xbf" + SALES.encode(), 2, [], id="BOM"),
        pytest.param(SALES.replace("T1,", " T1,"), 2, [2], id="a space to trim"),
        pytest.param(SALES.replace("T1,", '"T,1",'), 2, [], id="a comma in quotes"),
        pytest.param(SALES.replace("T1,", "T1,7,"), 2, [2], id="a field too many"),
        pytest.param(SALES[:-13], 2, [3], id="cut off within a row"),
        pytest.param(SALES.replace("\n", "\r\n", 1), 2, [2, 3], id="mixed endings"),
        pytest.param(f"{HEADER}\n{'x' * (1 << 21)},1,2,1,9.99,,0\n{sale('T2')}\n", 2, [2], id="a line of 2 MB"),
    ],
)
def test_the_lines_of_a_file_are_plain_or_odd(tmp_path: Path, content: str | bytes, rows: int, odd: list[int]) -> None:
    shape = look_at(tmp_path, content)
    assert shape.reading == ("careful" if content == HEADER else "typed")
    assert (shape.rows, [number for number, _ in shape.odd]) == (rows, odd)
    assert shape.columns["transaction_id"] == 0


REPAIRS = f"{sale('T1').replace('T1,', 'T1,0')}\n" * 1200


@pytest.mark.parametrize(
    ("content", "reading", "odd"),
    [
        pytest.param(SALES.replace("\n", "\r"), "careful", [], id="endings of old Macs"),
        pytest.param(SALES.replace("T2", '"T\n2"'), "careful", [], id="a line break in quotes"),
        pytest.param(SALES.replace("T2", 'T 2"'), "careful", [], id="an inch sign"),
        pytest.param(f"{HEADER}\n{REPAIRS}", "text", [], id="all to be repaired"),
        pytest.param(f"{HEADER}\n{REPAIRS}T1,2\n{REPAIRS}", "text", [1202], id="all to be repaired, one ragged"),
    ],
)
def test_a_file_that_is_odd_throughout_is_read_in_another_way(
    tmp_path: Path, content: str, reading: str, odd: list[int]
) -> None:
    shape = look_at(tmp_path, content)
    assert (shape.reading, [number for number, _ in shape.odd]) == (reading, odd)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_what_the_end_of_a_block_cuts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("shoplake.sources.shape.BLOCK", size)
    monkeypatch.setattr("shoplake.sources.shape.HEAD", len(HEADER) + 2)
    content = f"{HEADER}\r\n" + "".join(sale("Größe 😀") + "\r\n" for _ in range(50))
    shape = look_at(tmp_path, content)
    assert (shape.reading, shape.rows, shape.odd) == ("typed", 50, ())
    damaged = look_at(tmp_path, content.encode()[:-3] + b"\xff\r\n")
    assert (damaged.reading, [number for number, _ in damaged.odd]) == ("typed", [51])


def test_columns_are_found_by_name_in_any_order_case_and_quotes(tmp_path: Path) -> None:
    header = '"Timestamp", REVENUE ,till,quantity,product_id,store_id,Transaction_ID'
    shape = look_at(tmp_path, f"{header}\n")
    assert shape.columns == {
        "timestamp": 0,
        "revenue": 1,
        "quantity": 3,
        "product_id": 4,
        "store_id": 5,
        "transaction_id": 6,
    }
    assert shape.unknown == ("till",)


def test_tabs_separate_as_well(tmp_path: Path) -> None:
    shape = look_at(tmp_path, TABS)
    assert (shape.delimiter, shape.rows) == ("\t", 2)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark(tmp_path: Path, encoding: str) -> None:
    shape = look_at(tmp_path, ("\ufeff" + SALES).encode(encoding))
    assert (shape.encoding, shape.reading) == (encoding, "careful")
    assert shape.columns["transaction_id"] == 0


@pytest.mark.parametrize(("kind", "squeeze"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_a_compressed_file_is_known_by_its_content_and_not_by_its_name(
    tmp_path: Path, kind: str, squeeze: object
) -> None:
    assert callable(squeeze)
    shape, plain = look_at(tmp_path, squeeze(SALES.encode())), look_at(tmp_path, SALES)
    assert shape.path.suffix == ""
    assert (shape.compression, plain.compression) == (kind, "none")
    assert (shape.content_hash, shape.size, shape.rows) == (plain.content_hash, plain.size, plain.rows)


@pytest.mark.parametrize("squeeze", [gzip.compress, zstd])
def test_compressed_parts_that_were_joined_are_read_to_the_end(tmp_path: Path, squeeze: object) -> None:
    assert callable(squeeze)
    joined = squeeze(SALES.encode()) + squeeze(f"{sale('T3')}\n".encode())
    assert look_at(tmp_path, joined).rows == 3


@pytest.mark.parametrize(("kind", "squeeze"), [("gzip", gzip.compress), ("zstd", zstd)])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_a_compressed_file_that_is_cut_off_is_refused(tmp_path: Path, kind: str, squeeze: object, kept: float) -> None:
    assert callable(squeeze)
    data = squeeze(MANY.encode())
    with pytest.raises(Refused, match=f"{kind} file is damaged or cut off"):
        look_at(tmp_path, data[: int(len(data) * kept)])


def test_a_compressed_file_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(MANY.encode()))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(Refused, match="damaged"):
        look_at(tmp_path, bytes(data))


@pytest.mark.parametrize(("kind", "squeeze"), [("none", bytes), ("gzip", gzip.compress), ("zstd", zstd)])
def test_an_opened_file_gives_its_lines_and_its_blocks(tmp_path: Path, kind: str, squeeze: object) -> None:
    assert callable(squeeze)
    path = tmp_path / "file"
    path.write_bytes(squeeze(MANY.encode()))
    with opened(path, kind) as stream:
        assert b"".join(stream) == MANY.encode()
    with opened(path, kind) as stream:
        assert b"".join(iter(lambda: stream.read(1000), b"")) == MANY.encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(gzip.compress(b""), "empty", id="empty gzip"),
        pytest.param(b"\xef\xbb\xbf", "names no columns", id="BOM only"),
        pytest.param("\n\n\n", "names no columns", id="blank lines only"),
        pytest.param(f"{sale('T1')}\n{sale('T2')}\n", "names no columns of pos", id="no header"),
        pytest.param("a,b,c\n1,2,3\n", "expected a header with .*transaction_id", id="another file's header"),
        pytest.param(SEMICOLONS, "separated by semicolon", id="semicolons"),
        pytest.param(PIPES, "separated by pipe", id="pipes"),
        pytest.param(f"{HEADER},Store_ID\n", "'store_id' stands twice", id="a column twice"),
        pytest.param("transaction_id,store_id\n", "revenue.* missing from the header", id="columns missing"),
        pytest.param(bytes(range(256)) * 8, "binary", id="binary"),
        pytest.param(b"PK\x03\x04" + bytes(2000), "binary", id="zip"),
        pytest.param(SALES.encode("utf-16-le"), "binary", id="UTF-16 without its mark"),
        pytest.param(gzip.compress(gzip.compress(SALES.encode())), "binary", id="gzip in gzip"),
        pytest.param(gzip.compress(b"PAR1" + bytes(100)), "Parquet compresses itself", id="Parquet in gzip"),
        pytest.param('[{"session_id": "s"}]', "JSON array", id="JSON array"),
        pytest.param('  \n [\n{"session_id": "s"}]', "JSON array", id="JSON array after white space"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, content: str | bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        look_at(tmp_path, content)


@pytest.mark.parametrize("start", ["", "\ufeff", "\n  "])
def test_json_lines_are_known_by_their_first_brace(tmp_path: Path, start: str) -> None:
    shape = look_at(tmp_path, start + '{"session_id": "s"}\n', WEB)
    assert (shape.format, shape.reading) == ("jsonl", "careful")


def test_parquet_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"transaction_id": ["T1"]}), tmp_path / "file")
    assert look_at(tmp_path, (tmp_path / "file").read_bytes()).format == "parquet"
