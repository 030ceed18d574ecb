"""SQL over HTTPS from many clients at once, beside what neither SQL nor HTTPS would cost; part of `bench.service`."""

from __future__ import annotations

import http.client
import json
import ssl
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from shoplake.settings import Settings

CLIENTS, REQUESTS = 8, 100
MILLION = 1_000_000
ONE = json.dumps({"sql": "SELECT 1"}).encode()
WIDE = f"""
select range as id, range % 997 as store_id, (range * 1.37)::decimal(18, 2) as net_amount, range / 3.0 as ratio,
  timestamp '2026-01-01' + to_seconds(range) as sold_at, (range % 7)::varchar || ' pieces' as unit
from range({MILLION})
"""


@dataclass(frozen=True)
class Server:
    """A server to ask, and a token for it."""

    url: str
    ca: Path
    token: str


@dataclass(frozen=True)
class Asked:
    """What requests of many clients took."""

    milliseconds: list[float]
    seconds: float

    @property
    def median(self) -> float:
        """Give the median of the milliseconds."""
        return statistics.median(self.milliseconds)

    @property
    def slowest(self) -> float:
        """Give their 99th percentile."""
        return statistics.quantiles(self.milliseconds, n=100)[98]

    def words(self) -> str:
        """Say it on a line."""
        rate = len(self.milliseconds) / self.seconds
        return f"median {self.median:.1f} ms, p99 {self.slowest:.1f} ms, {rate:,.0f} a second"


def select_one(server: Server, clients: int = CLIENTS, requests: int = REQUESTS) -> Asked:
    """Ask ``SELECT 1`` for JSON, from clients that keep their connections."""
    headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}
    return _many(server, "POST", "/v1/sql", ONE, headers, clients, requests)


def bare(server: Server, clients: int = CLIENTS, requests: int = REQUESTS) -> Asked:
    """Ask for what takes no work: the reference of `select_one`."""
    return _many(server, "GET", "/healthz", None, {}, clients, requests)


def _many(
    server: Server,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    clients: int,
    requests: int,
) -> Asked:
    trusted = ssl.create_default_context(cafile=str(server.ca))
    place = urlsplit(server.url)

    def ask(_client: int) -> list[float]:
        connection = http.client.HTTPSConnection(place.hostname or "", place.port, context=trusted, timeout=60)
        found = []
        for number in range(requests + 1):
            started = time.perf_counter()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES:
                raise RuntimeError(f"{path} was answered {answer.status}")
            if number:  # the first one opens the connection
                found.append((time.perf_counter() - started) * 1000)
        connection.close()
        return found

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        milliseconds = [took for each in pool.map(ask, range(clients)) for took in each]
    return Asked(milliseconds, time.perf_counter() - started)


def million(server: Server) -> float:
    """Give the seconds until a million rows of six columns are an Arrow table of the client; the best of three."""
    from shoplake.client import connect

    with connect(server.url, server.token, ca=server.ca) as lake:
        lake.page("select 1")
        return _best(lambda: lake.sql(WIDE).arrow().num_rows)


def million_in_process(settings: Settings) -> float:
    """Give the seconds that DuckDB takes for the same in this process, over the same release."""
    from shoplake.access.session import open_release
    from shoplake.pipeline.releases import required

    con = open_release(settings, required(settings, None))
    try:
        return _best(lambda: con.execute(WIDE).to_arrow_table().num_rows)
    finally:
        con.close()


def one_in_process(settings: Settings, times: int = 300) -> float:
    """Give the median milliseconds of ``SELECT 1`` in a session that is open in this process."""
    from shoplake.access.session import open_release
    from shoplake.pipeline.releases import required

    con = open_release(settings, required(settings, None))
    try:
        found = []
        for _ in range(times):
            started = time.perf_counter()
            con.execute("select 1").fetchall()
            found.append((time.perf_counter() - started) * 1000)
        return statistics.median(found)
    finally:
        con.close()


def _best(act: Callable[[], int]) -> float:
    found = []
    for _ in range(3):
        started = time.perf_counter()
        rows = act()
        found.append(time.perf_counter() - started)
        if rows != MILLION:
            raise RuntimeError(f"{rows} rows came, not {MILLION}")
    return min(found)
