"""Servers speak TLS 1.3 only, under the home's own authority or a given certificate, and renew it while they run."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from cryptography import x509

from shoplake.errors import KeyAccessError, SettingsError
from shoplake.keys.tls import ServerTls, ensure_authority, ensure_certificate
from shoplake.pipeline.rotation import rotate
from shoplake.settings import Settings


async def app(scope: dict[str, object], _receive: object, send: Callable[..., object]) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b"hello"})  # type: ignore[misc]


@contextmanager
def served(tls: ServerTls) -> Iterator[int]:
    """Serve on a free port of the loopback; give the port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="critical",
        lifespan="off",
        ssl_context_factory=lambda _config, _default: tls.context,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def client(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ensure_authority(settings)))


def shown(settings: Settings, port: int) -> tuple[x509.Certificate, str]:
    """Give the certificate that a server shows, and the version of TLS."""
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        client(settings).wrap_socket(raw, server_hostname="localhost") as secure,
    ):
        data = secure.getpeercert(binary_form=True)
        assert data is not None
        return x509.load_der_x509_certificate(data), str(secure.version())


def test_a_client_that_trusts_the_home_is_served(settings: Settings) -> None:
    with served(ServerTls(settings)) as port:
        for name in ("localhost", "127.0.0.1"):
            assert httpx.get(f"https://{name}:{port}/", verify=client(settings)).text == "hello"
        assert shown(settings, port)[1] == "TLSv1.3"


def test_tls_1_2_is_refused(settings: Settings) -> None:
    older = client(settings)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with served(ServerTls(settings)) as port, pytest.raises(httpx.ConnectError):
        httpx.get(f"https://localhost:{port}/", verify=older)


def test_plain_http_is_refused(settings: Settings) -> None:
    with served(ServerTls(settings)) as port, pytest.raises(httpx.TransportError):
        httpx.get(f"http://localhost:{port}/")


def test_another_homes_authority_is_refused(make_home: Callable[..., Settings]) -> None:
    one, other = make_home("one"), make_home("other")
    with served(ServerTls(one)) as port, pytest.raises(httpx.ConnectError, match="verify failed"):
        httpx.get(f"https://localhost:{port}/", verify=client(other))


def test_a_name_that_is_not_in_the_certificate_is_refused(make_home: Callable[..., Settings]) -> None:
    settings = make_home()
    named = settings.model_copy(update={"tls_names": ("lake.example", "192.0.2.7")})
    certificate, _ = ensure_certificate(settings)
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    assert "lake.example" not in str(names)
    ensure_certificate(named)
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    assert "lake.example" in str(names) and "192.0.2.7" in str(names)


def test_a_running_server_shows_the_renewed_certificate(settings: Settings) -> None:
    tls = ServerTls(settings)
    with served(tls) as port:
        before, _ = shown(settings, port)
        assert not tls.renew()
        late = dt.datetime.now(dt.UTC) + dt.timedelta(days=settings.tls_certificate_days * 2 / 3 + 1)
        ensure_certificate(settings, now=late - dt.timedelta(days=2))
        assert not tls.renew(), "it is good for two thirds of its life"
        folder = settings.home / "tls"
        (folder / "server.pem").unlink()
        assert tls.renew()
        after, _ = shown(settings, port)
        assert after.serial_number != before.serial_number
        assert httpx.get(f"https://localhost:{port}/", verify=client(settings)).text == "hello"


def test_a_certificate_is_renewed_in_the_last_third_of_its_life(settings: Settings) -> None:
    certificate, _ = ensure_certificate(settings)
    first = certificate.read_bytes()
    days = settings.tls_certificate_days
    now = dt.datetime.now(dt.UTC)
    ensure_certificate(settings, now=now + dt.timedelta(days=days * 0.6))
    assert certificate.read_bytes() == first
    ensure_certificate(settings, now=now + dt.timedelta(days=days * 0.7))
    assert certificate.read_bytes() != first


def test_a_given_certificate_is_shown(make_home: Callable[..., Settings]) -> None:
    settings, elsewhere = make_home("one"), make_home("elsewhere")
    certificate, key = ensure_certificate(elsewhere)
    given = settings.model_copy(update={"tls_cert_file": certificate, "tls_key_file": key})
    with served(ServerTls(given)) as port:
        assert httpx.get(f"https://localhost:{port}/", verify=client(elsewhere)).text == "hello"
    for broken in ({"tls_cert_file": certificate}, {"tls_cert_file": key, "tls_key_file": certificate}):
        with pytest.raises(SettingsError):
            ServerTls(settings.model_copy(update=broken))


def test_private_keys_are_the_owners_alone_and_the_authoritys_is_sealed(settings: Settings) -> None:
    ensure_certificate(settings)
    folder = settings.home / "tls"
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("server.key", "ca.key.sealed")} == {0o600}
    assert b"PRIVATE KEY" not in (folder / "ca.key.sealed").read_bytes()
    kek = settings.home / "keys" / "kek.key"
    kek.write_bytes(b"A" * 43 + b"=\n")
    (folder / "server.pem").unlink()
    with pytest.raises(KeyAccessError):
        ensure_certificate(settings)


def test_the_authority_outlives_a_change_of_keys(settings: Settings) -> None:
    before = ensure_authority(settings).read_bytes()
    rotate(settings)
    (settings.home / "tls" / "server.pem").unlink(missing_ok=True)
    ensure_certificate(settings)
    assert ensure_authority(settings).read_bytes() == before
    with served(ServerTls(settings)) as port:
        assert httpx.get(f"https://localhost:{port}/", verify=client(settings)).text == "hello"
