"""From a request to a fact in the warehouse: what came over HTTP counts as what came in a file."""

from __future__ import annotations

import json
from pathlib import Path

from shoplake.access.sql import query
from shoplake.collector.drain import drain
from shoplake.lake.landing import land
from shoplake.pipeline.run import run
from shoplake.settings import Settings
from tests.collector.running import Running, add_producer, event, ndjson

FACTS = "select page, count(*), count(customer_key) from warehouse.fct_web_events group by all order by all"


def test_events_over_http_and_in_a_file_count_alike(settings: Settings, tmp_path: Path) -> None:
    sent = [event(n, page=f"/{n % 3}", event_id=f"e{n}") for n in range(60)]
    with Running(settings, add_producer(settings)) as running:
        for start in range(0, 60, 20):
            rows = sent[start : start + 20]
            assert running.send(ndjson(rows)).json()["accepted"] == 20
            assert running.send(ndjson(rows)).json()["duplicates"] == 20
        assert sum(file.rows_landed for file in drain(settings)) == 60
    path = tmp_path / "web.jsonl"
    path.write_text("\n".join(json.dumps(event(n, page="/file")) for n in range(60, 80)) + "\n", encoding="utf-8")
    land(settings, "web_events", [path])
    assert run(settings).published
    assert query(settings, FACTS).rows == [(page, 20, 20) for page in ("/0", "/1", "/2", "/file")]
