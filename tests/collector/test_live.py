"""``GET /v1/live``: who may read it, what it says, and that it follows what comes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import shoplake.collector.live as endpoint_module
from shoplake.cli.main import shoplake as command
from shoplake.collector.doorkeeper import Doorkeeper
from shoplake.collector.drain import drain
from shoplake.collector.live import LiveEndpoint
from shoplake.keys.keyring import Keyring
from shoplake.live.process import LiveWindow
from shoplake.settings import Settings
from shoplake.store.engine import open_store
from shoplake.store.producers import READS_LIVE, Producers
from tests.collector.running import Running, add_producer, event, ndjson


def add_reader(settings: Settings, name: str = "screen") -> str:
    store = open_store(settings, Keyring.open(settings))
    try:
        return Producers(store).add(name, [READS_LIVE])
    finally:
        store.close()


def live(running: Running, reader: str) -> dict[str, Any]:
    answer = running.client.get("/v1/live", headers={"authorization": f"Bearer {reader}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def until(running: Running, reader: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while not is_so(counts := live(running, reader)):
        assert time.monotonic() < deadline, counts
        time.sleep(0.2)
    return counts


def states(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_each_event_counts_once_through_a_drain_and_a_restart(settings: Settings) -> None:
    key, reader = add_producer(settings), add_reader(settings)
    rows = [event(n, page=f"/{n % 3}", event_id=f"e{n}") for n in range(60)]
    call = {"customer_id": 1, "interaction_type": "Complaint", "rating": 2, "timestamp": time.time()}
    counts = lambda now: (now["web_events"]["events"], now["interactions"]["interactions"])  # noqa: E731
    with Running(settings, key) as running:
        assert counts(live(running, reader)) == (0, 0)
        for _ in range(2):
            assert running.send(ndjson(rows[:40])).status_code == 200
            assert running.send(call, "interactions", idempotency_key="call").status_code == 200
        assert running.send(ndjson([*rows[20:50], event(99, timestamp="soon")])).json()["quarantined"] == 1
        now = until(running, reader, lambda now: counts(now) == (50, 1))
        assert now["interactions"]["mean_rating"] == 2
        assert [page["events"] for page in now["web_events"]["pages"]] == [17, 17, 16]
        drain(settings)
        assert running.send(ndjson(rows[50:])).status_code == 200
        until(running, reader, lambda now: counts(now) == (60, 1))
    with Running(settings, key) as running:
        assert counts(until(running, reader, lambda now: now["is_complete"])) == (60, 1)


def test_a_stream_follows_what_comes(settings: Settings) -> None:
    key, reader = add_producer(settings), add_reader(settings)
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {reader}"}
    with (
        Running(settings, key) as running,
        httpx.stream("GET", f"{running.url}/v1/live", headers=headers, timeout=60, verify=running.trusted) as stream,
    ):
        assert stream.headers["content-type"] == "text/event-stream"
        seen = states(stream.iter_lines())
        assert next(seen)["web_events"]["events"] == 0
        for number in (1, 2):
            running.send(event(number))
            for _ in range(60):
                if (events := next(seen)["web_events"]["events"]) == number:
                    break
            assert events == number
        # The collector ends while the client still listens.


def test_who_may_not_read(settings: Settings) -> None:
    reader = add_reader(settings)
    with Running(settings, add_producer(settings)) as running:
        assert running.client.get("/v1/live").status_code == 403
        nobody = running.client.get("/v1/live", headers={"authorization": ""})
        assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthorized")
        as_reader = {"authorization": f"Bearer {reader}"}
        assert running.client.post("/v1/live", headers=as_reader).status_code == 405
        assert running.client.post("/v1/events/web_events", headers=as_reader).status_code == 403


def test_a_stream_ends_with_its_key(settings: Settings) -> None:
    headers = {"authorization": f"Bearer {add_reader(settings)}"}
    with (
        Running(settings, add_producer(settings)) as running,
        httpx.stream(
            "GET", f"{running.url}/v1/live/stream", headers=headers, timeout=60, verify=running.trusted
        ) as stream,
    ):
        seen = states(stream.iter_lines())
        next(seen)
        done = CliRunner().invoke(command, ["--home", str(settings.home), "producers", "revoke", "screen"])
        assert done.exit_code == 0
        assert len(list(seen)) < 60


def test_a_key_for_readers_is_made_by_the_command(settings: Settings) -> None:
    call = ["--home", str(settings.home), "producers", "add", "screen"]
    made = CliRunner().invoke(command, [*call, "--reads-live", "--format", "json"])
    assert json.loads(made.output)["sources"] == [READS_LIVE]
    assert "for nothing" in str(CliRunner().invoke(command, call).exception)


def test_clients_that_take_nothing_are_let_go_and_their_number_is_bounded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "MOST_STREAMS", 2)
    monkeypatch.setattr(endpoint_module, "STALL_SECONDS", 4)
    headers = [(b"authorization", f"Bearer {add_reader(settings)}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/v1/live/stream", "headers": headers}
    window = LiveWindow(settings)
    endpoint = LiveEndpoint(window, Doorkeeper(settings))
    statuses: list[int] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def stalls(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        elif b"data" in message["body"]:
            await asyncio.Event().wait()

    async def ask() -> None:
        # The window is filled before they come, so that none waits longer than another.
        assert await endpoint.first()
        await asyncio.gather(*(endpoint(scope, never, stalls) for _ in range(3)))

    window.start()
    try:
        asyncio.run(ask())
    finally:
        window.stop()
    assert sorted(statuses) == [200, 200, 503]
    assert endpoint.streams == 0


def test_no_answer_shows_who_it_was(settings: Settings) -> None:
    key, reader = add_producer(settings), add_reader(settings)
    calls = [
        {
            "customer_id": 7_700_000_000_000 + n,
            "interaction_type": "Complaint",
            "message_excerpt": f"MARKER{n:03d}",
            "timestamp": time.time(),
        }
        for n in range(30)
    ]
    views = [event(n, session_id=f"MARKER{n:03d}", user_id=7_700_000_000_000 + n) for n in range(30)]
    with Running(settings, key) as running:
        running.send(ndjson(views))
        running.send(ndjson(calls), "interactions")
        said = [until(running, reader, lambda now: now["interactions"]["complaints"] == 30)]
        drain(settings)
        time.sleep(2)
        said.append(live(running, reader))
        metrics = running.client.get("/metrics").text
    shown = json.dumps(said) + metrics + running.log.read_text(encoding="utf-8")
    assert said[0]["web_events"]["sessions"] == said[1]["web_events"]["sessions"] == 30
    assert "MARKER" not in shown
    assert "77000000" not in shown
