"""The load client counts what a real server answers."""

from __future__ import annotations

import random

from bench.collector.__main__ import _bare, _event
from bench.collector.load import Load, run
from bench.measure import cpu_seconds


def test_every_request_is_answered_and_counted() -> None:
    with _bare() as (port, pid):
        found = run(Load(port, "/", "none", [_event(random.Random(1))], 4, 60, requests=500))
        assert cpu_seconds(pid) > 0
    assert 500 <= found.requests <= 504
    assert found.failures == 0
    assert found.per_second > 0
