"""Writes the spool, in a process of its own: its commits take no time from answering requests.

It reads from two sockets. On the first come deposits, a group at a time, and go answers, when the group is durable:
each is the length of what follows (four bytes, big-endian) and an array in MessagePack. On the second come lines of
JSON that say what may be forgotten, ``{"source", "through"}`` or ``{"before"}``, and go lines that say how much was,
``{"gone"}`` or ``{"failed"}``. The process ends when the second one does, and so never outlives the collector.
"""

from __future__ import annotations

import json
import logging
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shoplake.errors import ShoplakeError
from shoplake.garbage import collect_rarely
from shoplake.store.deposits import Deposit, Stored

if TYPE_CHECKING:
    from shoplake.store.spool import Spool

log = logging.getLogger("shoplake.collector")
LENGTH_BYTES = 4
LONGEST_LINE = 4_096


def put_all(spool: Spool, deposits: Sequence[Deposit]) -> list[Stored]:
    """Store deposits; one that cannot be stored is ``unavailable``."""
    try:
        return spool.put(deposits)
    except ShoplakeError as failure:
        log.error("commits failed: %s", failure.message)
    except Exception as failure:  # noqa: BLE001 - its text may hold what was sent: only its kind is told
        log.error("commits failed: %s", type(failure).__name__)
        if len(deposits) > 1:
            # One of them may be at fault: the others must not suffer for it.
            return [stored for deposit in deposits for stored in put_all(spool, [deposit])]
    return [Stored("unavailable") for _ in deposits]


class Writer:
    """Does what comes over the two sockets, in turn."""

    def __init__(self, spool: Spool, deposits: socket.socket, requests: socket.socket) -> None:
        """Write ``spool``."""
        self._spool, self._deposits, self._requests = spool, deposits, requests
        self._decode = msgspec.msgpack.Decoder(list[Deposit]).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def run(self) -> None:
        """Work until nobody asks any more."""
        poll = select.poll()
        poll.register(self._deposits, select.POLLIN)
        poll.register(self._requests, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll()}
            if self._deposits.fileno() in ready and not self._store():
                poll.unregister(self._deposits)
            if self._requests.fileno() in ready and not self._forget():
                return

    def _store(self) -> bool:
        """Store a group; say whether another one may come."""
        if (head := _read(self._deposits, LENGTH_BYTES)) is None:
            return False
        if (body := _read(self._deposits, int.from_bytes(head))) is None:
            return False
        answer = self._encode(put_all(self._spool, self._decode(body)))
        return _send(self._deposits, len(answer).to_bytes(LENGTH_BYTES) + answer)

    def _forget(self) -> bool:
        """Forget some of what may be forgotten; say whether more may come."""
        if not (line := self._requests.recv(LONGEST_LINE)):
            return False
        what = json.loads(line)
        found: dict[str, object] = {"gone": 0}
        try:
            if "before" in what:
                self._spool.forget_older(what["before"])
            else:
                found = {"gone": self._spool.forget_some(what["source"], what["through"])}
        except ShoplakeError as failure:
            found = {"failed": failure.message}
        return _send(self._requests, json.dumps(found).encode() + b"\n")


def _read(connection: socket.socket, size: int) -> bytearray | None:
    """Read exactly so many bytes; None where the other side has ended."""
    data = bytearray(size)
    view = memoryview(data)
    try:
        while view:
            if not (got := connection.recv_into(view)):
                return None
            view = view[got:]
    except ConnectionResetError:
        return None
    return data


def _send(connection: socket.socket, data: bytes) -> bool:
    """Send; say whether anybody is there."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def main() -> None:
    """Write until the collector has ended, however it did; signals are for the collector, which ends this in time."""
    from shoplake.keys.keyring import Keyring
    from shoplake.lake.locks import spool_lock
    from shoplake.settings import load_settings
    from shoplake.store.spool import open_spool

    for ends in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ends, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    settings = load_settings(Path(sys.argv[1]))
    deposits, requests = (socket.socket(fileno=int(number)) for number in sys.argv[2:4])
    try:
        with spool_lock(settings, is_shared=True, wait_seconds=30):
            spool = open_spool(settings, Keyring.open(settings))
            collect_rarely()
            Writer(spool, deposits, requests).run()
            spool.close()
    except ShoplakeError as error:
        sys.exit(f"The spool cannot be written: {error.message}")


if __name__ == "__main__":
    main()
