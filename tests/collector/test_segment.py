"""Segment's HTTP API on a real collector: its answers, and what lands."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from segment.analytics.client import Client

from shoplake.collector.drain import drain
from shoplake.collector.segment_endpoint import KINDS
from shoplake.collector.serve import collect
from shoplake.errors import InputError
from shoplake.keys.keyring import Keyring
from shoplake.pipeline.init import init_home
from shoplake.settings import Settings, load_settings
from shoplake.store.engine import open_store
from shoplake.store.producers import Producers
from tests.collector.running import Running, add_producer, event, landed_rows

ROOT = Path(__file__).parents[2]
NODE_SCRIPT = """
const { Analytics } = require("@segment/analytics-node");
const analytics = new Analytics({ writeKey: process.env.WRITE_KEY, host: process.env.HOST, flushInterval: 50 });
analytics.on("error", (error) => { console.error(error); process.exitCode = 1; });
const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";
const context = { page: { path: "/node" }, userAgent };
analytics.identify({ userId: "43", traits: { email: "x@shop.example" }, context });
analytics.page({ userId: "43", anonymousId: "n", context, timestamp: new Date(Date.now() - 9000) });
for (let number = 0; number < 3; number++)
  analytics.track({
    userId: "43", anonymousId: "n", event: "Click", properties: { price: number }, context,
    timestamp: new Date(Date.now() - 5000 + number),
  });
