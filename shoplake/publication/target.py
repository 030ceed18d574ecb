"""Where to publish: a URL without a password, as PostgreSQL's client library takes it; TLS unless it is local."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoplake.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import URL

EXAMPLE = "postgresql://publisher@db.example/shop?sslrootcert=/etc/shoplake/db-ca.pem&passfile=/etc/shoplake/pgpass"
DRIVERS = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
DEFAULT_PORT = "5432"
SECONDS = "10"


@dataclass(frozen=True)
class Target:
    """One database, and how to reach it."""

    name: str
    """For people and for the audit log: ``db.example:5432/shop``."""
    conninfo: str
    """Keywords and values of libpq; no password is among them."""
    password: str = field(default="", repr=False)
    """Empty where a password file or the environment has it."""


def parse_target(given: str, password: str = "") -> Target:
    """Read the URL of a database.

    Args:
        given: such as ``postgresql://publisher@db.example/shop?sslrootcert=…``; other parameters go to the client
            library as they are.
        password: of the URL's user; empty to leave it to ``passfile``, ``PGPASSFILE`` or ``PGPASSWORD``.

    Raises:
        InputError: it is no such URL, holds a password, or would send rows over a network without TLS.

    """
    values = _values(_url(given))
    if not values.get("dbname"):
        raise InputError("The URL names no database.", hint=f"For example {EXAMPLE}")
    host = values.get("hostaddr") or values.get("host") or os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST", "")
    if not all(_is_local(one) for one in host.split(",")):
        mode = values.setdefault("sslmode", "verify-full")
        if mode not in ENCRYPTED:
            raise InputError(
                f"sslmode={mode} would let rows go to {host} without TLS.",
                hint="Leave sslmode out (verify-full), and name the server's authority: sslrootcert=/path/ca.pem",
            )
    if "sslrootcert" in values:
        values.setdefault("sslmode", "verify-full")
    values = {"connect_timeout": SECONDS, "application_name": "shoplake", **values}
    place = "local" if not host or host.startswith("/") else f"{host}:{values.get('port', DEFAULT_PORT)}"
    return Target(f"{place}/{values['dbname']}", " ".join(_pair(*item) for item in values.items()), password)


def _url(given: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not given:
        raise InputError(
            "No database to publish to is named.", hint=f"Give --url, or set publish_postgres_url: {EXAMPLE}"
        )
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # their messages would show the password
        raise InputError("What is given is not the URL of a database.", hint=f"For example {EXAMPLE}") from None
    if url.drivername not in DRIVERS:
        raise InputError(f"{url.drivername} is not PostgreSQL.", hint=f"For example {EXAMPLE}")
    if url.password is not None or "password" in url.query:
        raise InputError(
            "The URL holds a password: process lists, histories and logs would show it.",
            hint="Leave it out, and give --password-stdin, a password file (passfile=… in the URL) or PGPASSWORD.",
        )
    return url


def _values(url: URL) -> dict[str, str]:
    named = {
        "host": url.host,
        "port": str(url.port) if url.port else None,
        "user": url.username,
        "dbname": url.database,
    }
    values = {name: value for name, value in named.items() if value}
    found: Mapping[str, str | tuple[str, ...]] = url.query
    return values | {name: value if isinstance(value, str) else value[-1] for name, value in found.items()}


def _is_local(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pair(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"
