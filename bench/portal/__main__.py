"""Measures the portal: ``python -m bench.portal [--home .demo] [--people 20] [--output docs/benchmarks.md]``.

A running `shoplake serve` over the demo is looked at by a real Chromium: how soon a team page is painted, and when its
last tile is there, over several teams and windows, some of days that nobody has asked for before; how many bytes a
first load takes; how soon an open page shows a new release. Then many people look at pages at once
(`bench.portal.people`), with the browser beside them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.machine import describe
from bench.measure import cpu_seconds
from bench.portal.browsing import Seen, at, chromium, first_load_bytes, rounds, seconds_to_show
from bench.portal.people import Loaded, each, many
from bench.section import with_section
from bench.service import demo_home, running_service, team_users
from shoplake.access.kpi_window import Clock
from shoplake.access.login import open_logins
from shoplake.pipeline.releases import next_release_id, required, save
from shoplake.portal.pages.boards import TEAMS
from shoplake.settings import Settings, load_settings

PAINT_MS, TILES_MS, FIRST_BYTES, MANY_SECONDS, RELEASE_SECONDS = 200.0, 800.0, 300_000, 1.5, 5.0
PRESETS = ("", "?days=7", "?days=90", "?days=month")
RELEASES = 3


@dataclass(frozen=True)
class Result:
    """One figure beside what it should be."""

    what: str
    found: str
    target: str
    is_met: bool


def main() -> int:
    """Measure and print; give 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.portal", description=__doc__)
    parser.add_argument("--home", type=Path, help="home with a release (default: the demo, made for it)")
    parser.add_argument("--people", type=int, default=20, help="people at once")
    parser.add_argument("--pages", type=int, default=6, help="pages that each of them looks at")
    parser.add_argument("--output", type=Path, help="page whose section is replaced, such as docs/benchmarks.md")
    given = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        settings = load_settings(given.home or demo_home(Path(work)))
        users = team_users(settings)
        with running_service(settings.home) as (url, pid):
            results = _measure(settings, url, pid, users, given.people, given.pages)
    for name, value in machine.items():
        print(f"{name}: {value}")
    for result in results:
        print(f"{result.what}: {result.found} (target {result.target}){'' if result.is_met else ': MISSED'}")
    if given.output:
        given.output.write_text(
            with_section(given.output.read_text(encoding="utf-8"), _section(results, machine)), encoding="utf-8"
        )
    return 0 if all(result.is_met for result in results) else 1


def _measure(settings: Settings, url: str, pid: int, users: dict[str, str], people: int, pages: int) -> list[Result]:
    sessions = {team: _session(settings, name) for team, name in users.items()}
    authority = str(settings.home / "tls" / "ca.pem")
    first = [loaded for team in TEAMS for loaded in each(url, authority, sessions[team], team, PRESETS)]
    with chromium() as browser:
        seen, fresh = list[Seen](), list[Seen]()
        for number, team in enumerate(TEAMS):
            with at(browser, url, sessions[team]) as page:
                rounds(page, [f"/{team}"])  # fonts and scripts are there from now on
                seen += rounds(page, [f"/{team}{query}" for query in [*PRESETS, *PRESETS]])
                fresh += rounds(page, [f"/{team}{query}" for query in _fresh(settings, number)])
        with at(browser, url, sessions["sales"]) as page:
            size = first_load_bytes(page, "/sales")
        with at(browser, url, sessions["finance"]) as page:
            waits = [seconds_to_show(page, "/finance", lambda: _publish(settings)) for _ in range(RELEASES)]
        crowd = [(team, _session(settings, users[team])) for team in (TEAMS * people)[:people]]
        loaded, before = list[Loaded](), cpu_seconds(pid)
        threads = [threading.Thread(target=lambda: loaded.extend(many(url, authority, crowd, PRESETS, pages)))]
        threads[0].start()
        with at(browser, url, sessions["operations"]) as page:
            beside = list[Seen]()
            while threads[0].is_alive():
                beside += rounds(page, ["/operations"])
                threads[0].join(1)
        used = cpu_seconds(pid) - before
    return [
        *_of_one(seen),
        _as_first_asked(first, fresh),
        Result("bytes of a first load, compressed", f"{size:,}", f"{FIRST_BYTES:,}", size < FIRST_BYTES),
        _seconds("from the release's pointer to an open page, longest of 3", max(waits), RELEASE_SECONDS),
        *_of_many(loaded, beside, used),
    ]


