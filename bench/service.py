"""Measures the service: ``python -m bench.service [--home .demo] [--requests 300]``.

A running `shoplake serve` over the demo is asked by HTTPS, by one client and by eight: for ``/healthz``, which shows
what TLS and HTTP cost alone, for the KPIs of all teams again and again, as pages ask for them, and for KPIs over days
that nobody has asked for before. `bench.sql` asks it in SQL.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.https import Asked, Found, ask
from bench.machine import describe
from bench.sql import measure_sql
from shoplake.access.administration import add_token, add_user
from shoplake.access.kpi import load_kpis
from shoplake.access.kpi_window import Clock
from shoplake.access.releasing import apply
from shoplake.errors import InputError
from shoplake.pipeline.releases import required
from shoplake.settings import Settings, load_settings

KPI_MILLISECONDS = 50.0
CLIENTS = (1, 8)


def main() -> int:
    """Measure and print; give 1 if the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.service", description=__doc__)
    parser.add_argument("--home", type=Path, help="home with a release (default: the demo, made for it)")
    parser.add_argument("--requests", type=int, default=300, help="requests of each measurement")
    given = parser.parse_args()
    for name, value in describe().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as work:
        home = given.home or demo_home(Path(work))
        settings = load_settings(home)
        tokens = _tokens(settings)
        with running_service(home) as (url, pid):
            is_met = _measure(settings, url, pid, tokens, given.requests)
            return 0 if measure_sql(settings, url, pid, list(tokens.values()), given.requests) and is_met else 1


def _measure(settings: Settings, url: str, pid: int, tokens: dict[str, str], requests: int) -> bool:
    kpis = load_kpis().values()
    again = [Asked(f"/v1/kpis/{kpi.name}", tokens[kpi.team]) for kpi in kpis]
    first = _first(settings, tokens)
    ask(settings, url, pid, again, 1, len(again))
    found: list[Found] = []
    for clients in CLIENTS:
        bare = ask(settings, url, pid, [Asked("/healthz")], clients, requests)
        found.append(ask(settings, url, pid, again, clients, requests))
        print(f"healthz, {clients} client(s): {bare.words()}")
        print(f"KPI as asked again, {clients} client(s): {found[-1].words()}")
    cold = ask(settings, url, pid, first, 1, len(first))
    print(f"KPI over days not asked for before, 1 client: {cold.words()}")
    print(f"KPI asked again, p95 with one client {found[0].p95:.1f} ms (target {KPI_MILLISECONDS:.0f} ms)")
    return found[0].p95 <= KPI_MILLISECONDS and not any(one.failures for one in found)


def _first(settings: Settings, tokens: dict[str, str]) -> list[Asked]:
    """Make a question of every KPI over days that no other question is about."""
    manifest, asked = required(settings, None), list[Asked]()
    for number, kpi in enumerate(load_kpis().values(), start=1):
        last = Clock(manifest).window(kpi.sources, None, None).last - number * dt.timedelta(days=1)
        asked.append(Asked(f"/v1/kpis/{kpi.name}?from={last - dt.timedelta(days=6)}&to={last}", tokens[kpi.team]))
    return asked


def demo_home(work: Path) -> Path:
    """Make the demo below a folder; give its home."""
    command = [sys.executable, "-m", "shoplake", "--home", str(work / "home"), "demo", "--no-serve"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return work / "home"


def team_users(settings: Settings) -> dict[str, str]:
    """Make a user of every team, unless they are there; give their names by team."""
    found = {team: f"bench-{team}" for team in sorted({kpi.team for kpi in load_kpis().values()})}
    for team, name in found.items():
        with suppress(InputError):  # it is there from an earlier call
            add_user(settings, name, team, {}, os.urandom(16).hex())
    apply(settings)
    return found


def _tokens(settings: Settings) -> dict[str, str]:
    return {team: add_token(settings, name, (), 1)[0] for team, name in team_users(settings).items()}


@contextmanager
def running_service(home: Path) -> Iterator[tuple[str, int]]:
    """Run the service without its other parts; give its address and process."""
    command = [sys.executable, "-m", "shoplake", "--home", str(home), "serve", "--port", "0"]
    command += ["--no-collect", "--no-stream"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert process.stdout is not None  # noqa: S101 - it is piped
        yield process.stdout.readline().split()[-1], process.pid
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
