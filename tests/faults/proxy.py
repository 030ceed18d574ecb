"""A network between a client and a Kafka broker that a test can cut."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"


class Proxy:
    """Passes on what a client and a broker say, and names itself wherever the broker names its own address."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port, self._open = broker_port, list[socket.socket]()
        self._is_silent, self._lock = False, threading.Lock()
        self._listening = self._listen(0)
        self.port = int(self._listening.getsockname()[1])
        self._names = (_name(broker_port), _name(self.port))

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def drop(self) -> None:
        """Cut every connection; new ones work at once."""
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Let no connection through."""
        self._stop_listening()
        self.drop()
        yield
        self._listening = self._listen(self.port)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Take everything and pass on nothing. Connections of that time stay dead, and nobody says so."""
        self._is_silent = True
        yield
        with self._lock:
            self._open.clear()
        self._is_silent = False

    def close(self) -> None:
        self._stop_listening()
        self.drop()

    def _listen(self, port: int) -> socket.socket:
        listening = socket.create_server((HOST, port))
        threading.Thread(target=self._accept, args=[listening], daemon=True).start()
        return listening

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                broker = socket.create_connection((HOST, self._broker_port))
                with self._lock:
                    self._open += [client, broker]
                for source, target, names in ((client, broker, None), (broker, client, self._names)):
                    threading.Thread(target=self._pass_on, args=[source, target, names], daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, names: tuple[bytes, bytes] | None) -> None:
        is_dead = False
        with suppress(OSError, EOFError), source, target:
            while True:
                message = _message(source)
                is_dead = is_dead or self._is_silent
                if not is_dead:
                    target.sendall(message.replace(*names) if names else message)


def _name(port: int) -> bytes:
    """Give an address as Kafka's answers hold it."""
    return HOST.encode() + struct.pack(">i", port)


def _message(source: socket.socket) -> bytes:
    """Read a request or an answer, with its length before it."""
    head = _exactly(source, 4)
    return head + _exactly(source, int.from_bytes(head, "big"))


def _exactly(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = source.recv(min(size - len(data), 1 << 16))
        if not part:
            raise EOFError
        data += part
    return bytes(data)
