"""Where a server is, and which authority vouches for it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from shoplake.errors import InputError


def checked(url: str) -> str:
    """Give a server's URL without a slash at its end.

    Raises:
        InputError: no URL of a server, or one that would send a token in clear.

    """
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username:
        raise InputError(f"{url!r} is no address of a server.", hint="Write it as https://lake.example:8443.")
    if parts.scheme == "http" and not is_here(url):
        raise InputError("A token goes over HTTPS only.", hint="Write the address as https://….")
    return url.rstrip("/")


def is_here(url: str) -> bool:
    """Say whether a URL is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def authority(url: str, ca: str | Path | None) -> str | None:
    """Give the file of the authority to trust; None for those that the system trusts.

    Raises:
        InputError: ``ca``, or what SHOPLAKE_CA names, is no file.

    """
    named = ca or os.environ.get("SHOPLAKE_CA")
    if named:
        if not Path(named).is_file():
            raise InputError(f"{named} is not a file.", hint="Name the file of the authority, the home's tls/ca.pem.")
        return str(named)
    here = Path(os.environ.get("SHOPLAKE_HOME") or ".shoplake").expanduser() / "tls" / "ca.pem"
    return str(here) if is_here(url) and here.is_file() else None
