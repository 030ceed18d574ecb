"""What a Segment message becomes: the contract's fields, and nothing else of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tuned
from hypothesis import strategies as st

from shoplake.collector.refusal import Refusal
from shoplake.collector.segment import SegmentMapper
from shoplake.collector.user_agent import read_agent
from shoplake.contracts import load_contracts

CONTRACT = load_contracts()["web_events"]
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()
MAPPER = SegmentMapper(CONTRACT, b"k" * 32, "Europe/Berlin", clock=lambda: NOW)
PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 (KHTML, like Gecko) Version/17.4 Safari/605.1"


def mapped(message: dict[str, Any], kind: str = "track", **batch: Any) -> dict[str, Any]:
    """Map one message; give its row."""
    body = {"batch": [message | {"type": kind}]} | batch
    (line,) = MAPPER.map(json.dumps(body).encode(), "batch", 10).lines
    row: dict[str, Any] = json.loads(line)
    return row


def test_a_page_becomes_a_view() -> None:
    message = {
        "messageId": "m1",
        "anonymousId": "a1",
        "userId": "77",
        "name": "Home",
        "timestamp": "2026-03-01T11:59:58.250Z",
        "properties": {"path": "/shoes", "url": "https://shop.example/shoes?email=x", "title": "Shoes", "price": 3},
        "context": {"sessionId": "v1", "userAgent": PHONE, "ip": "192.0.2.1", "traits": {"email": "x@shop.example"}},
        "integrations": {"All": True},
    }
    assert mapped(message, "page") == {
        "session_id": "v1",
        "user_id": 77,
        "page": "/shoes",
        "device_type": "Mobile",
        "browser": "Chrome",
        "event_type": "View",
        "timestamp": NOW - 1.75,
        "event_id": "m1",
    }


@pytest.mark.parametrize(
    ("name", "event_type"),
    [("Click", "Click"), ("click", "Click"), ("CLICKED", "Click"), ("scroll", "Scroll"), ("Scrolled", "Scroll"),
     ("viewed", "View"), ("Order Completed", "Order Completed"), (" Click ", "Click"), ("", None), (None, None),
     ({"a": 1}, None)],
)  # fmt: skip
def test_the_name_of_a_track_is_the_type_of_event(name: object, event_type: str | None) -> None:
    assert mapped({"event": name}).get("event_type") == event_type


@pytest.mark.parametrize(
    ("user", "user_id"),
    [(7, 7), ("7", 7), (" 007 ", 7), (7.0, 7), ((1 << 63) - 1, (1 << 63) - 1), (1 << 63, None), ("9" * 19, None),
     (7.5, None), ("7.5", None), ("x@shop.example", None), ("auth0|7", None), (True, None), ("", None), (None, None),
     (["7"], None), ("9" * 5000, None)],
)  # fmt: skip
def test_a_user_is_a_whole_number_or_left_out(user: object, user_id: int | None) -> None:
    assert mapped({"userId": user}).get("user_id") == user_id


@pytest.mark.parametrize(
    ("message", "page"),
    [
        ({"properties": {"path": "/a"}, "context": {"page": {"path": "/b"}}}, "/a"),
        ({"context": {"page": {"path": "/b?mail=x#y"}}}, "/b"),
        ({"properties": {"url": "https://shop.example/c/d;e?mail=x"}}, "/c/d;e"),
        ({"context": {"page": {"url": "https://shop.example"}}}, "/"),
        ({"context": {"page": {"path": "#top"}}}, "/"),
        ({"name": "Cart?"}, "Cart?"),
        ({"properties": {"name": "Cart"}}, "Cart"),
        ({"context": {"page": "x"}, "properties": ["path"]}, None),
    ],
)
def test_a_page_is_its_path_without_the_query(message: dict[str, Any], page: str | None) -> None:
    assert mapped(message, "page").get("page") == page


def test_only_a_page_goes_by_its_name() -> None:
    assert "page" not in mapped({"name": "Cart"})
    assert mapped({"name": "Cart"}, "screen")["page"] == "Cart"


def test_a_session_is_what_the_sender_names() -> None:
    for message in (
        {"context": {"sessionId": "v"}},
        {"properties": {"session_id": "v"}},
        {"properties": {"sessionId": "v"}, "anonymousId": "a"},
    ):
        assert mapped(message)["session_id"] == "v"
    assert "session_id" not in mapped({"userId": "7"})


def test_an_anonymous_id_is_hidden_and_gives_a_visit_a_day() -> None:
    evening, night, morning = ("2026-02-27T22:59:00Z", "2026-02-27T23:01:00Z", "2026-02-28T09:00:00Z")
    visits = [mapped({"anonymousId": "MARKER", "timestamp": at})["session_id"] for at in (evening, night, morning)]
    assert visits[0] != visits[1] == visits[2], "the business day is Berlin's"
    assert "MARKER" not in str(visits)
    assert mapped({"anonymousId": "other", "timestamp": night})["session_id"] != visits[1]
    other = SegmentMapper(CONTRACT, b"x" * 32, "Europe/Berlin", clock=lambda: NOW)
    body = json.dumps({"anonymousId": "MARKER", "timestamp": night}).encode()
    assert json.loads(other.map(body, "track", 1).lines[0])["session_id"] != visits[1]


def test_a_session_number_counts_for_one_visitor_only() -> None:
    numbered = [mapped({"anonymousId": a, "context": {"sessionId": 1772366400123}})["session_id"] for a in "abb"]
    assert numbered[0] != numbered[1] == numbered[2]
    assert mapped({"context": {"sessionId": 1772366400123}})["session_id"] == "1772366400123"


@pytest.mark.parametrize(
    ("context", "device", "browser"),
    [
        ({"userAgent": MAC}, "Desktop", "Safari"),
        ({"userAgent": MAC, "device": {"type": "tablet"}}, "Tablet", "Safari"),
        ({"device": {"type": "ios", "model": "iPhone14,2"}}, "Mobile", None),
        ({"device": {"type": "ios", "model": "iPad7,3"}}, "Tablet", None),
        ({"device": {"type": "watch"}}, "watch", None),
        ({"userAgentData": {"mobile": True}}, "Mobile", None),
        ({"userAgent": 5, "device": []}, None, None),
        ("x", None, None),
    ],
)
def test_device_and_browser(context: object, device: str | None, browser: str | None) -> None:
    row = mapped({"context": context})
    assert (row.get("device_type"), row.get("browser")) == (device, browser)


@pytest.mark.parametrize(
    ("agent", "device", "browser"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.5 Mobile/15E148 Safari/604.1", "Mobile", "Safari"),
        ("Mozilla/5.0 (iPad; CPU OS 15_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 "
         "Mobile/15E148 Safari/604.1", "Tablet", "Chrome"),
        ("Mozilla/5.0 (Linux; Android 13; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
         "Safari/537.36", "Tablet", "Chrome"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
         "Safari/537.36 Edg/126.0.0.0", "Desktop", "Edge"),
        ("Mozilla/5.0 (Android 14; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0", "Tablet", "Firefox"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "Mobile", "Firefox"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Desktop", "Firefox"),
        ("Mozilla/5.0 (Linux; Android 12; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 "
         "Chrome/121.0.0.0 Mobile Safari/537.36", "Mobile", "Samsung Internet"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV "
         "Safari/537.36", None, "Safari"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", None, "Googlebot"),
        ("analytics-python/2.4.0", None, None),
        ("x" * 100_000, None, None),
    ],
)  # fmt: skip
def test_a_browser_says_what_it_is(agent: str, device: str | None, browser: str | None) -> None:
    assert read_agent(agent) == (device, browser)


def moment(message: dict[str, Any], **batch: Any) -> object:
    return mapped(message, **batch).get("timestamp")


def test_a_wrong_clock_is_put_right_by_the_time_of_sending() -> None:
    fast = {"timestamp": "2026-03-01T14:59:30+01:00"}
    assert moment(fast, sentAt="2026-03-01T15:00:00+01:00") == NOW - 30
    assert moment(fast | {"sentAt": "2026-03-01T14:00:00Z"}) == NOW - 30
    assert moment(fast) == NOW + 3600 * 2 - 30


def test_a_clock_that_is_nearly_right_is_left_so_that_a_retry_says_the_same() -> None:
    message = {"timestamp": "2026-03-01T11:00:00Z"}
    assert {moment(message, sentAt=f"2026-03-01T11:59:{s}Z") for s in ("51", "55", "59")} == {NOW - 3600}


def test_what_has_passed_segment_is_right_already() -> None:
    message = {"originalTimestamp": "2026-03-01T08:00:00Z", "sentAt": "2026-03-01T08:00:05Z"}
    assert moment(message) == NOW - 5
    passed = message | {"timestamp": "2026-03-01T10:59:57Z", "receivedAt": "2026-03-01T11:00:02Z"}
    assert moment(passed) == NOW - 3603


@pytest.mark.parametrize(
    ("given", "found"),
    [(None, NOW), (NOW - 5, NOW - 5), ((NOW - 5) * 1000, NOW - 5), ("soon", "soon"), ("2026-03-01", NOW - 43_200),
     ({"a": 1}, None), (True, None), (1e300, 1e297), ("", None)],
)  # fmt: skip
def test_times_of_any_form(given: object, found: object) -> None:
    assert moment({"timestamp": given}) == found


def test_what_describes_persons_is_counted_by_its_type() -> None:
    batch = [{"type": t, "traits": {"email": "x"}} for t in ("identify", "group", "alias", "identify", "MARKER", [1])]
    found = MAPPER.map(json.dumps({"batch": [*batch, {"type": "page"}, 5]}).encode(), "batch", 10)
    assert found.ignored == {"identify": 2, "group": 1, "alias": 1, "unknown": 3}
    assert found.places == [6]


def test_the_context_of_a_batch_counts_where_a_message_has_none() -> None:
    shared = {"sessionId": "all", "page": {"path": "/all"}}
    assert mapped({}, context=shared)["session_id"] == "all"
    own = mapped({"context": {"page": {"path": "/own"}}}, context=shared)
    assert (own["page"], own["session_id"]) == ("/own", "all")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"", "batch", 400), (b"[]", "batch", 400), (b'{"batch": []}', "batch", 400), (b'{"batch": 5}', "batch", 400),
     (b"{}", "batch", 400), (b"5", "page", 400), (b'{"a": ', "page", 400), (b'{"a": "\xff"}', "page", 400),
     (b'{"batch": [' + b"{}," * 10 + b"{}]}", "batch", 413), (b"[" + b"," * 1000, "batch", 413),
     (b"[" * 100_000, "page", 400), (b'{"a": ' + b"1" * 10_000 + b"}", "page", 400)],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_message_is_refused(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        MAPPER.map(body, kind, 10)
    assert refused.value.status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["path", "url", "page", "sessionId", "device", "type", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
NAMES = ["userId", "anonymousId", "timestamp", "sentAt", "originalTimestamp", "receivedAt", "messageId", "event",
         "name", "context", "properties", "type", "x"]  # fmt: skip


@tuned(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_is_sent_gives_a_row_of_the_contract_alone(message: dict[str, Any]) -> None:
    (line,) = MAPPER.map(json.dumps(message).encode(), "track", 1).lines
    assert set(json.loads(line)) <= {field.name for field in CONTRACT.fields} | {"event_id"}
    assert b"\n" not in line