def _of_one(seen: Sequence[Seen]) -> list[Result]:
    paint, tiles = [one.paint for one in seen], [one.tiles for one in seen]
    return [
        _milliseconds(f"first paint of a team page, {len(seen)} pages", paint, PAINT_MS),
        _milliseconds("last tile of a team page", tiles, TILES_MS),
    ]


def _as_first_asked(first: Sequence[Loaded], fresh: Sequence[Seen]) -> Result:
    """Say what the server is warm against: pages over days that nobody of that role has asked for since the start."""
    tiles, words = sorted(one.tiles_seconds for one in first), [one.tiles for one in fresh]
    text = f"p50 {statistics.median(tiles) * 1000:.0f} ms, p95 {_p95(tiles) * 1000:.0f} ms; "
    text += f"in the browser, over odd days: p50 {statistics.median(words):.0f} ms, most {max(words):.0f} ms"
    return Result("all tiles of a page that nobody has asked for before", text, "none", is_met=True)


def _of_many(loaded: Sequence[Loaded], beside: Sequence[Seen], used: float) -> list[Result]:
    tiles = sorted(one.tiles_seconds for one in loaded)
    whole, failures = (
        sorted(one.whole_seconds for one in loaded),
        [failure for one in loaded for failure in one.failures],
    )
    words = f"p50 {statistics.median(tiles):.2f} s, p95 {_p95(tiles):.2f} s; with all tables p95 {_p95(whole):.2f} s"
    words += f"; {used / len(loaded) * 1000:,.0f} ms of the server's processor a page; failures {len(failures)}"
    for failure in failures[:10]:
        print(f"failed: {failure}")
    is_met = _p95(tiles) < MANY_SECONDS and not failures
    return [
        Result(f"a page with its tiles, many people at once, {len(loaded)} pages", words, f"{MANY_SECONDS} s", is_met),
        _milliseconds("last tile in a browser beside them", [one.tiles for one in beside], MANY_SECONDS * 1000),
    ]


def _milliseconds(what: str, found: Sequence[float], target: float) -> Result:
    words = f"p50 {statistics.median(found):.0f} ms, p95 {_p95(sorted(found)):.0f} ms"
    return Result(what, words, f"{target:.0f} ms", _p95(sorted(found)) < target)


def _seconds(what: str, found: float, target: float) -> Result:
    return Result(what, f"{found:.1f} s", f"{target:.0f} s", found < target)


def _p95(found: Sequence[float]) -> float:
    return found[int(0.95 * (len(found) - 1))]


def _fresh(settings: Settings, number: int) -> list[str]:
    """Make windows that no other page of the run is about."""
    manifest = required(settings, None)
    last = Clock(manifest).window(["pos", "web_events"], None, None).last
    ends = [last - dt.timedelta(days=2 * number + shift) for shift in (1, 2)]
    return [f"?from={end - dt.timedelta(days=9)}&to={end}" for end in ends]


def _session(settings: Settings, user: str) -> str:
    with open_logins(settings) as logins:
        return logins.sign_ins.add_session(user, lasts=dt.timedelta(hours=1))[0]


def _publish(settings: Settings) -> None:
    """Publish the served release once more."""
    now = dt.datetime.now(dt.UTC)
    again = msgspec.structs.replace(required(settings, None), release_id=next_release_id(settings, now), created_at=now)
    save(settings, again)


def _section(results: Sequence[Result], machine: dict[str, str]) -> str:
    lines = [f"| {one.what} | {one.found} | {one.target} | {'yes' if one.is_met else 'no'} |" for one in results]
    where = "; ".join(f"{name} {value}" for name, value in machine.items())
    return "\n".join(
        [
            "## Portal\n",
            "Team pages of the demo over HTTPS, in a real Chromium without a window and by clients that load what a "
            "browser loads, on the machine that serves them (`python -m bench.portal`).\n",
            "| | found | target | met |",
            "|---|---|---|---|",
            *lines,
            f"\n{where}.\n",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
