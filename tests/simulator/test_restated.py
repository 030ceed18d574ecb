"""One earlier day of sales is sent again: a few lines changed, gone and new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from shoplake.simulator import World
from shoplake.simulator.dirt import CsvCodec
from shoplake.simulator.restate import restated
from shoplake.simulator.sales import COLUMNS
from tests.simulator.conftest import Small


def test_the_restated_day_has_the_name_of_the_file_that_it_restates(small: Small) -> None:
    (later,) = small.written.files["later/pos"]
    assert later.name in {path.name for path in small.written.files["pos"]}
    assert later.name != small.written.files["pos"][-1].name


def test_few_lines_are_changed_removed_and_added(small: Small) -> None:
    ((name, after),) = small.lines("later/pos").items()
    before = small.lines("pos")[name]
    gone, new = list((Counter(before) - Counter(after)).elements()), list((Counter(after) - Counter(before)).elements())

    def keys(lines: list[str]) -> set[tuple[str, str]]:
        return {(line.split(",")[0], line.split(",")[2]) for line in lines}

    changed = keys(gone) & keys(new)
    removed, added = keys(gone) - keys(new), keys(new) - keys(gone)
    assert changed
    assert removed
    assert added
    assert len(gone) + len(new) < 0.05 * len(before)
    assert not removed & keys(after)
    assert not added & keys(before)


@pytest.mark.parametrize("amount", ["", "abc", "NaN", "€5.00", "-3.00", "1e3"])
def test_a_line_whose_amount_is_none_is_sent_again_as_it_was(amount: str) -> None:
    lines = [f"S{n},1,2,1,{amount if n % 2 else '9.50'},,1767225600" for n in range(600)]
    again = restated(World(), CsvCodec(COLUMNS), lines)
    assert again != lines
    assert [line for line in again if f",{amount},," in line] == lines[1::2]


def test_a_world_of_one_day_restates_that_day(write: Callable[[World, str], Small]) -> None:
    world = World(
        days=1, stores=2, warehouses=1, products=9, sale_lines=90, inventory_rows=50, web_events=20, interactions=20
    )
    written = write(world, "one day")
    ((name, after),) = written.lines("later/pos").items()
    assert Counter(after) != Counter(written.lines("pos")[name])
