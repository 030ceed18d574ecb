"""Two files of one name in one call land as in two calls: the later restates the earlier, and both stay in the lake."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

from shoplake.access.kpi import answer
from shoplake.lake import browse
from shoplake.lake.landing import land, land_inbox
from shoplake.monitoring.status import status
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from shoplake.store.ledger import SourceFile

HEADER = "transaction_id,store_id,product_id,quantity,revenue,discount_applied,timestamp\n"
NOON = 1_772_366_400


def content(lines: int, quantity: int = 1) -> str:
    return HEADER + "".join(f"T{n},1,2,{quantity},10.00,,{NOON + n}\n" for n in range(lines))


def make(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def versions(settings: Settings) -> list[SourceFile]:
    return sorted(browse.list_files(settings, "pos", every_version=True), key=lambda file: file.version)


def test_the_file_given_later_restates_the_one_given_earlier(settings: Settings, tmp_path: Path) -> None:
    first, second = make(tmp_path / "b" / "x.csv", content(5)), make(tmp_path / "a" / "x.csv", content(3))
    found = land(settings, "pos", [first, second])
    assert [(f.file, f.status, f.rows_read, f.rows_landed) for f in found] == [
        ("x.csv", "landed", 5, 5),
        ("x.csv", "restated", 3, 3),
    ]
    assert [(f.version, f.is_active, f.rows_landed) for f in versions(settings)] == [(1, False, 5), (2, True, 3)]
    (restated,) = status(settings)["restatements"]
    assert (restated["rows_removed"], restated["net_sales_moved"]) == (2, "-20.00")
    assert len(browse.show_rows(settings, "pos").rows) == 3
    assert run(settings).published
    assert answer(settings, "total_sales").total.value == 30


def test_one_call_ends_as_two_calls_do(make_home: Callable[..., Settings], tmp_path: Path) -> None:
    files = [make(tmp_path / str(n) / "x.csv", content(n)) for n in (9, 10)]
    once, twice = make_home("once"), make_home("twice")
    land(once, "pos", [f"{tmp_path}/[0-9]*/x.csv"])
    for file in files:
        land(twice, "pos", [file])
    ends = [[(f.file_id, f.is_active, f.rows_landed) for f in versions(home)] for home in (once, twice)]
    assert ends[0] == ends[1]
    assert [rows for _, is_active, rows in ends[0] if is_active] == [10]


def test_the_same_content_plain_and_compressed_counts_once(settings: Settings, tmp_path: Path) -> None:
    make(tmp_path / "in" / "x.csv.gz", content(4))
    make(tmp_path / "in" / "x.csv", content(4))
    assert [f.status for f in land(settings, "pos", [tmp_path / "in"])] == ["landed", "unchanged"]
    assert len(versions(settings)) == 1


def test_other_content_compressed_restates_the_plain_file(settings: Settings, tmp_path: Path) -> None:
    make(tmp_path / "in" / "x.csv.gz", content(6))
    make(tmp_path / "in" / "x.csv", content(4))
    assert [(f.status, f.rows_landed) for f in land(settings, "pos", [tmp_path / "in"])] == [
        ("landed", 4),
        ("restated", 6),
    ]


def test_a_second_file_that_cannot_be_read_leaves_the_first_in_force(settings: Settings) -> None:
    inbox = settings.home / "landing" / "pos"
    landed, refused = make(inbox / "x.csv", content(4)), make(inbox / "x.csv.gz", content(6))
    refused.write_bytes(refused.read_bytes()[:-20])
    assert [f.status for f in land_inbox(settings)] == ["landed", "refused"]
    assert [(f.status, f.is_active) for f in versions(settings)] == [("landed", True), ("refused", False)]
    assert not landed.exists()
    assert refused.exists()


def test_files_of_one_name_below_one_folder_are_two_files(settings: Settings, tmp_path: Path) -> None:
    make(tmp_path / "in" / "a" / "x.csv", content(5))
    make(tmp_path / "in" / "b" / "x.csv", content(3))
    assert [(f.file, f.status) for f in land(settings, "pos", [tmp_path / "in"])] == [
        ("a/x.csv", "landed"),
        ("b/x.csv", "landed"),
    ]
