"""The collector speaks HTTPS; plain HTTP only where nobody else listens, or where a proxy encrypts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import httpx
import pytest

from shoplake.collector.serve import collect
from shoplake.errors import InputError
from shoplake.settings import Settings
from tests.collector.running import Running


def test_a_collector_speaks_https_and_nothing_else(collector: Running) -> None:
    assert collector.url.startswith("https://")
    assert collector.client.get("/healthz").json() == {"status": "ok"}
    with pytest.raises(httpx.TransportError):
        httpx.get(collector.url.replace("https:", "http:") + "/healthz")


def test_without_tls_it_answers_on_the_loopback(settings: Settings) -> None:
    command = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "collect", "--no-tls", "--port", "0"]
    env = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "lake.example"])  # noqa: S104 - what must be refused
def test_without_tls_nobody_else_is_served(settings: Settings, host: str) -> None:
    plain = settings.model_copy(update={"collector_tls": False})
    with pytest.raises(InputError, match="served in clear"):
        collect(plain, host=host, port=0, on_ready=print)
