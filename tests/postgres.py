"""A real PostgreSQL server for the tests: its own folder, a socket in it, passwords by SCRAM, no network."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

SERVER_USER = "postgres"
"""The server refuses to run as root; the Debian package makes this user."""
LOGIN = "shoplake"
SECONDS_TO_START = 120
FAST = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB"]


@dataclass
class PostgresServer:
    """A running server."""

    folder: Path
    passfile: Path
    port: int = 5432
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """Make an empty database; give its URL, which holds no password."""
        name = f"store_{next(self._numbers)}"
        with self.connect() as con:
            con.execute(f"create database {name}")
        return self.url(name)

    def url(self, database: str) -> str:
        """Give the SQLAlchemy URL of a database."""
        return f"postgresql://{LOGIN}@/{database}?host={self.folder}&passfile={self.passfile}"

    def connect(self, database: str = "postgres") -> Any:
        """Connect to the server itself as its superuser."""
        import psycopg

        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user=LOGIN,
            dbname=database,
            passfile=str(self.passfile),
            autocommit=True,
        )


def programs() -> Path | None:
    """Find the folder of the server's programs: Debian keeps them out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    found = shutil.which("initdb") or (debian[-1] if debian else None)
    return Path(found).parent if found else None


@contextmanager
def started_server(
    *, tls: tuple[Path, Path] | None = None, port: int = 5432, options: Sequence[str] = ()
) -> Iterator[PostgresServer]:
    """Start a server and end it again; skip the tests that need it where there is none.

    Args:
        tls: certificate and key; with them it listens on the loopback too, and takes nobody there without TLS.
        port: to listen on there.
        options: more of the server's.

    """
    pytest.importorskip("psycopg", reason="PostgreSQL's driver psycopg is not installed: call make setup")
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed: call make packages as root")
    folder = Path(tempfile.mkdtemp(prefix="shoplake-pg-"))
    passfile, password = folder / "pgpass", secrets.token_urlsafe(24)
    owner = _server_user()
    try:
        (folder / "password").write_text(password, encoding="ascii")
        for path in (folder, folder / "password") if owner else ():
            shutil.chown(path, SERVER_USER)
        _touch_private(passfile, f"*:*:*:{LOGIN}:{password}\n")
        made = [bin_folder / "initdb", "-D", folder / "data", "-U", LOGIN, "--auth=scram-sha-256", "-E", "UTF8"]
        made += ["--locale=C", "--no-sync", f"--pwfile={folder / 'password'}"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/", **owner)
        command = [bin_folder / "postgres", "-D", folder / "data", "-k", folder, *FAST, *options]
        command += _with_tls(folder, tls, port, bool(owner)) if tls else ["-c", "listen_addresses="]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **owner)
        try:
            server = PostgresServer(folder, passfile, port)
            _wait_for(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=SECONDS_TO_START)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _with_tls(folder: Path, tls: tuple[Path, Path], port: int, has_owner: bool) -> list[str | Path]:
    """Give the options by which the server speaks TLS on the loopback, and its files to it."""
    places = {"ssl_cert_file": folder / "server.pem", "ssl_key_file": folder / "server.key"}
    for source, place in zip(tls, places.values(), strict=True):
        _touch_private(place, source.read_text(encoding="ascii"))
        if has_owner:
            shutil.chown(place, SERVER_USER)
    rules = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
    (folder / "data" / "pg_hba.conf").write_text(rules, encoding="ascii")
    given = {"listen_addresses": "127.0.0.1", "port": port, "ssl": "on", **places}
    return [word for name, value in given.items() for word in ("-c", f"{name}={value}")]


def _server_user() -> dict[str, Any]:
    """Give the options by which a child runs as the server's user, where we are root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(SERVER_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _touch_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def _wait_for(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                print((server.folder / "log").read_text(encoding="utf-8"))
                raise
            time.sleep(0.05)
        else:
            return
