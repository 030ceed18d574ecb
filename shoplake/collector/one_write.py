"""A connection of uvicorn's on which the head and the body of an answer leave in one write."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWrite:
    """A transport that holds what is written until the event loop's turn ends, or more is written.

    uvicorn writes the head of an answer and then its body, and uvloop sends each at once: two calls of the kernel, two
    packets (two records where TLS is spoken), and a client that is woken twice.
    """

    __slots__ = ("_call_soon", "_held", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Write to ``transport``."""
        self._transport, self._held = transport, b""
        self._call_soon = asyncio.get_running_loop().call_soon

    def write(self, data: bytes) -> None:
        """Write; the first part of two waits for the second."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = data
            self._call_soon(self.flush)

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Close the connection when all is written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        """Give what the transport itself does."""
        return getattr(self._transport, name)


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol, on such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(OneWrite(transport))  # type: ignore[arg-type]
