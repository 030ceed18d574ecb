"""A real service in a process of its own, on a free port of the loopback, and clients of it."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import httpx

from shoplake.access.login import hash_password, open_logins
from shoplake.settings import Settings

PASSWORD = "correct horse battery"  # noqa: S105 - a test's own


class Serving:
    """A running `shoplake serve`."""

    def __init__(self, settings: Settings, *options: str, log: Path | None = None) -> None:
        self.settings = settings
        self.log = log or settings.home.parent / "service.log"
        self._errors = self.log.open("ab")
        command = [sys.executable, "-m", "shoplake", "--home", str(settings.home), "serve", "--port", "0", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
            env={"SHOPLAKE_SERVICE_AHEAD": "0"} | os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Serving on "), self.log.read_text(encoding="utf-8")
        self.url = line.split()[-1]
        self.trusted = ssl.create_default_context(cafile=str(settings.home / "tls" / "ca.pem"))
        self.anybody = self.client()

    def client(self, token: str = "") -> httpx.Client:
        """Give a client, with a personal access token or without."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=self.trusted)

    def __enter__(self) -> Serving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.anybody.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.log.read_text(encoding="utf-8")
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()


def token_of(settings: Settings, user: str, scopes: list[str] | None = None) -> str:
    """Make a personal access token."""
    import datetime as dt

    with open_logins(settings) as logins:
        return logins.sign_ins.add_token(user, scopes, lasts=dt.timedelta(days=1))[0]


def set_password(settings: Settings, user: str, password: str = PASSWORD) -> None:
    """Give a user a password."""
    with open_logins(settings) as logins:
        logins.users.set_password(user, hash_password(password))
