"""The collector's side of the process that writes the spool: starts it, and starts it anew should it end."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from shoplake.collector.spool_process import LENGTH_BYTES, LONGEST_LINE
from shoplake.errors import HomeError
from shoplake.store.deposits import Deposit, Stored
from shoplake.store.spool import DELETE_BODIES

if TYPE_CHECKING:
    from shoplake.settings import Settings

log = logging.getLogger("shoplake.collector")
STOP_SECONDS, FORGET_SECONDS = 30.0, 60.0


class SpoolClient:
    """Has the spool written by a process of its own.

    Deposits come from the event loop, what may be forgotten from any thread. What the process had not answered when it
    ended may be stored or not, and is not acknowledged.
    """

    def __init__(self, settings: Settings) -> None:
        """Start the process."""
        self._settings = settings
        self._child = _Child(settings)
        self._renewing = threading.Lock()
        self._link: _Link | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self._decode = msgspec.msgpack.Decoder(list[Stored]).decode
        self.restarts = 0
        """How often the process had to be started anew."""

    async def put(self, deposits: Sequence[Deposit]) -> list[Stored]:
        """Store a group, when the last one has been answered; give what became of each deposit.

        Raises:
            HomeError: the process has ended.

        """
        link = self._link
        if link is None or link.is_lost:
            link = self._link = await self._connect()
        return self._decode(await link.ask(self._encoder, deposits))

    def forget_landed(self, source: str, through: int) -> None:
        """Delete the bodies of a source up to an id, some at a time, so that deposits hardly wait.

        Raises:
            HomeError: they cannot be deleted now.

        """
        while self._ask({"source": source, "through": through}) >= DELETE_BODIES:
            pass

    def forget_older(self, before: float) -> None:
        """Forget requests and events that were remembered before a time (seconds since 1970).

        Raises:
            HomeError: they cannot be forgotten now.

        """
        self._ask({"before": before})

    async def leave(self) -> None:
        """Leave the event loop, when the last group has been answered."""
        if self._link is not None:
            await self._link.close()

    def close(self) -> None:
        """End the process when it has done what it was asked to."""
        self._child.end()

    async def _connect(self) -> _Link:
        child = self._child
        if child.is_taken:
            # The link is lost, so that the process has ended, or is about to.
            child = await asyncio.to_thread(self._renew, child)
        child.is_taken = True
        link = _Link()
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=child.deposits)
        return link

    def _renew(self, ended: _Child) -> _Child:
        with self._renewing:
            if self._child is ended:
                ended.kill()
                log.error("the spool's process ended with code %s; it is started anew", ended.process.returncode)
                self.restarts += 1
                self._child = _Child(self._settings)
            return self._child

    def _ask(self, what: dict[str, object]) -> int:
        child = self._child
        if child.process.poll() is not None:
            child = self._renew(child)
        answer = child.ask(json.dumps(what).encode() + b"\n")
        found = json.loads(answer or b'{"failed": "The spool\'s process has ended."}')
        if "failed" in found:
            raise HomeError(found["failed"], hint="It is started anew, and asked again.")
        return int(found["gone"])


class _Child:
    """The process, and our ends of its sockets."""

    def __init__(self, settings: Settings) -> None:
        """Start it."""
        self.deposits, theirs = socket.socketpair()
        self._requests, their_requests = socket.socketpair()
        self.is_taken = False
        """Whether a link has it, which then closes the first of the sockets."""
        with theirs, their_requests:
            numbers = theirs.fileno(), their_requests.fileno()
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "shoplake.collector.spool_process", str(settings.home), *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=numbers,
            )
        self.deposits.setblocking(False)
        self._requests.settimeout(FORGET_SECONDS)
        self._asking = threading.Lock()

    def ask(self, line: bytes) -> bytes:
        """Send a line; give the answer, or nothing where none comes."""
        with self._asking:
            try:
                self._requests.sendall(line)
                return self._requests.recv(LONGEST_LINE)
            except OSError:
                return b""

    def end(self) -> None:
        """Let it end, which it does when nobody can ask any more."""
        self._close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once: what it was storing is stored whole or not at all."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        with self._asking:
            self._requests.close()
        if not self.is_taken:
            self.deposits.close()


class _Link(asyncio.Protocol):
    """The socket that deposits go over."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = bytearray()
        self._gone = asyncio.get_running_loop().create_future()
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the event loop calls it
        """Tell who waits."""
        self.is_lost = True
        self._gone.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HomeError("The spool's process has ended.", hint="It is started anew."))

    async def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()
            await self._gone

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._received += data
        size = LENGTH_BYTES + int.from_bytes(self._received[:LENGTH_BYTES])
        if len(self._received) >= max(size, LENGTH_BYTES + 1) and self._answer is not None:
            answer, self._received = bytes(self._received[LENGTH_BYTES:size]), bytearray()
            if not self._answer.done():
                self._answer.set_result(answer)

    def ask(self, encoder: msgspec.msgpack.Encoder, deposits: Sequence[Deposit]) -> asyncio.Future[bytes]:
        """Send deposits; give what the answer is to be awaited by."""
        assert self._transport is not None  # noqa: S101 - connected before it is used
        self._answer = asyncio.get_running_loop().create_future()
        frame = bytearray(LENGTH_BYTES)
        encoder.encode_into(deposits, frame, LENGTH_BYTES)
        frame[:LENGTH_BYTES] = (len(frame) - LENGTH_BYTES).to_bytes(LENGTH_BYTES)
        self._transport.write(frame)
        return self._answer
