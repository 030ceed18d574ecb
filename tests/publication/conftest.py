"""A PostgreSQL server with TLS by a certificate of the home's authority; the released home is published in it."""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shoplake.access.policy import load_policy
from shoplake.keys.tls import ensure_certificate
from shoplake.publication.postgres import Report, publish
from shoplake.settings import Settings, load_settings
from tests.access.released import LIMITED, released
from tests.postgres import PostgresServer, started_server

__all__ = ["released"]
PUBLISHER = "publisher"
LOGINS = (*LIMITED, "sales", "marketing", "operations", "support", "finance", "analyst", "data_engineer")


@dataclass
class Bi:
    """A home and the database that it is published into; people of the home have logins on the server."""

    settings: Settings
    server: PostgresServer
    authority: Path
    database: str
    passwords: dict[str, str] = field(repr=False)
    passfile: Path
    """Holds the publisher's password."""
    first: Report | None = None

    @property
    def url(self) -> str:
        """Give the URL of the database as the publisher sees it: by TLS, without a password."""
        return f"postgresql://{PUBLISHER}@127.0.0.1:{self.server.port}/{self.database}?sslrootcert={self.authority}"

    def publish(self, settings: Settings | None = None, **asked: Any) -> Report:
        """Publish, from the home or from another one."""
        return publish(settings or self.settings, self.url, password=self.passwords[PUBLISHER], **asked)

    def words(self, user: str) -> dict[str, Any]:
        """Give what a person's program connects with."""
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "dbname": self.database,
            "user": user,
            "password": self.passwords[user],
            "sslmode": "verify-full",
            "sslrootcert": str(self.authority),
        }

    @property
    def url_with_passfile(self) -> str:
        """Give the same URL with the file that the password is in, as a setting has it."""
        return f"{self.url}&passfile={self.passfile}"

    def connect(self, user: str) -> Any:
        """Connect as a person, over TLS."""
        import psycopg

        return psycopg.connect(**self.words(user), autocommit=True)

    def address(self, user: str, scheme: str = "postgresql") -> str:
        """Give a person's URL, with the password, as a program's configuration has it."""
        place = f"127.0.0.1:{self.server.port}/{self.database}"
        asks = f"sslmode=verify-full&sslrootcert={self.authority}"
        return f"{scheme}://{user}:{self.passwords[user]}@{place}?{asks}"

    def as_owner(self) -> Any:
        """Connect as the server's superuser, to look or to meddle."""
        return self.server.connect(self.database)

    def execute(self, sql: str) -> None:
        """Meddle."""
        with self.as_owner() as con:
            con.execute(sql)

    def another(self, settings: Settings) -> Bi:
        """Give another database on the same server, with groups of its own, for another home."""
        database = f"bi_{secrets.token_hex(4)}"
        with self.server.connect() as con:
            con.execute(f"create database {database} owner {PUBLISHER}")
        changed = settings.model_copy(update={"publish_postgres_prefix": f"{database}_"})
        return Bi(changed, self.server, self.authority, database, self.passwords, self.passfile)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def bi(released: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bi]:
    """Give the released home, published once; all tests share it and change nothing of it."""
    home = tmp_path_factory.mktemp("published") / "home"
    shutil.copytree(released.home, home)
    settings = load_settings(home)
    certificate = ensure_certificate(settings)
    with started_server(tls=certificate, port=free_port()) as server:
        passwords = {name: secrets.token_urlsafe(12) for name in (PUBLISHER, *LOGINS)}
        with server.connect() as con:
            for name, password in passwords.items():
                con.execute(f"create role {name} login password '{password}'")
            con.execute(f"alter role {PUBLISHER} createrole")
            con.execute(f"create database bi owner {PUBLISHER}")
        passfile = home.with_name("pgpass")
        passfile.touch(mode=0o600)
        passfile.write_text(f"*:*:*:{PUBLISHER}:{passwords[PUBLISHER]}\n", encoding="ascii")
        found = Bi(settings, server, home / "tls" / "ca.pem", "bi", passwords, passfile)
        assert set(load_policy(settings).roles) >= set(LOGINS) - set(LIMITED)
        found.first = found.publish()
        yield found
