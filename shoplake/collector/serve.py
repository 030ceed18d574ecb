"""Runs the collector: the HTTP server, the process that drains, and the keeping of the spool."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from ipaddress import ip_address
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

import uvicorn

from shoplake.audit.recording import changing
from shoplake.collector.acceptance import Acceptance
from shoplake.collector.app import Limits, make_app
from shoplake.collector.doorkeeper import Doorkeeper
from shoplake.collector.keeping import Keeping
from shoplake.collector.live import LiveEndpoint
from shoplake.collector.metrics import Metrics
from shoplake.collector.segment_endpoint import segment_paths
from shoplake.contracts import stream_contracts
from shoplake.errors import InputError
from shoplake.garbage import collect_rarely
from shoplake.keys.keyring import Keyring
from shoplake.keys.tls import ServerTls
from shoplake.lake.locks import spool_lock
from shoplake.live.process import LiveWindow
from shoplake.store.spool import open_spool

if TYPE_CHECKING:
    from shoplake.collector.kafka_log import KafkaLog
    from shoplake.settings import Settings
    from shoplake.store.spool import Spool


log = logging.getLogger("shoplake.collector")
SWITCH_SECONDS = 0.0005


def collect(
    settings: Settings, *, host: str, port: int, on_ready: Callable[[str], None], behind_proxy: bool = False
) -> None:
    """Take events over HTTP until a signal ends it.

    Args:
        settings: the home.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        on_ready: told the URL, once requests are answered.
        behind_proxy: plain HTTP may be spoken on any address, for a proxy before it encrypts.

    Raises:
        HomeError: there is no such home.
        InputError: the address cannot be listened on, or would be served in clear; ``collector_segment_source``
            is no stream source; Kafka lacks a topic.
        SettingsError: with Kafka, the settings lack something.
        UnreachableError: with Kafka, no broker answers or lets us in.

    """
    # Threads take turns more often than Python's 5 ms: a commit must not wait so long for the answers of the last one.
    sys.setswitchinterval(SWITCH_SECONDS)
    if not settings.collector_tls and not _is_loopback(host) and not behind_proxy:
        raise InputError(
            f"{host} would be served in clear.", hint="Leave --no-tls out, or add --behind-proxy if a proxy encrypts."
        )
    with ExitStack() as stack:
        stack.enter_context(changing(settings, "collect", host=host, port=port))
        stack.enter_context(spool_lock(settings, is_shared=True, wait_seconds=30))
        spool = open_spool(settings, Keyring.open(settings))
        stack.callback(spool.close)
        nothing = dict.fromkeys(stream_contracts(settings), (0, 0.0))
        doorkeeper, metrics = Doorkeeper(settings), Metrics(lambda: nothing | spool.backlog())
        events = _log(settings, spool, stack)
        acceptance = Acceptance(settings, events, doorkeeper, metrics)
        limits = Limits(settings.collector_body_limit_bytes, settings.collector_memory_limit_bytes)
        segment = segment_paths(settings, acceptance, doorkeeper, metrics, limits)
        metrics.watch("memory_bytes", "Bytes of bodies in memory.", lambda: limits.memory.held)
        metrics.watch("waiting_requests", "Requests that wait for a commit.", lambda: len(acceptance.commits))
        listening = _listen(host, port)
        stack.callback(listening.close)
        doorkeeper.start()
        stack.callback(doorkeeper.stop)
        keeping = Keeping(settings, spool, metrics)
        keeping.start()
        stack.callback(keeping.stop)
        window = LiveWindow(settings)
        window.start()
        stack.callback(window.stop)
        live = LiveEndpoint(window, doorkeeper)
        metrics.watch("live_streams", "Clients that follow the live window.", lambda: live.streams)
        origins = settings.collector_allowed_origins
        app = make_app(acceptance, doorkeeper, metrics, limits, segment=segment, origins=origins, live=live)
        for ends in (signal.SIGTERM, signal.SIGINT):
            # The server raises them again when it has ended: then they must not cut off the rest.
            signal.signal(ends, lambda *_: None)
        collect_rarely()
        tls = stack.enter_context(ServerTls(settings).renewing()) if settings.collector_tls else None
        config = server_config(app, tls)
        server = _Server(config, lambda: on_ready(_url(listening, is_tls=tls is not None)), live.stop)
        server.run(sockets=[listening])


def _log(settings: Settings, spool: Spool, stack: ExitStack) -> Spool | KafkaLog:
    """Give what events are stored in."""
    if settings.collector_log == "spool":
        return spool
    from shoplake.collector.kafka_log import KafkaLog

    if waiting := sum(events for events, _ in spool.backlog().values()):
        log.warning("%s events wait in the spool from before: `shoplake drain` lands them", waiting)
    opened = KafkaLog(settings, spool)
    stack.callback(opened.close)
    return opened


def server_config(app: Any, tls: SSLContext | None = None) -> uvicorn.Config:  # noqa: ANN401 - any ASGI application
    """Give how applications are served; the benchmark's bare endpoint is served in the same way."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        loop="uvloop",
        http="httptools",
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


class _Server(uvicorn.Server):
    """A server that says when it has begun, and when it is to end."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None], on_ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started, self._on_ending = on_started, on_ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_ending()
        await super().shutdown(sockets)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        raise InputError(f"{host}:{port} cannot be listened on: {error.strerror}.", hint="Choose another.") from error
    return listening


def _url(listening: socket.socket, *, is_tls: bool) -> str:
    host, port = listening.getsockname()[:2]
    scheme = "https" if is_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
