"""TLS of a home: an authority of its own, a short-lived certificate that is renewed, or a certificate from elsewhere.

The authority's private key is sealed under a data key of the home; the server's lies beside its certificate with mode
0600, for OpenSSL reads it from a file.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from shoplake.errors import KeyAccessError, SettingsError
from shoplake.files import durable_write
from shoplake.home import HomePaths, require_home
from shoplake.keys.keyring import NONCE_BYTES, Keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName, Name

    from shoplake.settings import Settings

KEY_NAME = "tls"
LABEL = b"tls authority"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
AUTHORITY_DAYS = 3650
SKEW = dt.timedelta(minutes=5)
"""A certificate holds from so long before it was made: clocks differ."""
LOOK_SECONDS = 60.0


class ServerTls:
    """What a server shows: a context whose certificate is renewed while it runs."""

    def __init__(self, settings: Settings) -> None:
        """Take the certificate that the settings name, or one of the home's own authority.

        Raises:
            HomeError: there is no such home.
            KeyAccessError: the authority's key does not open.
            SettingsError: the certificate that the settings name cannot be used.

        """
        require_home(settings)
        self._settings = settings
        self._seen: tuple[int, int] | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.renew()

    def renew(self) -> bool:
        """Show a new certificate from the next connection on, if it is time or there is another; say whether so."""
        certificate, key = self._files()
        state = certificate.stat()
        seen = state.st_ino, state.st_mtime_ns
        if seen == self._seen:
            return False
        try:
            self.context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"The certificate {certificate} cannot be used: {error}",
                hint="tls_cert_file and tls_key_file name PEM files that fit each other.",
            ) from error
        self._seen = seen
        return True

    @contextmanager
    def renewing(self) -> Iterator[ssl.SSLContext]:
        """Give the context, and keep its certificate fresh while the block runs."""
        ends = Event()

        def keep_fresh() -> None:
            while not ends.wait(LOOK_SECONDS):
                self.renew()

        thread = Thread(target=keep_fresh, name="tls", daemon=True)
        thread.start()
        try:
            yield self.context
        finally:
            ends.set()
            thread.join()

    def _files(self) -> tuple[Path, Path]:
        settings = self._settings
        if settings.tls_cert_file is None and settings.tls_key_file is None:
            return ensure_certificate(settings)
        if settings.tls_cert_file is None or settings.tls_key_file is None:
            raise SettingsError(
                "Only one of tls_cert_file and tls_key_file is set.", hint="Set both, or none for the home's own."
            )
        for path in (settings.tls_cert_file, settings.tls_key_file):
            if not path.is_file():
                raise SettingsError(f"{path} is not a file.", hint="See tls_cert_file and tls_key_file.")
        return settings.tls_cert_file, settings.tls_key_file


def ensure_authority(settings: Settings) -> Path:
    """Give the certificate of the home's authority, which clients trust; the first call makes it.

    Raises:
        KeyAccessError: the home's keys do not open.

    """
    folder = HomePaths(settings.home).tls
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "ca.pem"
    with _alone(folder):
        if not path.exists():
            _make_authority(settings, folder)
    return path


def ensure_certificate(settings: Settings, *, now: dt.datetime | None = None) -> tuple[Path, Path]:
    """Give the server's certificate and key, made anew in the last third of its life or when names are added.

    Raises:
        KeyAccessError: the authority's key does not open.

    """
    ensure_authority(settings)
    folder = HomePaths(settings.home).tls
    certificate, key = folder / "server.pem", folder / "server.key"
    moment = now or dt.datetime.now(dt.UTC)
    names = (*LOCAL_NAMES, *settings.tls_names)
    with _alone(folder):
        if not _is_fresh(folder, certificate, key, names, moment):
            _issue(settings, folder, names, moment)
    return certificate, key


def _make_authority(settings: Settings, folder: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    now, name = dt.datetime.now(dt.UTC), _name("shoplake local authority")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    built = _builder(name, name, key, now, now + dt.timedelta(days=AUTHORITY_DAYS))
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    built = built.add_extension(usage, critical=True)
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = built.add_extension(subject, critical=False).sign(key, _sha256())
    _seal(Keyring.open(settings), folder, key)
    durable_write(folder / "ca.pem", certificate.public_bytes(Encoding.PEM), mode=0o644)


def reseal_authority(settings: Settings, keyring: Keyring) -> None:
    """Seal the authority's key under the newest version of its data key."""
    folder = HomePaths(settings.home).tls
    if (folder / "ca.key.sealed").exists():
        with _alone(folder):
            _seal(keyring, folder, _authority_key(keyring, folder))


def _seal(keyring: Keyring, folder: Path, key: EllipticCurvePrivateKey) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    data_key, nonce = keyring.current(KEY_NAME), os.urandom(NONCE_BYTES)
    clear = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = AESGCM(data_key.secret).encrypt(nonce, clear, LABEL)
    durable_write(folder / "ca.key.sealed", data_key.version.to_bytes(4, "big") + nonce + sealed)


def _authority_key(keyring: Keyring, folder: Path) -> EllipticCurvePrivateKey:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        data = (folder / "ca.key.sealed").read_bytes()
        secret = keyring.get(KEY_NAME, int.from_bytes(data[:4], "big")).secret
        nonce, sealed = data[4 : 4 + NONCE_BYTES], data[4 + NONCE_BYTES :]
        key = load_der_private_key(AESGCM(secret).decrypt(nonce, sealed, LABEL), None)
    except (OSError, InvalidTag, ValueError) as error:
        raise KeyAccessError(
            "The key of the local TLS authority does not open.",
            hint="Restore the folder `tls` from its backup, or remove it: a new authority is made, to be trusted anew.",
        ) from error
    if not isinstance(key, EllipticCurvePrivateKey):
        raise KeyAccessError("The key of the local TLS authority is of another kind.", hint="Remove the folder `tls`.")
    return key


def _issue(settings: Settings, folder: Path, names: tuple[str, ...], now: dt.datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority = _read(folder / "ca.pem")
    signing, key = _authority_key(Keyring.open(settings), folder), ec.generate_private_key(ec.SECP256R1())
    until = min(now + dt.timedelta(days=settings.tls_certificate_days), authority.not_valid_after_utc)
    built = _builder(_name("shoplake"), authority.subject, key, now, until)
    built = built.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    certificate = built.add_extension(issuer, critical=False).sign(signing, _sha256())
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable_write(folder / "server.key", clear)
    durable_write(folder / "server.pem", certificate.public_bytes(Encoding.PEM), mode=0o644)


def _is_fresh(folder: Path, certificate: Path, key: Path, names: tuple[str, ...], now: dt.datetime) -> bool:
    """Say whether the certificate fits its key, the authority and the names, and has a third of its life before it."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found, private = _read(certificate), load_pem_private_key(key.read_bytes(), None)
        found.verify_directly_issued_by(_read(folder / "ca.pem"))
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, InvalidSignature, x509.ExtensionNotFound):
        return False
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    has_names = all(_general(name) in known for name in names)
    return has_names and private.public_key() == found.public_key() and begins <= now <= ends - (ends - begins) / 3


def _builder(
    subject: Name, issuer: Name, key: EllipticCurvePrivateKey, now: dt.datetime, until: dt.datetime
) -> CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(until)
    )


def _name(common: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _sha256() -> SHA256:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()


def _read(path: Path) -> Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
