"""Follows what lands and what waits in the spool, and keeps a window's counts true to both.

What has landed is read from the lake, by the ledger's changes; what waits to land is read from the spool and checked by
the rules of landing. Which is which is decided by the ledger's position of the spool's stream alone, read in one moment
with the files that have landed: no event is counted as both, and none as neither.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.contracts import stream_contracts
from shoplake.home import HomePaths
from shoplake.keys.duckdb_session import connect, text
from shoplake.keys.keyring import Keyring
from shoplake.keys.rereading import rereads
from shoplake.lake.events import EventBatch
from shoplake.lake.protect import forget_clear
from shoplake.lake.scan import scan_objects_sql
from shoplake.live.window import LANDED, SOURCES, WEB_EVENTS, Window, first_minute
from shoplake.sources.json_lines import BLOCK
from shoplake.store.engine import Store, open_store
from shoplake.store.ledger import Ledger
from shoplake.store.recent import RecentFile, recent

if TYPE_CHECKING:
    from typing import Any

    from shoplake.settings import Settings
    from shoplake.store.spool import Spool, Waiting

ROUND_SECONDS = 0.5
"""A round takes no longer by much: what it does not get done is done in the next ones."""
CHUNK_BYTES = 4_000_000
SMALL_BYTES = 500_000
MEMORY = "512MB"


@dataclass
class _Chunk:
    """Bodies of the spool that are counted as one part."""

    part: int
    first_id: int
    last_id: int
    size: int


@dataclass
class _Waiting:
    """What is counted of one source's bodies in the spool."""

    position: int = 1
    """The first body that has not landed."""
    chunks: list[_Chunk] = field(default_factory=list)
    """In the order of their bodies."""
    hole: tuple[int, int] | None = None
    """Bodies before the chunks that wait and are not counted: the first ones of their chunk have landed."""

    @property
    def read(self) -> int:
        """The last body that is counted, or has landed."""
        return max(self.chunks[-1].last_id if self.chunks else 0, self.position - 1)

    def landed(self, position: int) -> list[_Chunk]:
        """Note how far it has landed; give the chunks that count no longer. One cut in two is read again."""
        if position == self.position:
            return []
        end = self.hole[1] if self.hole else 0
        # Chunks before the end of a hole were read out of it: with what is left of it they make one hole again.
        gone = [chunk for chunk in self.chunks if chunk.first_id < max(position, end)]
        self.position, self.chunks = position, self.chunks[len(gone) :]
        end = max([end, *(chunk.last_id for chunk in gone)])
        self.hole = (position, end) if end >= position else None
        return gone


