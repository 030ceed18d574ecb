"""People at the pages without a browser: each loads a page, then its tiles, then its tables, as a browser does.

Twenty browsers need more of a processor than the server that they measure; what they ask of it is the same.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from random import Random
from urllib.parse import urlsplit

from shoplake.portal.callers import SESSION_COOKIE

CONNECTIONS = 6
"""A browser opens so many to one host."""
PAUSE_SECONDS = (1.0, 4.0)
PART = re.compile(r'data-(kpi|panel)="[^"]+"[^>]*? hx-get="([^"]+)"')
STATE = re.compile(r'data-state="([a-z-]+)"')
FINE = {"ok", "late", "not-measurable", "no-data"}


@dataclass
class Loaded:
    """One page as it came: seconds from the click, and what failed."""

    tiles_seconds: float
    whole_seconds: float
    failures: list[str]


@dataclass
class Tab:
    """One person's connections."""

    host: str
    port: int
    trusted: ssl.SSLContext
    session: str
    _idle: SimpleQueue[http.client.HTTPSConnection] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        """Make the connections; each opens with its first request."""
        for _ in range(CONNECTIONS):
            self._idle.put(http.client.HTTPSConnection(self.host, self.port, context=self.trusted, timeout=60))
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    def load(self, path: str) -> Loaded:
        """Load a page: itself, all tiles at once, then all tables."""
        started = time.perf_counter()
        text, status = self._get(path, "")
        parts = [(kind, address.replace("&amp;", "&")) for kind, address in PART.findall(text)]
        failed = [] if status == http.client.OK and parts else [f"{path}: no page ({status})"]
        failed += self._each([address for kind, address in parts if kind == "kpi"])
        tiles = time.perf_counter() - started
        failed += self._each([address for kind, address in parts if kind == "panel"])
        return Loaded(tiles, time.perf_counter() - started, failed)

    def close(self) -> None:
        """Hang up."""
        self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def _each(self, addresses: Sequence[str]) -> list[str]:
        found = self._pool.map(lambda address: self._get(address, "true"), addresses)
        return [
            f"{address}: {said}"
            for address, (text, status) in zip(addresses, found, strict=True)
            if (said := _fault(text, status))
        ]

    def _get(self, path: str, is_part: str) -> tuple[str, int]:
        """Give what stands at an address, and the status of the answer."""
        con = self._idle.get()
        try:
            headers = {"cookie": f"{SESSION_COOKIE}={self.session}", "accept-language": "en-GB"}
            headers |= {"hx-request": is_part} if is_part else {}
            try:
                con.request("GET", path, headers=headers)
                answer = con.getresponse()
            except (ConnectionError, http.client.ImproperConnectionState):
                con.close()  # the server hung up while nothing was asked; a browser connects anew as well
                con.request("GET", path, headers=headers)
                answer = con.getresponse()
            return answer.read().decode(), answer.status
        finally:
            self._idle.put(con)


def _fault(text: str, status: int) -> str:
    """Say what is wrong with a tile or table; empty if nothing is."""
    state = STATE.search(text)
    if status != http.client.OK or state is None:
        return f"not there ({status})"
    return "" if state[1] in FINE else state[1]


def each(url: str, authority: str, session: str, team: str, queries: Sequence[str]) -> list[Loaded]:
    """Have one person load pages one after the other."""
    place, trusted = urlsplit(url), ssl.create_default_context(cafile=authority)
    tab = Tab(str(place.hostname), place.port or 443, trusted, session)
    try:
        return [tab.load(f"/{team}{query}") for query in queries]
    finally:
        tab.close()


def many(
    url: str, authority: str, sessions: Sequence[tuple[str, str]], queries: Sequence[str], pages: int
) -> list[Loaded]:
    """Have many people look at pages at once, each with pauses of a reader.

    Args:
        url: of the service.
        authority: file of the certificate to trust.
        sessions: team and session of each person.
        queries: query strings that they choose from.
        pages: how many each of them loads.

    """
    place, found, lock = urlsplit(url), list[Loaded](), threading.Lock()
    trusted = ssl.create_default_context(cafile=authority)

    def person(number: int, team: str, session: str) -> None:
        chance, tab = Random(number), Tab(str(place.hostname), place.port or 443, trusted, session)  # noqa: S311
        for _ in range(pages):
            time.sleep(chance.uniform(*PAUSE_SECONDS))
            loaded = tab.load(f"/{team}{chance.choice(queries)}")
            with lock:
                found.append(loaded)
        tab.close()

    threads = [threading.Thread(target=person, args=[n, *one]) for n, one in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
