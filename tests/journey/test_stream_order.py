"""Events in any order, split into rounds, repeated and late, with merges between: the tables of one full build."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shoplake.lake import merging
from shoplake.lake.landing import land
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.pipeline.run import run
from shoplake.pipeline.stream import Stream
from shoplake.settings import Settings
from shoplake.sources.partitions import joined
from shoplake.store.ledger import StreamRange
from tests.journey.world import DAY, FIRST, differences, home_in, relaxed, rows, tables, write

SOURCES = ("web_events", "interactions")
AT_ONCE = FIRST + 4 * DAY
"""When everything arrives: most of what is drawn is late by then, and lands all the same."""


def land_batch(settings: Settings, source: str, first: int, events: list[dict[str, Any]]) -> None:
    lines = [json.dumps(event).encode() for event in events]
    where = StreamRange(f"spool/cafe/{source}", 0, first, first + len(lines))
    with StreamLander(settings, source) as lander:
        lander.land(StreamBatch(where, joined(lines), dt.datetime.fromtimestamp(AT_ONCE, dt.UTC)))


def scenario(data: st.DataObject, folder: Path) -> None:
    """Land drawn events in drawn batches with rounds and runs between; then the same as files of another home."""
    final = {source: data.draw(rows(source), label=source) for source in SOURCES}
    sales = data.draw(rows("pos"), label="pos")
    streamed = home_in(folder / "streamed")
    rounds = Stream(streamed)
    offsets = dict.fromkeys(SOURCES, 0)
    waiting = {source: list(data.draw(st.permutations(events), label="order")) for source, events in final.items()}
    # A producer that had no answer sends some again, in another batch.
    for events in waiting.values():
        events.extend(data.draw(st.lists(st.sampled_from(list(events)), max_size=5), label="again"))
    land(streamed, "pos", [str(write(folder / "sales", "pos", "a", sales[:1]))])
    sales_land = data.draw(st.booleans(), label="sales come between")
    with patch.object(merging, "FANOUT", 2):
        while any(waiting.values()):
            source = data.draw(st.sampled_from([s for s in SOURCES if waiting[s]]), label="source")
            some = data.draw(st.integers(1, 12), label="batch")
            batch, waiting[source] = waiting[source][:some], waiting[source][some:]
            land_batch(streamed, source, offsets[source], batch)
            offsets[source] += len(batch)
            what = data.draw(st.sampled_from(["wait", "wait", "round", "round", "run"]), label="then")
            if what == "round":
                rounds.round()
            if what == "run":
                run(streamed)
            if sales_land and what == "round":
                land(streamed, "pos", [str(write(folder / "sales", "pos", "b", sales[1:] or sales))])
                sales_land = False
        rounds.round()
        land(streamed, "pos", [str(write(folder / "sales", "pos", "b", sales[1:] or sales))])
        run(streamed)

    whole = home_in(folder / "whole")
    for source, events in [*final.items(), ("pos", sales)]:
        land(whole, source, [str(write(folder / "all", source, "all", events))])
    run(whole)
    expected = tables(whole)
    assert differences(tables(streamed), expected) == {}
    run(streamed, rebuild=True)
    assert differences(tables(streamed), expected) == {}


@given(data=st.data())
@hypothesis_settings(relaxed, max_examples=2)
def test_rounds_of_a_stream_end_in_the_tables_of_one_full_build(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scenario(data, Path(folder))


@pytest.mark.proof
@given(data=st.data())
@hypothesis_settings(relaxed, max_examples=100)
def test_rounds_of_a_stream_at_length(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scenario(data, Path(folder))