class Follower:
    """Keeps a window; one thread uses it at a time."""

    def __init__(self, settings: Settings, spool: Spool) -> None:
        """Follow the home of ``settings``, whose spool is open."""
        self._settings, self._spool = settings, spool
        contracts = stream_contracts(settings)
        self._contracts = {source: contracts[source] for source in SOURCES}
        self._con = connect(settings, threads=1, memory_limit=MEMORY)
        self._window = Window(self._con, contracts[WEB_EVENTS])
        self._part = LANDED
        self._opened: tuple[Store, Keyring, tuple[int, int]] | None = None
        self._answer: tuple[dt.datetime, dict[str, Any]] | None = None
        self._forget_all()

    def close(self) -> None:
        """Close what is open."""
        self._close_store()
        self._con.close()

    def answer(self) -> dict[str, Any]:
        """Catch up, as far as a round goes; give the counts, and whether all is in them that is known.

        Raises:
            ShoplakeError: the store, the lake or the spool cannot be read now; the next call goes on.

        """
        now, until = utc_now(), time.monotonic() + ROUND_SECONDS
        self._window.turn(now)
        self._look(now)
        self._count_landed(now, until)
        is_complete = not self._landed
        for source in SOURCES:
            is_complete &= self._count_waiting(source, now, until)
        if self._answer is None or self._answer[0] != first_minute(now):
            self._answer = first_minute(now), self._window.answer(now)
        return self._answer[1] | {"is_complete": is_complete}

    def _forget_all(self) -> None:
        self._window.clear()
        self._counted: dict[tuple[str, str], dt.datetime] = {}
        self._landed: deque[RecentFile] = deque()
        self._waiting = {source: _Waiting() for source in SOURCES}
        self._sequence, self._answer = 0, None

    @rereads
    def _look(self, now: dt.datetime) -> None:
        """See what has landed since the last time, and count bodies of the spool that have landed no longer as such."""
        since = first_minute(now)
        streams = {self._spool.stream(source): source for source in SOURCES}
        store, _ = self._parts()
        found = recent(store, SOURCES, [*streams], after=self._sequence, since=since)
        if found.is_retired and self._sequence:
            self._forget_all()
            found = recent(store, SOURCES, [*streams], after=0, since=since)
        self._sequence = found.sequence
        self._counted = {pair: last for pair, last in self._counted.items() if last >= since}
        for file in found.files:
            pair = file.file_id, file.object_name
            if pair not in self._counted:
                self._counted[pair] = file.last_event_at
                self._landed.append(file)
        for stream, position in found.positions.items():
            for chunk in self._waiting[streams[stream]].landed(position):
                self._window.drop(chunk.part)
                self._answer = None

    def _count_landed(self, now: dt.datetime, until: float) -> None:
        while self._landed and time.monotonic() < until:
            self._count_file(self._landed[0], now)
            self._landed.popleft()
            self._answer = None

    @rereads
    def _count_file(self, file: RecentFile, now: dt.datetime) -> None:
        store, keyring = self._parts()
        objects = [o for o in Ledger(store).objects_of(file.file_id) if o.name == file.object_name]
        contract = self._contracts[file.source]
        rows = scan_objects_sql(self._con, keyring, objects, contract, settings=self._settings)
        relation = f"(select * from ({rows}) where _file_id = {text(file.file_id)})"
        self._window.count(file.source, relation, LANDED, now)

    def _count_waiting(self, source: str, now: dt.datetime, until: float) -> bool:
        """Count bodies that wait; say whether all are counted."""
        waiting = self._waiting[source]
        while time.monotonic() < until:
            found = self._next_bodies(source, waiting)
            if found is not None:
                self._count_bodies(source, waiting, found, now)
            elif waiting.hole is None:
                return True
            waiting.hole = _rest(waiting.hole, found)
        return False

    def _next_bodies(self, source: str, waiting: _Waiting) -> Waiting | None:
        if waiting.hole is None:
            return self._spool.waiting(source, waiting.read, most_bytes=CHUNK_BYTES)
        first, last = waiting.hole
        return self._spool.waiting(source, first - 1, most_bytes=CHUNK_BYTES, through=last)

    def _count_bodies(self, source: str, waiting: _Waiting, found: Waiting, now: dt.datetime) -> None:
        """Count bodies by the rules of landing: a small number of them together with the ones before."""
        size = sum(map(len, found.lines))
        latest = waiting.chunks[-1] if waiting.chunks and waiting.hole is None else None
        if latest is not None and latest.size + size < SMALL_BYTES:
            latest.last_id, latest.size, part = found.last_id, latest.size + size, latest.part
        else:
            self._part += 1
            part = self._part
            waiting.chunks.append(_Chunk(part, found.first_id, found.last_id, size))
            waiting.chunks.sort(key=lambda chunk: chunk.first_id)
        contract, blob = self._contracts[source], b"\n".join(found.lines)
        batch = EventBatch(self._con, contract, now)
        try:
            batch.add("", (blob[start : start + BLOCK] for start in range(0, len(blob), BLOCK)))
            batch.check()
            batch.drop_duplicates()
            self._window.count(source, "clear_rows", part, now)
        finally:
            forget_clear(self._con, contract)
        self._answer = None

    def _parts(self) -> tuple[Store, Keyring]:
        """Open the store and the keys, again where the keyring has changed."""
        state = os.stat(HomePaths(self._settings.home).keyring)
        seen = state.st_ino, state.st_mtime_ns
        if self._opened is None or self._opened[2] != seen:
            self._close_store()
            keyring = Keyring.open(self._settings)
            self._opened = open_store(self._settings, keyring), keyring, seen
        return self._opened[:2]

    def _close_store(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
        self._opened = None


def _rest(hole: tuple[int, int] | None, found: Waiting | None) -> tuple[int, int] | None:
    """Give what is left of a hole."""
    return (found.last_id + 1, hole[1]) if hole and found and found.last_id < hole[1] else None


def utc_now() -> dt.datetime:
    """Give the time as the lake has it: UTC, without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
