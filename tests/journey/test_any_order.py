"""Any order and any split of the same files ends in the same tables as one full build."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shoplake.lake.landing import land
from shoplake.pipeline.run import run
from tests.journey.world import COLUMNS, differences, home_in, relaxed, rows, tables, write


def scenario(data: st.DataObject, folder: Path) -> None:
    """Land drawn rows in drawn pieces, order and runs; then the same rows as one file a source in another home."""
    pieces: list[tuple[str, str, list[dict[str, Any]]]] = []
    final: dict[str, list[dict[str, Any]]] = {}
    for source in COLUMNS:
        drawn = data.draw(rows(source), label=source)
        final[source] = drawn
        cut = data.draw(st.integers(0, len(drawn)), label="cut")
        late = data.draw(st.integers(cut, len(drawn)), label="late")
        parts = {"a": drawn[:cut], "b": drawn[cut:late], "c": drawn[late:]}
        pieces += [(source, name, part) for name, part in parts.items() if part]
        if data.draw(st.booleans(), label="restated"):
            # An earlier version of one piece, with rows that its restatement takes back.
            pieces.insert(0, (source, "a", data.draw(rows(source), label="withdrawn")))
            pieces = [p for p in pieces if p[:2] != (source, "a")] + [
                next(p for p in pieces if p[:2] == (source, "a")),
                (source, "a", parts["a"] or drawn),
            ]
    restated = {p[:2] for p in pieces if sum(q[:2] == p[:2] for q in pieces) > 1}
    firsts = [p for p in pieces if p[:2] not in restated]
    order = data.draw(st.permutations(firsts), label="order")
    pairs = [p for p in pieces if p[:2] in restated]

    piecewise = home_in(folder / "piecewise")
    for number, (source, name, part) in enumerate([*pairs[::2], *order, *pairs[1::2]]):
        land(piecewise, source, [str(write(folder / "in" / str(number), source, name, part))])
        if data.draw(st.sampled_from([True, False, False]), label="run now"):
            run(piecewise)
    run(piecewise)

    whole = home_in(folder / "whole")
    for source, content in final.items():
        land(whole, source, [str(write(folder / "all", source, "all", content))])
    run(whole)
    assert differences(tables(piecewise), tables(whole)) == {}

    rebuilt = run(piecewise, rebuild=True)
    assert rebuilt.published
    assert differences(tables(piecewise), tables(whole)) == {}


@given(data=st.data())
@hypothesis_settings(relaxed, max_examples=2)
def test_any_order_and_split_ends_in_the_tables_of_one_full_build(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scenario(data, Path(folder))


@pytest.mark.proof
@given(data=st.data())
@hypothesis_settings(relaxed, max_examples=150)
def test_any_order_and_split_at_length(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scenario(data, Path(folder))
