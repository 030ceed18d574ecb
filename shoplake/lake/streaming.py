"""Lands a stream: batches of event lines out of memory, each range of offsets once, whatever happens in between.

A batch passes the same checks, quarantine and protection of personal data as a file. Its rows, its quarantine and the
stream's new position become true in one transaction of the ledger: after a crash, what is below the recorded position
has landed and is skipped, and nothing else has.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

from shoplake.audit.recording import committing
from shoplake.errors import EventsLanded, InputError, LockedError, PositionMoved
from shoplake.home import HomePaths, require_home
from shoplake.lake.batch import Lander
from shoplake.lake.disk import disk_failures_said
from shoplake.lake.entry import file_id, ledger_entry
from shoplake.lake.held import quarantine_rejected
from shoplake.lake.landing import LandedFile, landed_words
from shoplake.lake.locks import landing_lock, stream_lock
from shoplake.lake.outcomes import BatchOutcome
from shoplake.lake.relations import Offered
from shoplake.sources.json_lines import BLOCK, events_shape
from shoplake.store.landed_events import EventKeys, known_events
from shoplake.store.ledger import StreamRange

if TYPE_CHECKING:
    from shoplake.contracts import Contract
    from shoplake.settings import Settings
    from shoplake.store.ledger import LakeObject, Ledger

EVENT_ID = "event_id"
"""By this field a producer makes retries safe: it says nothing about the event, and is no drift."""
MOST_RIVALS = 3
WIDEST_DRIFT = 50
"""Names of unknown fields that a batch reports; a producer may invent any number of them."""


@dataclass(frozen=True)
class StreamBatch:
    """Consecutive events of one partition of a stream."""

    range: StreamRange
    lines: bytes
    """One JSON object a line, as `shoplake.sources.partitions.joined` gives them."""
    received_at: dt.datetime
    """When the first of them arrived (UTC): an event older than that by more than its contract allows is late."""
    event_keys: Sequence[tuple[int, bytes]] = ()
    """(number of the line, from 0, and key) of events that the stream may hold twice."""

    @property
    def logical_name(self) -> str:
        """Name the batch as the ledger does: ``<stream>/<partition>/<first offset>-<last offset>``."""
        r = self.range
        return f"{r.stream}/{r.partition}/{r.first_offset:012d}-{r.next_offset - 1:012d}"


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def stream_contract(settings: Settings, source: str) -> Contract:
    """Give the contract of a stream source.

    Raises:
        InputError: the source has no contract, or none of kind ``stream``.

    """
    from shoplake.contracts import stream_contracts

    streams = stream_contracts(settings)
    if source not in streams:
        raise InputError(
            f"There is no stream source {source!r}.", hint=f"Stream sources with a contract: {', '.join(streams)}."
        )
    return streams[source]


class StreamLander:
    """Lands batches of one source; reads the keys anew when they have changed. One thread uses it at a time."""

    def __init__(
        self, settings: Settings, source: str, *, threads: int = 1, clock: Callable[[], dt.datetime] = _utc_now
    ) -> None:
        """Land in the home of ``settings``, with DuckDB on ``threads`` threads.

        Raises:
            HomeError: there is no such home.
            InputError: the source has no contract, or none of kind ``stream``.

        """
        require_home(settings)
        self.settings, self.source, self._threads, self._clock = settings, source, threads, clock
        self._opened: tuple[ExitStack, Lander, Ledger] | None = None
        self._keys_seen: tuple[int, int] | None = None
        self._contract()

    def __enter__(self) -> StreamLander:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store and the database."""
        self.close()

    def close(self) -> None:
        """Close the store and the database; the next batch opens them again."""
        if self._opened is not None:
            self._opened[0].close()
        self._opened = None

    def position(self, stream: str, partition: int = 0) -> int | None:
        """Give the first offset that has not landed; None before the first landing."""
        with landing_lock(self.settings, self.source, is_shared=True):
            return self._parts()[1].position(stream, partition)

    def positions(self, stream: str) -> dict[int, int]:
        """Give, by partition, the first offset that has not landed; none before the first landing."""
        with landing_lock(self.settings, self.source, is_shared=True):
            return self._parts()[1].positions(stream)

    def land(self, batch: StreamBatch) -> LandedFile:
        """Land a batch; one whose range has landed already changes nothing (status ``unchanged``).

        However many of its events are bad, the good ones land: a stream has nobody to send it again.

        Raises:
            PositionMoved: a part of the range has landed already; nothing was recorded.
            LockedError: others sweep or write, or the keys change, for longer than 30 s.
            HomeError: the disk is full or fails; nothing was recorded.

        """
        where = batch.range
        with (
            stream_lock(self.settings, where.stream, where.partition),
            landing_lock(self.settings, self.source, is_shared=True),
        ):
            try:
                with disk_failures_said():
                    return self._land_unless_known(batch)
            except (PositionMoved, LockedError):
                raise
            except BaseException:
                # After a failure nothing that is open is to be trusted: the next batch begins with what the disk holds.
                self.close()
                raise

    def _land_unless_known(self, batch: StreamBatch) -> LandedFile:
        where, (lander, ledger) = batch.range, self._parts()
        known = ledger.position(where.stream, where.partition)
        if known is not None and known >= where.next_offset:
            return LandedFile(self.source, batch.logical_name, "unchanged")
        if not batch.lines:
            ledger.record_batch([], positions=[where])
            return LandedFile(self.source, batch.logical_name, "landed")
        for _ in range(MOST_RIVALS):
            try:
                return self._land(lander, ledger, batch)
            except EventsLanded:
                continue
        return self._land(lander, ledger, batch)

    def _land(self, lander: Lander, ledger: Ledger, batch: StreamBatch) -> LandedFile:
        batch, keys, repeated = _once(batch, known_events(ledger.store, [key for _, key in batch.event_keys]))
        contract = self._contract()
        received = batch.received_at.astimezone(dt.UTC).replace(tzinfo=None)
        lander = replace(
            lander,
            contract=contract,
            now=self._clock().astimezone(dt.UTC).replace(tzinfo=None),
            late_before=received - dt.timedelta(seconds=contract.lateness_seconds),
        )
        shape = events_shape(batch.lines)
        name = batch.logical_name
        file = Offered(file_id(self.source, name, shape.content_hash), name, shape)
        outcome = lander.land_events([(file, _blocks(batch.lines))])
        found = outcome.files[file.file_id]
        found.drift.pop(EVENT_ID, None)
        found.drift = Counter(dict(found.drift.most_common(WIDEST_DRIFT)))
        found.rows_read, found.rows_duplicate = found.rows_read + repeated, found.rows_duplicate + repeated
        lander.keep(outcome)
        held, rows = quarantine_rejected(lander, [file], outcome)
        entry = ledger_entry(contract, file, found, "landed", outcome.object)
        landed = LandedFile.from_ledger(entry, "landed")
        with committing(self.settings, "land batch", **landed_words(self.source, [landed])):
            ledger.record_batch(
                [entry],
                objects=_objects(outcome) + ([held] if held else []),
                quarantined=rows,
                positions=[batch.range],
                events=self._event_keys(keys),
            )
        return landed

    def _event_keys(self, keys: Sequence[bytes]) -> EventKeys | None:
        if not keys:
            return None
        remembered = dt.timedelta(hours=self.settings.collector_remember_hours)
        return EventKeys(keys, dt.datetime.now(dt.UTC).replace(tzinfo=None) - remembered)

    def _contract(self) -> Contract:
        return stream_contract(self.settings, self.source)

    def _parts(self) -> tuple[Lander, Ledger]:
        """Open what landing needs, again where the keyring has changed. Call under the landing lock."""
        state = os.stat(HomePaths(self.settings.home).keyring)
        seen = state.st_ino, state.st_mtime_ns
        if self._opened is None or seen != self._keys_seen:
            self.close()
            self._opened, self._keys_seen = self._open(), seen
        return self._opened[1:]

    def _open(self) -> tuple[ExitStack, Lander, Ledger]:
        from shoplake.keys.duckdb_session import connect
        from shoplake.keys.keyring import Keyring
        from shoplake.privacy.vault import Vault
        from shoplake.store.engine import open_store
        from shoplake.store.ledger import Ledger

        keyring = Keyring.open(self.settings)
        with ExitStack() as stack:
            store = open_store(self.settings, keyring)
            stack.callback(store.close)
            store.settle()
            con = connect(self.settings, threads=self._threads)
            stack.callback(con.close)
            lander = Lander(self.settings, self._contract(), keyring, Vault(store, keyring), con, dt.datetime.min)
            return stack.pop_all(), lander, Ledger(store)


def _once(batch: StreamBatch, known: Collection[bytes]) -> tuple[StreamBatch, list[bytes], int]:
    """Leave out events that have landed or came before in the batch; give it, the new keys, and how many those were.

    Their lines become blank, so that each other line keeps its number.
    """
    if not batch.event_keys:
        return batch, [], 0
    lines, seen, repeated = batch.lines.split(b"\n"), set(known), 0
    for place, key in batch.event_keys:
        if key in seen:
            lines[place], repeated = b"", repeated + 1
        seen.add(key)
    new = [*dict.fromkeys(key for _, key in batch.event_keys if key not in known)]
    return replace(batch, lines=b"\n".join(lines)), new, repeated


def _blocks(blob: bytes) -> Iterator[bytes]:
    """Cut the lines as a file is read: some thousand at a time, whose objects stay in the processor's cache."""
    return (blob[start : start + BLOCK] for start in range(0, len(blob), BLOCK))


def _objects(outcome: BatchOutcome) -> list[LakeObject]:
    return [outcome.object] if outcome.object else []
