"""A real collector in a process of its own, on a free port of the loopback."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from shoplake.keys.keyring import Keyring
from shoplake.lake.browse import show_rows
from shoplake.settings import Settings
from shoplake.store.engine import open_store
from shoplake.store.producers import Producers

NOW = time.time()


def event(number: int, **changes: Any) -> dict[str, Any]:
    row = {"session_id": f"s{number}", "user_id": 1 + number % 7, "page": "/", "timestamp": NOW - 100 + number / 1000}
    return row | changes


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def add_producer(settings: Settings, name: str = "test", *, rate_limit: int | None = None) -> str:
    store = open_store(settings, Keyring.open(settings))
    try:
        return Producers(store).add(name, ["web_events", "interactions"], rate_limit=rate_limit)
    finally:
        store.close()


def landed_rows(settings: Settings, source: str = "web_events") -> list[dict[str, Any]]:
    """Give the lake's rows, in the order of their events."""
    found = show_rows(settings, source)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def landed_sessions(settings: Settings) -> list[str]:
    return sorted(str(row["session_id"]) for row in landed_rows(settings))


class Running:
    """A running collector and a client of it."""

    def __init__(
        self,
        settings: Settings,
        key: str,
        *,
        drain_seconds: float = 3600,
        limits: str = "",
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        is_clear: bool = False,
    ) -> None:
        self.log = log or settings.home.parent / "collector.log"
        serve = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "collect", "--port", "0"]
        serve += ["--drain-seconds", str(drain_seconds)]
        if is_clear:
            serve.append("--no-tls")
        if limits:
            serve = ["sh", "-c", f'{limits}; exec "$@"', "sh", *serve]
        self._errors = self.log.open("ab")
        self.process = subprocess.Popen(
            serve,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Collecting on "), self.log.read_text(encoding="utf-8")
        self.url = line.split()[-1]
        self.trusted = ssl.create_default_context(cafile=str(settings.home / "tls" / "ca.pem"))
        headers = {"authorization": f"Bearer {key}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=self.trusted)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0
        self._close()

    def kill(self) -> None:
        """Kill the collector and what it started, with no time for anything."""
        self.client.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._close()

    def send(self, body: bytes | dict[str, Any], source: str = "web_events", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/v1/events/{source}", content=content, headers=names)

    def metrics(self) -> dict[str, float]:
        """Give each metric by its name and labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()
