"""Each kind of odd or broken file has its fate, and nothing of it is lost."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from shoplake.lake.landing import LandedFile, land
from shoplake.lake.quarantine import list_rows, replay
from shoplake.settings import Settings
from shoplake.store.ledger import SourceFile

NOON = 1_772_366_400
CLOCK = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp"
ROWS = [f"T{n},1,{n},2,9.99,,{NOON}" for n in range(40)]
TEXT = "\n".join([HEADER, *ROWS]) + "\n"
REVERSED = "\n".join(",".join(reversed(line.split(","))) for line in [HEADER, *ROWS]) + "\n"
UNKNOWN = "\n".join([f"{HEADER},email", *(f"{row},a@b.c" for row in ROWS)]) + "\n"
WITHOUT_DISCOUNT = TEXT.replace(",discount_applied", "").replace(",9.99,,", ",9.99,")
QUOTED = "\n".join([HEADER, *(f'"T\n{n}",1,{n},2,9.99,,{NOON}' for n in range(40))]) + "\n"


def parquet(path: Path) -> None:
    columns = dict(zip(HEADER.split(","), zip(*(r.split(",") for r in ROWS), strict=True), strict=True))
    typed = {name: pa.array([v or None for v in values]) for name, values in columns.items()}
    pq.write_table(pa.table(typed), path)


GOOD: dict[str, bytes | Callable[[Path], None]] = {
    "plain.csv": TEXT.encode(),
    "byte_order_mark.csv": b"\xef\xbb\xbf" + TEXT.encode(),
    "carriage_returns.csv": TEXT.replace("\n", "\r\n").encode(),
    "old_mac_endings.csv": TEXT.replace("\n", "\r").encode(),
    "mixed_endings.csv": TEXT.replace("\n", "\r\n", 20).encode(),
    "utf16.csv": TEXT.encode("utf-16"),
    "no_final_newline.csv": TEXT.rstrip("\n").encode(),
    "blank_lines.csv": TEXT.replace("\n", "\n\n").encode(),
    "columns_in_another_order.csv": REVERSED.encode(),
    "header_in_upper_case.csv": TEXT.replace(HEADER, HEADER.upper()).encode(),
    "spaces_in_the_header.csv": TEXT.replace(HEADER, HEADER.replace(",", " , ")).encode(),
    "tabs.tsv": TEXT.replace(",", "\t").encode(),
    "gzip_named.csv": gzip.compress(TEXT.encode()),
    "gzip.csv.gz": gzip.compress(TEXT.encode()),
    "two_gzip_members.csv.gz": gzip.compress(TEXT[:500].encode()) + gzip.compress(TEXT[500:].encode()),
    "zstd.csv.zst": zstandard.compress(TEXT.encode()),
    "quoted_newlines.csv": QUOTED.encode(),
    "a_column_more.csv": UNKNOWN.encode(),
    "an_optional_column_less.csv": WITHOUT_DISCOUNT.encode(),
    "columns.parquet": parquet,
}
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty.csv": (b"", "empty"),
    "no_header.csv": ("\n".join(ROWS).encode(), "names no columns"),
    "semicolons.csv": (TEXT.replace(",", ";").encode(), "semicolon"),
    "pipes.csv": (TEXT.replace(",", "|").encode(), "pipe"),
    "a_required_column_less.csv": (TEXT.replace("quantity,", "").encode(), "quantity"),
    "a_column_twice.csv": (TEXT.replace("store_id", "product_id", 1).encode(), "twice"),
    "binary.csv": (bytes(range(256)) * 40, "binary"),
    "cut_off.csv.gz": (gzip.compress(TEXT.encode())[:-40], "damaged or cut off"),
    "cut_off.csv.zst": (zstandard.compress(TEXT.encode())[:-40], "damaged or cut off"),
    "array.json": (b'[{"transaction_id": "T"}]', "JSON array"),
    "cut_off.parquet": (b"PAR1" + b"\0" * 100, "Parquet"),
    "empty.csv.gz": (gzip.compress(b""), "empty"),
}


def offer(settings: Settings, path: Path, *, accept: bool = False) -> LandedFile:
    (found,) = land(settings, "pos", [path], accept=accept, clock=lambda: CLOCK)
    assert found.rows_read == found.rows_landed + found.rows_quarantined + found.rows_duplicate
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One home for all files: each has a name of its own."""
    from shoplake.pipeline.init import init_home
    from shoplake.settings import load_settings

    settings = load_settings(tmp_path_factory.mktemp("files") / "home")
    init_home(settings)
    return settings


@pytest.mark.parametrize("name", GOOD)
def test_a_readable_file_lands_whole(home: Settings, tmp_path: Path, name: str) -> None:
    path, content = tmp_path / name, GOOD[name]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    found = offer(home, path)
    assert (found.status, found.rows_landed, found.rows_quarantined) == ("landed", 40, 0)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_with_one_reason(home: Settings, tmp_path: Path, name: str) -> None:
    content, why = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content)
    found = offer(home, path)
    assert (found.status, found.rows_read) == ("refused", 0)
    (reason,) = found.reasons
    assert why in reason


