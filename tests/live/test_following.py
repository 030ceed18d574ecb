"""The live window counts what was sent, each event once, wherever it is on its way into the lake."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import shoplake.collector.drain
import shoplake.live.following
import shoplake.live.window
from shoplake.collector.drain import Drain, drain
from shoplake.keys.keyring import Keyring
from shoplake.lake.landing import LandedFile, land
from shoplake.lake.locks import spool_lock
from shoplake.lake.quarantine import list_rows, replay
from shoplake.live.following import Follower
from shoplake.pipeline.rotation import rotate
from shoplake.settings import Settings
from shoplake.store.deposits import Deposit
from shoplake.store.spool import Spool, open_spool

PAGES = ["/", "/cart", "/help?q=1", "Straße"]
Row = dict[str, Any]


@pytest.fixture
def spool(settings: Settings) -> Iterator[Spool]:
    with spool_lock(settings, is_shared=True):
        opened = open_spool(settings, Keyring.open(settings))
        yield opened
        opened.close()


@pytest.fixture
def follow(settings: Settings, spool: Spool) -> Iterator[Callable[[], Follower]]:
    """Give a function that begins to follow anew, as after a restart."""
    followers: list[Follower] = []

    def begin() -> Follower:
        for follower in followers:
            follower.close()
        followers[:] = [Follower(settings, spool)]
        return followers[0]

    yield begin
    for follower in followers:
        follower.close()


def a_view(draw: random.Random, number: int) -> Row:
    minutes = draw.choice([0, 1, 5, 30, 59, 61, 90, -30])
    return {
        "session_id": f"s{draw.randrange(40)}",
        "user_id": number,
        "page": draw.choice(PAGES),
        "device_type": draw.choice(["Desktop", "Mobile", None, "Watch"]),
        "timestamp": time.time() - minutes * 60 - draw.random(),
        "number": number,
    }


def a_call(draw: random.Random, number: int) -> Row:
    return {
        "customer_id": number,
        "interaction_type": draw.choice(["Complaint", "Feedback", "Loyalty"]),
        "rating": draw.choice([None, 1, 4, 5]),
        "timestamp": time.time() - draw.choice([0, 10, 59, 80]) * 60,
    }


def put(spool: Spool, source: str, rows: list[Row], keys: list[tuple[int, bytes]] | None = None) -> None:
    lines = b"\n".join(json.dumps(row).encode() for row in rows)
    spool.put([Deposit(source, lines, len(rows), time.time(), event_keys=keys or [])])


def expected(answer: dict[str, Any], views: list[Row], calls: list[Row]) -> dict[str, Any]:
    """Count what was sent, in the plainest way."""
    first, last = (dt.datetime.fromisoformat(answer[name]).timestamp() for name in ("from", "to"))
    views = [row for row in views if first <= row["timestamp"] < last]
    calls = [row for row in calls if first <= row["timestamp"] < last]
    ratings = [row["rating"] for row in calls if row["rating"] is not None]
    known = {"Desktop": "Desktop", "Mobile": "Mobile", None: "(none)"}
    device = lambda row: known.get(row["device_type"], "(other)")  # noqa: E731
    minute = lambda row: f"{dt.datetime.fromtimestamp(row['timestamp'] // 60 * 60, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"  # noqa: E731
    by = lambda of: {key: _events([r for r in views if of(r) == key]) for key in {of(row) for row in views}}  # noqa: E731
    return {
        "total": _events(views),
        "pages": by(lambda row: row["page"]),
        "devices": by(device),
        "minutes": by(minute),
        "interactions": len(calls),
        "complaints": sum(row["interaction_type"] == "Complaint" for row in calls),
        "mean_rating": pytest.approx(sum(ratings) / len(ratings)) if ratings else None,
        "types": {t: n for t in ("Complaint", "Feedback", "Loyalty") if (n := _count(calls, t))},
        "newest": [_newest(views), _newest(calls)],
    }


def _newest(rows: list[Row]) -> Any:
    return pytest.approx(max(row["timestamp"] for row in rows), abs=0.002) if rows else None


def _count(calls: list[Row], kind: str) -> int:
    return sum(row["interaction_type"] == kind for row in calls)


def _events(rows: list[Row]) -> tuple[int, int]:
    return len(rows), len({row["session_id"] for row in rows})


def found(answer: dict[str, Any]) -> dict[str, Any]:
    web, calls = answer["web_events"], answer["interactions"]
    by = lambda name, key: {r[key]: (r["events"], r["sessions"]) for r in web[name] if r["events"]}  # noqa: E731
    return {
        "total": (web["events"], web["sessions"]),
        "pages": by("pages", "page"),
        "devices": by("devices", "device"),
        "minutes": by("minutes", "minute"),
        "interactions": calls["interactions"],
        "complaints": calls["complaints"],
        "mean_rating": calls["mean_rating"],
        "types": {row["type"]: row["interactions"] for row in calls["types"]},
        "newest": [
            dt.datetime.fromisoformat(half["newest_at"]).timestamp() if half["newest_at"] else None
            for half in (web, calls)
        ],
    }


def settled(follower: Follower) -> dict[str, Any]:
    while not (answer := follower.answer())["is_complete"]:
        pass
    return answer


def drain_a_part(settings: Settings, spool: Spool) -> None:
    """Land the oldest bodies of a source, and stop before they are deleted."""

    class Stop(Exception):  # noqa: N818
        pass

    def stop(_source: str, _last_id: int, file: LandedFile) -> None:
        if file.rows_read:
            raise Stop

    work = Drain(settings, spool)
    try:
        work.once(stop)
    except Stop:
        pass
    finally:
        work.close()


@pytest.mark.parametrize("seed", range(2))
def test_counts_are_those_of_what_was_sent(
    settings: Settings,
    spool: Spool,
    follow: Callable[[], Follower],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    draw, views, calls, number = random.Random(seed), list[Row](), list[Row](), 0
    sent = list[Row]()
    monkeypatch.setattr(shoplake.live.following, "SMALL_BYTES", draw.choice([0, 2_000, 100_000]))
    monkeypatch.setattr(shoplake.live.following, "CHUNK_BYTES", draw.choice([500, 4_000_000]))
    monkeypatch.setattr(shoplake.live.following, "ROUND_SECONDS", draw.choice([0.02, 0.5]))
    monkeypatch.setattr(shoplake.collector.drain, "BATCH_BYTES", draw.choice([1, 3_000, 24_000_000]))
    follower = follow()
    for step in range(16):
        what = draw.choice(["views", "views", "calls", "again", "bad", "part", "drain", "restart", "file"])
        rows = [a_view(draw, number := number + 1) for _ in range(draw.randrange(1, 15))]
        keys = [(n, b"%d" % row["number"]) for n, row in enumerate(rows)]
        if what == "views":
            put(spool, "web_events", rows, keys)
            sent += rows
            views += rows
        elif what == "again" and sent:
            again = draw.sample(sent, min(len(sent), 5))
            put(spool, "web_events", again, [(n, b"%d" % row["number"]) for n, row in enumerate(again)])
        elif what == "bad":
            put(spool, "web_events", [row | {"timestamp": "soon"} for row in rows])
        elif what == "calls":
            more = [a_call(draw, number := number + 1) for _ in range(5)]
            put(spool, "interactions", more)
            calls += more
        elif what == "part":
            drain_a_part(settings, spool)
        elif what == "drain":
            drain(settings)
        elif what == "restart":
            follower = follow()
        elif what == "file":
            path = tmp_path / f"{step}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            land(settings, "web_events", [path])
            views += rows
        if draw.random() < 0.4:
            follower.answer()  # one round, which may not get all done
            continue
        answer = settled(follower)
        assert found(answer) == expected(answer, views, calls), (step, what)
    drain(settings)
    answer = settled(follower)
    assert found(answer) == expected(answer, views, calls)
    answer = settled(follow())
    assert found(answer) == expected(answer, views, calls)


def test_no_ratings_have_a_reason(spool: Spool, follow: Callable[[], Follower]) -> None:
    follower = follow()
    assert settled(follower)["interactions"]["mean_rating_reason"] == "no_interaction"
    put(spool, "interactions", [{"customer_id": 1, "interaction_type": "Complaint", "timestamp": time.time()}])
    calls = settled(follower)["interactions"]
    assert (calls["mean_rating"], calls["mean_rating_reason"], calls["complaints"]) == (None, "no_rating", 1)


def test_restated_and_replayed_files_and_new_keys(
    settings: Settings, spool: Spool, follow: Callable[[], Follower], tmp_path: Path
) -> None:
    draw, follower = random.Random(1), follow()
    good = [a_view(draw, n) | {"timestamp": time.time() - n} for n in range(100)]
    path = tmp_path / "web.jsonl"
    bad = good[0] | {"timestamp": "soon"}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*good, bad]), encoding="utf-8")
    land(settings, "web_events", [path])
    assert settled(follower)["web_events"]["events"] == 100
    (row,) = list_rows(settings, "web_events")
    replay(settings, edits={row.id: json.dumps(good[0] | {"session_id": "other"})})
    assert settled(follower)["web_events"]["events"] == 101
    rotate(settings)
    put(spool, "web_events", good[:3])
    assert settled(follower)["web_events"]["events"] == 104
    path.write_text("".join(json.dumps(row) + "\n" for row in good[:10]), encoding="utf-8")
    land(settings, "web_events", [path])
    assert settled(follower)["web_events"]["events"] == 13
    assert settled(follow())["web_events"]["events"] == 13


def test_memory_is_bounded_whatever_comes(
    spool: Spool, follow: Callable[[], Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shoplake.live.window, "MOST_PAGES", 100)
    monkeypatch.setattr(shoplake.live.window, "MOST_SEEN", 2_000)
    follower, now = follow(), time.time()
    rows = [{"session_id": f"s{n}", "page": f"/{n}", "timestamp": now - n % 50} for n in range(10_000)]
    rows += [{"session_id": f"r{n}", "page": "/", "timestamp": now} for n in range(3_000)]
    for start in range(0, len(rows), 1_000):
        put(spool, "web_events", rows[start : start + 1_000])
        settled(follower)
    web = settled(follower)["web_events"]
    assert web["events"] == sum(page["events"] for page in web["pages"]) == 13_000
    assert len(web["pages"]) <= shoplake.live.window.SHOWN_PAGES + 1
    assert (web["pages"][0]["page"], web["pages"][0]["events"]) == ("/", 3_000)
    assert web["are_sessions_estimated"]
    assert 10_000 < web["sessions"] < 16_000
