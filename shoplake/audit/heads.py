"""Signed heads: where every chain stood, under an Ed25519 signature that the log's data keys do not make."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one chain stood; all hashes and keys are lower-case hex, so that there is one way to write each."""

    chain: int
    id: str
    segment: int
    sequence: int
    hash: str
    """Hash of the chain after frame ``sequence``: it stands for all that came before."""
    first_segment: int
    """First segment that is still kept; earlier ones were removed as too old."""
    first_before: str
    """Hash that the first kept segment follows."""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signed head."""

    number: int
    at: str
    log: str
    by: int
    """Chain that holds this head."""
    key: str
    """Public key that it is signed with."""
    next_key: str
    """Public key that heads are signed with from here on; empty while it is the same."""
    positions: tuple[Position, ...]
    signature: str = ""

    def encoded(self) -> bytes:
        """Give the one way to write it."""
        return _ENCODER.encode(self)

    def signed(self, key: Ed25519PrivateKey) -> Head:
        """Give it with its signature."""
        return msgspec.structs.replace(self, signature=key.sign(self._message()).hex())

    def is_signed(self) -> bool:
        """Say whether its signature is by the key that it names."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(bytes.fromhex(self.signature), self._message())
        except (InvalidSignature, ValueError):
            return False
        return True

    def _message(self) -> bytes:
        return b"shoplake audit head " + msgspec.structs.replace(self, signature="").encoded()


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(Head)


@lru_cache(maxsize=4096)
def read_head(data: bytes) -> Head | None:
    """Read a head; None unless it is written in the one way and its signature fits the key that it names."""
    try:
        head = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return head if head.encoded() == data and head.is_signed() else None


def public_hex(key: Ed25519PrivateKey) -> str:
    """Give the public half of a signing key in hex."""
    return key.public_key().public_bytes_raw().hex()


def public_pem(public: str) -> bytes:
    """Give a public key as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public(data: bytes) -> str:
    """Read a public key from PEM, or from hex.

    Raises:
        ValueError: it is neither, or no Ed25519 key.

    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if data.lstrip().startswith(b"-----BEGIN"):
        key = load_pem_public_key(data)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
        return key.public_bytes_raw().hex()
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(data.decode("ascii").strip())).public_bytes_raw().hex()
