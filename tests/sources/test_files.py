"""People name files, folders and globs; each file is found once, in the order a person would list them."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoplake.errors import InputError
from shoplake.sources.files import find_files, logical_name, natural_key


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def names(*paths: str | Path) -> list[str]:
    return [file.logical_name for file in find_files(paths)]


def test_numbers_in_names_sort_by_their_value(tmp_path: Path) -> None:
    make(tmp_path, "day10.csv", "day9.csv", "day1.csv", "Day2.csv", "other.csv")
    assert names(tmp_path) == ["Day2.csv", "day1.csv", "day9.csv", "day10.csv", "other.csv"]


def test_names_of_digits_and_of_letters_can_be_compared() -> None:
    given = ["10", "a", "9b", "", "a10", "a9", "a9b1"]
    assert sorted(given, key=natural_key) == ["", "9b", "10", "a", "a9", "a9b1", "a10"]


def test_a_file_in_a_named_folder_is_known_by_its_path_below_it(tmp_path: Path) -> None:
    make(tmp_path, "2026/01/sales.csv", "2026/02/sales.csv")
    assert names(tmp_path) == ["2026/01/sales.csv", "2026/02/sales.csv"]
    assert names(tmp_path / "2026" / "01") == ["sales.csv"]
    assert names(tmp_path / "2026" / "02" / "sales.csv") == ["sales.csv"]


def test_a_glob_finds_files_and_folders(tmp_path: Path) -> None:
    make(tmp_path, "pos-01.csv", "pos-02.csv", "stock.csv", "pos-more/3.csv", "deep/er/pos-4.csv")
    assert names(f"{tmp_path}/pos-*.csv") == ["pos-01.csv", "pos-02.csv"]
    assert names(f"{tmp_path}/pos-m*") == ["3.csv"]
    assert names(f"{tmp_path}/**/pos-4.csv") == ["pos-4.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    make(tmp_path, "sales[1].csv", "sales1.csv")
    assert names(tmp_path / "sales[1].csv") == ["sales[1].csv"]


def test_hidden_files_and_folders_are_left_out_unless_named(tmp_path: Path) -> None:
    make(tmp_path, ".partial.csv", ".git/config.csv", "in/.tmp/x.csv", "seen.csv")
    assert names(tmp_path) == ["seen.csv"]
    assert names(f"{tmp_path}/*.csv") == ["seen.csv"]
    assert names(tmp_path / ".partial.csv") == [".partial.csv"]


def test_a_folder_that_is_hidden_itself_is_read_when_named(tmp_path: Path) -> None:
    make(tmp_path, ".inbox/x.csv")
    assert names(tmp_path / ".inbox") == ["x.csv"]


def test_a_file_named_in_several_ways_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.csv")
    monkeypatch.chdir(tmp_path)
    found = find_files(["a.csv", "./a.csv", tmp_path / "a.csv", tmp_path, "*.csv"])
    assert [file.path for file in found] == [tmp_path / "a.csv"]


@pytest.mark.parametrize("ending", [".gz", ".GZ", ".gzip", ".zst", ".zstd"])
def test_the_ending_of_a_compression_is_no_part_of_the_name(ending: str) -> None:
    assert logical_name(f"sales.csv{ending}") == "sales.csv"


@pytest.mark.parametrize("name", ["sales.csv", "sales.gz.csv", "gz", "sales.zip"])
def test_any_other_ending_is_part_of_the_name(name: str) -> None:
    assert logical_name(name) == name


def test_files_of_one_name_come_in_the_order_given_then_in_that_of_their_paths(tmp_path: Path) -> None:
    make(tmp_path, "a/x.csv", "b/x.csv", "v10/x.csv", "v9/x.csv", "v9/x.csv.gz", "a/w.csv")

    def order(*paths: str) -> list[str]:
        return [f.path.relative_to(tmp_path).as_posix() for f in find_files([f"{tmp_path}/{path}" for path in paths])]

    assert order("a/x.csv", "b/x.csv") == ["a/x.csv", "b/x.csv"]
    assert order("b/x.csv", "a") == ["a/w.csv", "b/x.csv", "a/x.csv"]
    assert order("v*/x.csv*") == ["v9/x.csv", "v9/x.csv.gz", "v10/x.csv"]
    assert order("v9") == ["v9/x.csv", "v9/x.csv.gz"]


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert find_files([tmp_path]) == []


def test_a_path_to_nothing_is_an_error_that_names_it(tmp_path: Path) -> None:
    make(tmp_path, "a.csv")
    with pytest.raises(InputError, match="no_such_file"):
        find_files([tmp_path / "a.csv", tmp_path / "no_such_file.csv"])
    with pytest.raises(InputError, match=r"no_\*"):
        find_files([f"{tmp_path}/no_*.csv"])
