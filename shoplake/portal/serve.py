"""Runs the service: the API, the collector beside it, and the stream in a process of its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from shoplake.audit.recording import changing
from shoplake.collector.listening import Server, let_the_server_end, listen, server_config, url_of
from shoplake.collector.serve import SWITCH_SECONDS
from shoplake.keys.tls import ServerTls
from shoplake.portal.app import make_app
from shoplake.portal.front import Front
from shoplake.portal.hosted_collector import HostedCollector
from shoplake.portal.service import Service
from shoplake.portal.stream_process import StreamProcess

if TYPE_CHECKING:
    from shoplake.settings import Settings

ANY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 - no names


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    with_collector: bool = True,
    with_stream: bool = True,
) -> None:
    """Serve a home by HTTPS until a signal ends it.

    Args:
        settings: the home.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        on_ready: told the URL, once requests are answered.
        with_collector: take events at the same address.
        with_stream: publish what streams bring, as `shoplake stream` does.

    Raises:
        HomeError: there is no such home.
        InputError: the address cannot be listened on.
        KeyAccessError: the home's keys do not open.
        SettingsError: the certificate that the settings name cannot be used.

    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    sys.setswitchinterval(SWITCH_SECONDS)
    with ExitStack() as stack:
        parts = {"collect": with_collector, "stream": with_stream}
        stack.enter_context(changing(settings, "serve", host=host, port=port, **parts))
        listening = listen(host, port)
        stack.callback(listening.close)
        tls = stack.enter_context(ServerTls(settings).renewing())
        service = Service(settings, hosts=() if host in ANY_ADDRESS else (host,))
        collector = HostedCollector(settings, service.window) if with_collector else None
        app = Front(make_app(settings, service, collector), service, collector)
        if with_stream:
            child = StreamProcess(settings)
            service.metrics.watch("stream_restarts", "Times that the stream was started anew.", lambda: child.restarts)
            child.start()
            stack.callback(child.stop)
        let_the_server_end()
        ready = url_of(listening, is_tls=True)

        def end_streams() -> None:
            service.live.stop()
            if collector is not None:
                collector.end_streams()

        server = Server(server_config(app, tls), lambda: on_ready(ready), end_streams)
        server.run(sockets=[listening])