analytics.closeAndFlush({ timeout: 20000 });
"""
IDENTIFY = {"type": "identify", "userId": "7", "traits": {"email": "x@shop.example"}}


@dataclass
class Shop:
    """A collector for pages of one origin, with its home and keys."""

    settings: Settings
    running: Running
    key: str
    slow_key: str
    other_key: str


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a running collector."""
    settings = load_settings(tmp_path_factory.mktemp("shop") / "home")
    init_home(settings)
    store = open_store(settings, Keyring.open(settings))
    other_key = Producers(store).add("crm", ["interactions"])
    store.close()
    key, slow_key = add_producer(settings), add_producer(settings, "slow", rate_limit=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPLAKE_COLLECTOR_ALLOWED_ORIGINS", '["https://shop.example"]')
        running = Running(settings, key, is_clear=True)
    with running:
        yield Shop(settings, running, key, slow_key, other_key)


def page(number: int, **changes: Any) -> dict[str, Any]:
    message = {"type": "page", "anonymousId": f"a{number}", "messageId": f"m{number}", "properties": {"path": "/"}}
    return message | changes


def send(running: Running, path: str, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return running.client.post(path, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()})


def basic(user: str, password: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_batch_says_what_became_of_each_message(shop: Shop) -> None:
    batch = [IDENTIFY, page(1), {"type": "track", "event": "Click", "userId": "7"}, page(2), 5]
    first = send(shop.running, "/v1/batch", {"batch": batch})
    assert first.status_code == 200
    assert first.json() == {
        "success": True,
        "accepted": 2,
        "quarantined": 1,
        "duplicates": 0,
        "reasons": [{"index": 2, "reasons": ["session_id:missing_required", "page:missing_required"]}],
        "ignored": {"identify": 1, "unknown": 1},
    }
    assert send(shop.running, "/v1/batch", {"batch": [page(2), page(3)]}).json()["duplicates"] == 1
    assert shop.running.metrics()['shoplake_collector_messages_ignored_total{type="identify"}'] > 0


@pytest.mark.parametrize(("path", "kind"), KINDS.items())
def test_each_path_takes_its_kind(shop: Shop, path: str, kind: str) -> None:
    message = page(9, event="Click", messageId=f"path {path}")
    answer = send(shop.running, path, {"batch": [message]} if kind == "batch" else message).json()
    is_kept = kind in {"batch", "page", "screen", "track"}
    assert answer["accepted"] == is_kept
    assert answer["ignored"] == ({} if is_kept else {kind: 1})


def test_the_key_comes_as_user_as_bearer_or_in_the_body(shop: Shop) -> None:
    key, body = shop.key, {"batch": [page(4)]}
    for authorization in (f"Bearer {key}", basic(key), basic(key, "x"), basic(key).lower()[:5] + basic(key)[5:]):
        assert send(shop.running, "/v1/batch", body, authorization=authorization).status_code == 200
    without = httpx.post(f"{shop.running.url}/v1/batch", content=json.dumps(body | {"writeKey": key}))
    assert without.status_code == 200


@pytest.mark.parametrize(
    ("authorization", "body"),
    [(basic("x"), {}), ("Basic ***", {}), ("Basic", {}), ("Bearer x", {}), ("", {}), ("", {"writeKey": 5}),
     ("", {"writeKey": "slk_000000000000_guess"})],
)  # fmt: skip
def test_without_a_key_nothing_is_taken(shop: Shop, authorization: str, body: dict[str, Any]) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = httpx.post(f"{shop.running.url}/v1/batch", json={"batch": [page(5)]} | body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_a_body_whose_key_is_not_known_yet_is_small(shop: Shop) -> None:
    body = gzip.compress(json.dumps({"writeKey": shop.key, "x": " " * 600_000}).encode())
    answer = httpx.post(f"{shop.running.url}/v1/page", content=body, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_key_for_another_source_is_refused(shop: Shop) -> None:
    answer = send(shop.running, "/v1/page", page(6), authorization=basic(shop.other_key))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/v1/batch", b"", 400), ("/v1/batch", b'{"batch": []}', 400), ("/v1/page", b"[]", 400),
     ("/v1/batch", b'{"batch": [' + b"{}," * 10_000 + b"{}]}", 413), ("/v1/page", b" " * 8_000_001, 413)],
    ids=["empty", "no message", "array", "too many", "too large"],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_in_the_one_shape(shop: Shop, path: str, body: bytes, status: int) -> None:
    answer = send(shop.running, path, body)
    assert answer.status_code == status
    assert answer.json()["error"].keys() == {"code", "message", "hint"}


def test_a_large_batch_is_taken_whole(shop: Shop) -> None:
    batch = [page(n, messageId=f"large{n}", properties={"path": "/x" * 50}) for n in range(5_000)]
    body = gzip.compress(json.dumps({"batch": batch}).encode(), 1)
    assert send(shop.running, "/v1/batch", body, content_encoding="gzip").json()["accepted"] == 5_000


def test_a_get_is_told_to_post(shop: Shop) -> None:
    assert shop.running.client.get("/v1/batch").status_code == 405


def test_the_rate_limit_counts_what_is_ignored_too(shop: Shop) -> None:
    slow = basic(shop.slow_key)
    assert send(shop.running, "/v1/batch", {"batch": [IDENTIFY] * 1_000}, authorization=slow).status_code == 200
    answer = send(shop.running, "/v1/identify", IDENTIFY, authorization=slow)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit")
    assert int(answer.headers["retry-after"]) > 0


def test_the_source_and_any_origin_are_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPLAKE_COLLECTOR_SEGMENT_SOURCE", "")
    monkeypatch.setenv("SHOPLAKE_COLLECTOR_ALLOWED_ORIGINS", '["*"]')
    with Running(settings, add_producer(settings), is_clear=True) as running:
        assert send(running, "/v1/batch", {"batch": [page(1)]}).status_code == 404
        taken = running.send(event(1), origin="https://shop.example")
        assert (taken.status_code, taken.headers["access-control-allow-origin"]) == (200, "*")
    wrong = settings.model_copy(update={"collector_segment_source": "pos"})
    with pytest.raises(InputError, match="There is no stream source 'pos'"):
        collect(wrong, host="127.0.0.1", port=0, on_ready=print)


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


def landed_at(settings: Settings, page: str) -> list[dict[str, Any]]:
    """Land what waits; give the rows of a page, which each test has for itself."""
    drain(settings)
    return [row for row in landed_rows(settings) if row["page"] == page]


def test_pages_of_allowed_origins_may_send(shop: Shop) -> None:
    running = shop.running
    for path in ("/v1/batch", "/v1/events/web_events"):
        shop = {"origin": "https://shop.example"}
        asked = running.client.options(path, headers=PREFLIGHT | shop)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == "https://shop.example"
        assert "access-control-allow-credentials" not in asked.headers
        for origin in ("https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null"):
            for answer in (
                running.client.options(path, headers=PREFLIGHT | {"origin": origin}),
                send(running, path, {"batch": [page(1)]}, origin=origin),
            ):
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin")
                assert "access-control-allow-origin" not in answer.headers
    taken = running.send(event(1), origin="https://shop.example")
    assert taken.headers["access-control-allow-origin"] == "https://shop.example"
    refused = send(running, "/v1/batch", b"", origin="https://shop.example")
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, "https://shop.example")
    own = running.url.replace("http:", "https:")
    assert running.send(event(2), origin=own).status_code == 200, "a page of the collector's own origin"


def test_the_script_is_served_with_a_tag(shop: Shop) -> None:
    first = httpx.get(f"{shop.running.url}/tracker.js")
    assert first.status_code == 200
    assert first.headers["content-type"].startswith("text/javascript")
    assert len(first.content) < 4_096
    again = httpx.get(f"{shop.running.url}/tracker.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age" in again.headers["cache-control"]


def test_what_lands_is_the_contract_and_nothing_else(shop: Shop) -> None:
    settings, running = shop.settings, shop.running
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=200)
    message = page(
        101,
        userId="77",
        timestamp=at.isoformat(),
        properties={"path": "/lands"},
        context={"userAgent": "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0"},
    )
    for _ in range(2):
        batch = [message, page(102, properties={"path": "/lands"})]
        assert send(running, "/v1/batch", {"batch": batch}).status_code == 200
    first, second = landed_at(settings, "/lands")
    shown = [first[name] for name in ("device_type", "browser", "event_type")]
    assert shown == ["Mobile", "Firefox", "View"]
    assert abs(first["timestamp"] - at.replace(tzinfo=None)) < dt.timedelta(milliseconds=1)
    assert first["user_id"] is not None
    assert second["user_id"] is None
    assert len({first["session_id"], second["session_id"], "a101", "a102"}) == 4
    assert first["_notes"] == second["_notes"] == []


def test_segments_library_for_python(shop: Shop) -> None:
    settings, running = shop.settings, shop.running
    failed: list[Exception] = []
    client = Client(
        shop.key,
        host=running.url,
        gzip=True,
        upload_interval=0.05,
        on_error=lambda error, _: failed.append(error),
    )
    where = {"context": {"page": {"path": "/python"}, "sessionId": "visit"}}
    at = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    client.identify("42", {"email": "x@shop.example"}, **where)
    client.page("42", name="Home", properties={"path": "/python"}, context=where["context"], timestamp=at)
    for number in range(3):
        client.track(
            "42", "Click", {"price": number}, anonymous_id="a", **where, timestamp=at + dt.timedelta(seconds=1 + number)
        )
    client.flush()
    client.join()
    assert failed == []
    rows = landed_at(settings, "/python")
    assert [row["event_type"] for row in rows] == ["View", "Click", "Click", "Click"]
    assert {row["session_id"] for row in rows} == {"visit"}
    assert len({row["user_id"] for row in rows} - {None}) == 1
    assert f"{rows[0]['timestamp']:%Y-%m-%dT%H:%M:%S}" == "2026-03-01T12:00:00"


def test_segments_library_for_node(shop: Shop) -> None:
    node, library = shutil.which("node"), ROOT / "node_modules" / "@segment" / "analytics-node"
    if node is None or not library.is_dir():
        pytest.skip("npm or Segment's library for Node is not installed: call make node_modules/.ready")
    settings, running = shop.settings, shop.running
    done = subprocess.run(
        [node, "-e", NODE_SCRIPT],
        cwd=ROOT,
        env=os.environ | {"WRITE_KEY": shop.key, "HOST": running.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = landed_at(settings, "/node")
    assert [row["event_type"] for row in rows] == ["View", "Click", "Click", "Click"]
    assert len({row["user_id"] for row in rows} - {None}) == 1
    assert [row["browser"] for row in rows] == ["Firefox"] * 4
