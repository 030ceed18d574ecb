"""Takes what waits in the spool into the lake, each range once, and then out of the spool.

While a collector runs, a process of its own does this, so that landing takes no time from answering requests; the
collector deletes what that process says has landed.
"""

from __future__ import annotations

import datetime as dt
import logging
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing
from shoplake.errors import PositionMoved, ShoplakeError
from shoplake.garbage import collect_rarely
from shoplake.lake.landing import LandedFile
from shoplake.lake.locks import spool_lock
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.sources.partitions import joined
from shoplake.store.ledger import StreamRange

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.spool import Spool

log = logging.getLogger("shoplake.collector")
BATCH_BYTES = 24_000_000
OnLanded = Callable[[str, int, LandedFile], None]
"""Told (source, last id of the spool, what landed)."""


class Drain:
    """Lands the bodies of a spool."""

    def __init__(self, settings: Settings, spool: Spool, *, threads: int = 1) -> None:
        """Drain ``spool``, every stream source of it."""
        from shoplake.contracts import stream_contracts

        self._spool = spool
        sources = stream_contracts(settings)
        self._landers = {source: StreamLander(settings, source, threads=threads) for source in sources}
        self._positions: dict[str, int] = {}

    def once(self, on_landed: OnLanded) -> bool:
        """Land what waits, a batch of each source in turn until none waits; say whether all of it has landed."""
        waiting = [source for source in self._spool.backlog() if source in self._landers]
        while waiting:
            waiting = [source for source in waiting if self._land_next(source, on_landed)]
        return not waiting

    def close(self) -> None:
        """Close what landing had opened."""
        for lander in self._landers.values():
            lander.close()

    def _land_next(self, source: str, on_landed: OnLanded) -> bool:
        stream = self._spool.stream(source)
        if source not in self._positions:
            self._positions[source] = self._landers[source].position(stream) or 1
            on_landed(source, self._positions[source] - 1, LandedFile(source, "", "unchanged"))
        start = self._positions[source]
        found = self._spool.waiting(source, start - 1, most_bytes=BATCH_BYTES)
        if found is None:
            return False
        where = StreamRange(stream, 0, start, found.last_id + 1)
        received = dt.datetime.fromtimestamp(found.received_at, dt.UTC)
        # Forgotten while it lands: should it fail, the ledger knows how far it came.
        del self._positions[source]
        try:
            landed = self._landers[source].land(StreamBatch(where, joined(found.lines), received))
        except PositionMoved:
            return True  # another process drains, too: what it has left comes next
        self._positions[source] = where.next_offset
        on_landed(source, found.last_id, landed)
        return True


def drain(settings: Settings) -> list[LandedFile]:
    """Land all that waits in the spool now, and delete it there; a collector may be running.

    Raises:
        HomeError: there is no such home.

    """
    landed: list[LandedFile] = []
    with changing(settings, "drain") as entry, _opened(settings) as spool:

        def note(source: str, last_id: int, file: LandedFile) -> None:
            spool.forget_landed(source, last_id)
            landed.extend([file] if file.rows_read else [])

        work = Drain(settings, spool, threads=settings.threads)
        try:
            work.once(note)
        finally:
            work.close()
        entry.rows = sum(file.rows_landed for file in landed)
    return landed


@contextmanager
def _opened(settings: Settings) -> Iterator[Spool]:
    from shoplake.keys.keyring import Keyring
    from shoplake.store.spool import open_spool

    with spool_lock(settings, is_shared=True, wait_seconds=30), ExitStack() as stack:
        spool = open_spool(settings, Keyring.open(settings))
        stack.callback(spool.close)
        yield spool


def _tell(source: str, last_id: int, file: LandedFile) -> None:
    print(f"{source} {last_id} {file.rows_read}", flush=True)


def main() -> None:
    """Drain again and again until standard input ends, as it does when the collector has ended, however it did."""
    from shoplake.settings import load_settings

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    settings = load_settings(Path(sys.argv[1]))
    seconds = float(sys.argv[2])
    collect_rarely()
    try:
        _keep_draining(settings, seconds)
    except ShoplakeError as error:
        sys.exit(f"The spool cannot be drained: {error.message}")


def _keep_draining(settings: Settings, seconds: float) -> None:
    with _opened(settings) as spool:
        work = Drain(settings, spool)
        while not select.select([sys.stdin], [], [], seconds)[0]:
            try:
                work.once(_tell)
            except PositionMoved:
                continue  # another drain, such as a stream's round, was first; the ledger says how far
            except ShoplakeError as error:
                log.warning("the spool was not drained: %s", error.message)
        work.close()


if __name__ == "__main__":
    main()
