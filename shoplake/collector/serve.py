"""Runs the collector: a server of its own for what `open_collector` gives."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing
from shoplake.collector.listening import Server, let_the_server_end, listen, server_config, url_of
from shoplake.collector.opening import open_collector
from shoplake.errors import InputError
from shoplake.garbage import collect_rarely
from shoplake.keys.tls import ServerTls

if TYPE_CHECKING:
    from shoplake.settings import Settings

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
        listening = listen(host, port)
        stack.callback(listening.close)
        collector = stack.enter_context(open_collector(settings))
        let_the_server_end()
        collect_rarely()
        tls = stack.enter_context(ServerTls(settings).renewing()) if settings.collector_tls else None
        ready = url_of(listening, is_tls=tls is not None)
        server = Server(server_config(collector.app, tls), lambda: on_ready(ready), collector.live.stop)
        server.run(sockets=[listening])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
