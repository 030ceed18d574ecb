from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.contenders import FLOOR, DataSet, WrongSumsError
from bench.data import write_sales


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    return DataSet(tmp_path / "sales", tmp_path / "references", write_sales(tmp_path / "sales", 1500, days=3))


def test_the_floor_says_the_sums_of_the_data_and_leaves_nothing_behind(tmp_path: Path, data: DataSet) -> None:
    work = tmp_path / "work"
    work.mkdir()
    outcome = FLOOR.run(data, work)
    assert outcome.net_total == data.truth.net_total
    assert 0 < outcome.land_seconds < outcome.total_seconds
    assert list(work.iterdir()) == []


def test_a_contender_with_a_wrong_cent_is_refused(tmp_path: Path, data: DataSet) -> None:
    wrong = replace(data, truth=replace(data.truth, net_total="0.01"))
    with pytest.raises(WrongSumsError, match="floor says"):
        FLOOR.run(wrong, tmp_path)


def test_the_floor_is_encrypted(tmp_path: Path, data: DataSet) -> None:
    from bench.floor import main

    main(data.folder, tmp_path)
    for name in ("lake", "fact", "store_day", "product_day"):
        assert (tmp_path / f"{name}.parquet").read_bytes()[:4] == b"PARE"