def test_a_file_of_a_header_alone_lands_without_rows(home: Settings, tmp_path: Path) -> None:
    path = tmp_path / "header_only.csv"
    path.write_text(HEADER + "\n", encoding="utf-8")
    found = offer(home, path)
    assert (found.status, found.rows_read) == ("landed", 0)


def test_a_last_line_that_is_cut_off_waits_alone(home: Settings, tmp_path: Path) -> None:
    path = tmp_path / "cut_off_line.csv"
    path.write_text(TEXT + "T99,1,2", encoding="utf-8")
    found = offer(home, path)
    assert (found.rows_landed, found.reasons) == (40, {"wrong_number_of_fields": 1})


def test_a_line_of_ten_megabytes_waits_alone(home: Settings, tmp_path: Path) -> None:
    path = tmp_path / "long_line.csv"
    path.write_text(TEXT + "T" * 10_000_000 + f",1,2,3,9.99,,{NOON}\n", encoding="utf-8")
    found = offer(home, path)
    assert (found.rows_landed, found.reasons) == (40, {"line_too_long": 1})


def test_bytes_that_are_no_text_wait_alone(home: Settings, tmp_path: Path) -> None:
    path = tmp_path / "latin1.csv"
    path.write_bytes(TEXT.encode() + f"Käse,1,2,3,9.99,,{NOON}\n".encode("latin-1"))
    found = offer(home, path)
    assert (found.rows_landed, found.reasons) == (40, {"not_utf8": 1})


def test_a_file_with_too_many_bad_rows_waits_whole_until_a_person_lands_it(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "pos.csv"
    path.write_text(TEXT + "".join(f"B{n},1,x,2,9.99,,{NOON}\n" for n in range(10)), encoding="utf-8")
    found = offer(settings, path)
    assert (found.status, found.rows_landed, found.rows_quarantined) == ("failed", 0, 50)
    assert offer(settings, path).status == "failed"
    assert len(list_rows(settings)) == 10

    (still,) = replay(settings, now=CLOCK)
    assert (still.status, still.rows_landed) == ("failed", 0)
    (landed,) = replay(settings, file="pos.csv", accept=True, now=CLOCK)
    assert (landed.status, landed.rows_landed, landed.rows_quarantined) == ("landed", 40, 10)
    assert offer(settings, path).status == "unchanged"


def test_an_edited_row_lands_once(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "pos.csv"
    path.write_text(TEXT + f"B,1,x,2,9.99,,{NOON}\n", encoding="utf-8")
    assert offer(settings, path).rows_quarantined == 1
    (row,) = list_rows(settings)
    edited = {row.id: f"B,1,77,2,9.99,,{NOON}"}
    (done,) = replay(settings, edits=edited, now=CLOCK)
    assert (done.rows_landed, done.rows_quarantined) == (1, 0)
    assert list_rows(settings) == []
    assert replay(settings, now=CLOCK) == []
    (again,) = land(settings, "pos", [path], clock=lambda: CLOCK)
    assert (again.status, again.rows_landed, again.rows_quarantined) == ("unchanged", 41, 0)


def test_an_edited_row_that_equals_a_landed_one_is_a_duplicate(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "pos.csv"
    path.write_text(TEXT + f"B,1,x,2,9.99,,{NOON}\n", encoding="utf-8")
    offer(settings, path)
    (row,) = list_rows(settings)
    (done,) = replay(settings, edits={row.id: ROWS[3]}, now=CLOCK)
    assert (done.rows_landed, done.rows_duplicate, done.rows_quarantined) == (0, 1, 0)


def test_other_content_under_a_name_restates_and_the_difference_is_on_record(
    settings: Settings, tmp_path: Path
) -> None:
    from shoplake.monitoring.status import status

    path = tmp_path / "pos.csv"
    path.write_text(TEXT, encoding="utf-8")
    offer(settings, path)
    changed = TEXT.replace("T5,1,5,2,9.99", "T5,1,5,2,19.99").replace(f"{ROWS[7]}\n", "") + f"N,1,2,3,5,1,{NOON}\n"
    path.write_text(changed, encoding="utf-8")
    found = offer(settings, path)
    assert (found.status, found.rows_landed) == ("restated", 40)
    (difference,) = status(settings)["restatements"]
    assert difference == {
        "source": "pos",
        "file": "pos.csv",
        "rows_added": 1,
        "rows_removed": 1,
        "rows_changed": 1,
        "net_sales_moved": "4.01",
    }
    path.write_text(TEXT, encoding="utf-8")
    assert (offer(settings, path).status, active(settings)[0].rows_landed) == ("restated", 40)


def active(settings: Settings) -> list[SourceFile]:
    from shoplake.lake.browse import list_files

    return list_files(settings, "pos")
