"""What runs beside the API: the collector at the same address, the stream in a process of its own; how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shoplake.audit.reading import Wanted, find
from shoplake.cli.main import shoplake
from shoplake.home import home_lock
from shoplake.settings import Settings
from tests.collector.running import add_producer, event, landed_sessions, ndjson
from tests.portal.serving import Serving, token_of

BESIDE = ("shoplake.portal.stream_process", "shoplake.collector.drain")
"""What the service starts."""


def children(serving: Serving, module: str) -> list[int]:
    """Give the processes that the service runs of a module."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_text(encoding="utf-8").split("\0")
            is_session = folder.name.isdigit() and os.getsid(int(folder.name)) == serving.process.pid
        except (OSError, UnicodeDecodeError):
            continue
        if is_session and module in words:
            found.append(int(folder.name))
    return found


def until(check: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


@pytest.fixture
def whole(own_released: Settings) -> Iterator[Serving]:
    """Give a service with all its parts."""
    with Serving(own_released) as serving:
        yield serving


def test_events_are_taken_at_the_same_address_and_published_by_the_stream(whole: Serving) -> None:
    key, token = add_producer(whole.settings), token_of(whole.settings, "data_engineer")
    with whole.client(key) as producer:
        until(
            lambda: producer.get("/v1/live").status_code == 403
        )  # the key is known, within seconds; it may not read this
        sent = producer.post("/v1/events/web_events", content=ndjson([event(n) for n in range(3)]))
        assert (sent.status_code, sent.json()["accepted"]) == (200, 3)
        page = producer.post("/v1/page", json={"anonymousId": "a", "messageId": "m1", "name": "/x"})
        assert page.status_code == 200
        assert page.json()["success"]
    with whole.client(token) as reader:
        metrics = reader.get("/metrics").text
        assert 'shoplake_collector_events_accepted_total{source="web_events"}' in metrics
        assert 'shoplake_service_requests_total{method="POST",route="collector",status="200"} 2.0' in metrics
        before = reader.get("/v1/kpis/session_duration").json()["release"]
        (old,) = children(whole, "shoplake.portal.stream_process")
        os.kill(old, signal.SIGKILL)
        until(lambda: set(children(whole, "shoplake.portal.stream_process")) - {old})
        assert whole.anybody.get("/healthz").status_code == 200
        assert "shoplake_service_stream_restarts_total" not in metrics
        assert "shoplake_service_stream_restarts 1.0" in reader.get("/metrics").text
        until(lambda: reader.get("/v1/kpis/session_duration").json()["release"] != before, 180)
    assert {"s0", "s1", "s2"} <= set(landed_sessions(whole.settings))


def test_a_signal_ends_all_of_it_and_the_record_says_so(own_released: Settings) -> None:
    with (
        Serving(own_released) as serving,
        home_lock(own_released, wait_seconds=60),
    ):  # somebody else is changing the home
        until(lambda: children(serving, "shoplake.portal.stream_process"))
        serving.process.send_signal(signal.SIGTERM)
        assert serving.process.wait(60) == 0
        for module in BESIDE:
            until(lambda module=module: not children(serving, module))  # type: ignore[misc]
    assert [entry.outcome for entry in find(own_released, Wanted(action="serve"))] == ["begun", "ok"]
    assert "Traceback" not in serving.log.read_text(encoding="utf-8")


def test_nothing_outlives_a_service_that_is_killed(own_released: Settings) -> None:
    with Serving(own_released) as serving:
        until(lambda: children(serving, "shoplake.portal.stream_process"))
        serving.process.kill()
        serving.process.wait()
        for module in BESIDE:
            until(lambda module=module: not children(serving, module))  # type: ignore[misc]


def test_a_collector_that_cannot_be_opened_takes_nothing_else_down(settings: Settings) -> None:
    (settings.home / "settings.toml").write_text('collector_log = "kafka"\n', encoding="utf-8")
    with Serving(settings, "--no-stream") as serving:
        answer = serving.anybody.post("/v1/events/web_events", content=b"{}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
        assert serving.anybody.get("/healthz").status_code == 200
        until(lambda: "the collector cannot be opened" in serving.log.read_text(encoding="utf-8"))


def test_a_port_that_is_taken_is_named(served: Serving) -> None:
    port = served.url.rsplit(":", 1)[1]
    call = [sys.executable, "-m", "shoplake", "--home", str(served.settings.home), "serve", "--port", port]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"Error: 127.0.0.1:{port} cannot be listened on: Address already in use." in done.stderr


def test_without_parts_their_paths_are_not_there(own_released: Settings) -> None:
    with Serving(own_released, "--no-collect", "--no-stream") as serving:
        assert serving.anybody.post("/v1/events/web_events", content=b"{}").status_code == 404
        assert serving.anybody.get("/tracker.js").status_code == 404
        assert children(serving, "shoplake.portal.stream_process") == []


def test_the_command_is_one_of_the_command_line() -> None:
    assert "serve" in shoplake.list_commands(None)  # type: ignore[arg-type]
