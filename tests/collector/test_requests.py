"""What the collector takes, what it refuses, and how it says so: a real server, a real client."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib

import pytest
import zstandard

from shoplake.settings import Settings
from tests.collector.running import NOW, Running, add_producer, event, ndjson

ROWS = [event(n) for n in range(3)]
PRETTY = json.dumps(ROWS[0], indent=2).encode()
TAKEN = {
    "object": json.dumps(ROWS[0]).encode(),
    "object over several lines": PRETTY,
    "array": json.dumps(ROWS).encode(),
    "array over several lines": json.dumps(ROWS, indent=2).encode(),
    "ndjson": ndjson(ROWS),
    "ndjson with blank lines and CRLF": ndjson(ROWS).replace(b"\n", b"\r\n\r\n") + b"\r\n",
    "byte order mark": b"\xef\xbb\xbf" + ndjson(ROWS),
    "repaired values": json.dumps(event(1, user_id="7", timestamp=NOW * 1000)).encode(),
    "unknown fields": json.dumps(event(1, campaign="spring")).encode(),
    "unknown value of a lenient list": json.dumps(event(1, device_type="Watch")).encode(),
}
EVENTS = {name: 3 if "array" in name or "ndjson" in name or "byte" in name else 1 for name in TAKEN}


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
def test_a_body_of_any_form_is_taken(collector: Running, name: str, encoding: str) -> None:
    body = TAKEN[name]
    packed = {"gzip": gzip.compress(body), "zstd": zstandard.compress(body)}.get(encoding, body)
    answer = collector.send(packed, content_encoding=encoding) if encoding else collector.send(body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": EVENTS[name], "quarantined": 0, "duplicates": 0, "reasons": []}


BAD_EVENTS = {
    "missing": ({"page": "/", "timestamp": NOW}, ["session_id:missing_required"]),
    "blank": (event(1, session_id="  "), ["session_id:missing_required"]),
    "wrong type": (event(1, user_id="x7", page=["/"]), ["user_id:not_an_integer", "page:not_a_string"]),
    "fraction": (event(1, user_id=1.5), ["user_id:not_an_integer"]),
    "too large": (event(1, user_id=1 << 63), ["user_id:not_an_integer"]),
    "no time": (event(1, timestamp="soon"), ["timestamp:not_a_time"]),
    "future": (event(1, timestamp=NOW + 200_000), ["timestamp:time_in_future"]),
    "past": (event(1, timestamp=1), ["timestamp:time_before_2000"]),
    "number": (5, ["not_a_json_object"]),
    "nothing": (None, ["not_a_json_object"]),
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_the_answer_says_which_event_is_bad_and_why(collector: Running, name: str) -> None:
    bad, reasons = BAD_EVENTS[name]
    answer = collector.send(json.dumps([event(1), bad, event(2)]).encode())
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 2,
        "quarantined": 1,
        "duplicates": 0,
        "reasons": [{"index": 1, "reasons": reasons}],
    }


def test_a_line_that_is_no_json_is_bad_alone(collector: Running) -> None:
    lines = [json.dumps(event(1)).encode(), b'{"page": "/', b"\xff\xfe", json.dumps(event(2)).encode()]
    answer = collector.send(b"\n".join(lines)).json()
    assert (answer["accepted"], answer["quarantined"]) == (2, 2)
    assert answer["reasons"][0] == {"index": 1, "reasons": ["not_a_json_object"]}
    assert answer["reasons"][1] == {"index": 2, "reasons": ["not_utf8"]}


def test_bytes_that_are_no_text_in_an_unknown_field_are_noticed(collector: Running) -> None:
    answer = collector.send(json.dumps(event(1)).encode()[:-1] + b', "x": "\xff"}').json()
    assert answer["reasons"] == [{"index": 0, "reasons": ["not_utf8"]}]


REFUSED = {
    "empty": (b"", {}, 400, "body"),
    "spaces": (b" \n ", {}, 400, "body"),
    "text": (b"hello", {}, 400, "body"),
    "number": (b"5", {}, 400, "body"),
    "empty array": (b"[]", {}, 400, "body"),
    "broken array": (b'[{"page": "/"}, ', {}, 400, "body"),
    "damaged gzip": (b"nothing of the kind", {"content_encoding": "gzip"}, 400, "body"),
    "cut off gzip": (gzip.compress(ndjson(ROWS))[:-9], {"content_encoding": "gzip"}, 400, "body"),
    "damaged zstd": (b"nothing of the kind", {"content_encoding": "zstd"}, 400, "body"),
    "cut off zstd": (zstandard.compress(ndjson(ROWS * 99))[:-9], {"content_encoding": "zstd"}, 400, "body"),
    "brotli": (ndjson(ROWS), {"content_encoding": "br"}, 415, "encoding"),
    "long request key": (ndjson(ROWS), {"idempotency_key": "k" * 256}, 400, "idempotency_key"),
    "too many lines": (b"{}\n" * 10_001, {}, 413, "too_many"),
    "too many items": (b"[" + b"1," * 10_000 + b"1]", {}, 413, "too_many"),
    "far too many items": (b"[" + b"1," * 3_000_000 + b"1]", {}, 413, "too_many"),
    "oversize": (b"[" + b" " * 8_000_000 + b"]", {}, 413, "too_large"),
    "gzip bomb": (gzip.compress(b" " * 200_000_000, 9), {"content_encoding": "gzip"}, 413, "too_large"),
    "zstd bomb": (zstandard.compress(b" " * 500_000_000), {"content_encoding": "zstd"}, 413, "too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_in_one_shape_and_stored_nowhere(collector: Running, name: str) -> None:
    body, headers, status, code = REFUSED[name]
    before = collector.metrics().get('shoplake_collector_events_accepted_total{source="web_events"}', 0)
    answer = collector.send(body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"].keys() == {"code", "message", "hint"}
    after = collector.metrics().get('shoplake_collector_events_accepted_total{source="web_events"}', 0)
    assert after == before


def test_a_body_without_a_length_is_limited_as_it_comes(collector: Running) -> None:
    port = int(collector.url.rsplit(":", 1)[1])
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        collector.trusted.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        key = collector.client.headers["authorization"]
        head = f"POST /v1/events/web_events HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n"
        connection.sendall(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(81):
            connection.sendall(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_many_gzip_members_are_one_body(collector: Running) -> None:
    packed = b"".join(gzip.compress(json.dumps(row).encode() + b"\n") for row in ROWS)
    assert collector.send(packed, content_encoding="gzip").json()["accepted"] == 3
    raw = zlib.compress(ndjson(ROWS))
    assert collector.send(raw, content_encoding="deflate").status_code == 415


@pytest.mark.parametrize(
    ("authorization", "source", "status", "code"),
    [
        (None, "web_events", 401, "unauthorized"),
        ("Bearer nonsense", "web_events", 401, "unauthorized"),
        ("Basic dXNlcjpwYXNz", "web_events", 401, "unauthorized"),
        ("Bearer slk_000000000000_guess", "web_events", 401, "unauthorized"),
        ("", "pos", 403, "forbidden"),
        ("", "weather", 403, "forbidden"),
    ],
)
def test_only_a_key_for_the_source_opens_it(
    collector: Running, authorization: str | None, source: str, status: int, code: str
) -> None:
    headers = {} if authorization == "" else {"authorization": authorization or "none"}
    answer = collector.send(event(1), source, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_key_with_another_secret_is_refused(collector: Running) -> None:
    key = collector.client.headers["authorization"]
    other = key[:-4] + ("aaaa" if key[-4:] != "aaaa" else "bbbb")
    assert collector.send(event(1), authorization=other).status_code == 401


def test_other_paths_and_methods(collector: Running) -> None:
    assert collector.client.get("/healthz").json() == {"status": "ok"}
    assert collector.client.get("/v1/events/web_events").status_code == 405
    assert collector.client.get("/nowhere").json()["error"]["code"] == "not_found"


def test_no_page_of_another_origin_may_send_until_it_is_allowed(collector: Running) -> None:
    answer = collector.send(event(1), origin="https://shop.example")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin")


def test_a_request_key_makes_a_retry_safe(collector: Running) -> None:
    body = ndjson([event(1), event(2, page=None)])
    first = collector.send(body, idempotency_key="order-1")
    again = collector.send(body, idempotency_key="order-1")
    packed = collector.send(gzip.compress(body), idempotency_key="order-1", content_encoding="gzip")
    assert first.status_code == 200
    assert first.json()["quarantined"] == 1
    assert again.json() == packed.json() == first.json()
    other = collector.send(ndjson([event(3)]), idempotency_key="order-1")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key")


def test_an_event_id_makes_a_retry_safe(collector: Running) -> None:
    rows = [event(n, event_id=f"e{n}") for n in range(5)]
    assert collector.send(ndjson(rows)).json()["duplicates"] == 0
    answer = collector.send(ndjson([*rows, event(9, event_id="e9"), event(9, event_id="e9")])).json()
    assert (answer["accepted"], answer["duplicates"]) == (7, 6)


def test_a_bad_event_may_be_corrected_under_its_id(collector: Running) -> None:
    bad, good = event(1, event_id="fix", page=None), event(1, event_id="fix")
    answers = [collector.send(row).json() for row in (bad, bad, good, good)]
    assert [(a["accepted"], a["quarantined"], a["duplicates"]) for a in answers] == [
        (0, 1, 0),
        (0, 1, 1),
        (1, 0, 0),
        (1, 0, 1),
    ]


def test_a_key_has_its_rate_and_its_end(settings: Settings) -> None:
    key = add_producer(settings, "slow", rate_limit=10)
    with Running(settings, key) as running:
        twice_the_rate = ndjson([event(n) for n in range(20)])
        assert running.send(twice_the_rate).status_code == 200
        for _ in range(20):  # a debt of a second, which may run out on the way to a busy machine's next request
            if (answer := running.send(twice_the_rate)).status_code != 200:
                break
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit")
        time.sleep(float(answer.headers["retry-after"]))
        assert running.send(event(11)).status_code == 200
        _revoke(settings, "slow")
        until = time.monotonic() + 60
        while running.send(event(12)).status_code in {200, 429} and time.monotonic() < until:
            time.sleep(0.2)
        assert running.send(event(12)).status_code == 401
        other = add_producer(settings, "next")
        while running.send(event(13), authorization=f"Bearer {other}").status_code == 401:
            assert time.monotonic() < until + 60
            time.sleep(0.2)


def test_too_much_at_once_is_told_to_come_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPLAKE_COLLECTOR_MEMORY_LIMIT_BYTES", "1000")
    with Running(settings, add_producer(settings)) as running:
        assert running.send(event(1)).status_code == 200
        answer = running.send(ndjson([event(n) for n in range(100)]))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert running.send(event(1)).status_code == 200


def _revoke(settings: Settings, name: str) -> None:
    from shoplake.keys.keyring import Keyring
    from shoplake.store.engine import open_store
    from shoplake.store.producers import Producers

    store = open_store(settings, Keyring.open(settings))
    Producers(store).revoke(name)
    store.close()
