"""How servers listen: the socket, uvicorn's settings, and a server that says when it has begun and when it ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

import uvicorn

from shoplake.collector.one_write import OneWriteProtocol
from shoplake.errors import InputError


def server_config(app: Any, tls: SSLContext | None = None) -> uvicorn.Config:  # noqa: ANN401 - any ASGI application
    """Give how applications are served; the benchmark's bare endpoint is served in the same way."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        loop="uvloop",
        http=OneWriteProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        backlog=2048,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )


class Server(uvicorn.Server):
    """A server that says when it has begun, and when it is to end."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None], on_ending: Callable[[], None]) -> None:
        """Serve as ``config`` says."""
        super().__init__(config)
        self._on_started, self._on_ending = on_started, on_ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; connections on which nothing goes on are cut, for TLS would wait for their goodbye."""
        self._on_ending()
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                connection.transport.abort()
        await super().shutdown(sockets)


def let_the_server_end() -> None:
    """Take SIGTERM and SIGINT: the server raises them again when it has ended, and must not cut off the rest."""
    for ends in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ends, lambda *_: None)


def listen(host: str, port: int) -> socket.socket:
    """Open a socket on an address; port 0 is any free one.

    Raises:
        InputError: the address cannot be listened on.

    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise InputError(f"{host}:{port} cannot be listened on: {error.strerror}.", hint="Choose another.") from error
    return listening


def url_of(listening: socket.socket, *, is_tls: bool) -> str:
    """Give the address of a socket that is listened on."""
    host, port = listening.getsockname()[:2]
    scheme = "https" if is_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
