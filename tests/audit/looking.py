"""The parts of a log that tests change, and what a check says of it then."""

from __future__ import annotations

from dataclasses import replace

from shoplake.audit.frames import frames
from shoplake.audit.heads import public_hex
from shoplake.audit.reading import image
from shoplake.audit.sealing import Sealing, signing_keys
from shoplake.audit.verify import LogImage, Report, Trust, verify
from shoplake.audit.walk import ChainImage
from shoplake.home import HomePaths
from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings


def trust_of(settings: Settings) -> Trust:
    sealing = Sealing(settings)
    keys = [public_hex(key) for key in signing_keys(Keyring.open(settings))]
    return Trust(keys, sealing.log_id, sealing.marks_key, sealing.open, sealing.chain_id)


def image_of(settings: Settings) -> LogImage:
    return image(HomePaths(settings.home).audit, settings.audit_heads, Sealing(settings).log_id)


def check(settings: Settings) -> Report:
    return verify(image_of(settings), trust_of(settings))


def without_home(settings: Settings) -> Trust:
    """Trust in the public key alone, as one has who holds a copy and the heads kept apart."""
    return Trust(trust_of(settings).public_keys, Sealing(settings).log_id)


def with_segment(log: LogImage, chain: int, number: int, data: bytes | None) -> LogImage:
    """Give the log with other bytes for a segment; None removes it."""
    old = log.chains[chain]
    segments = [(n, old_data if n != number else data) for n, old_data in old.segments]
    kept = [(n, found) for n, found in segments if found is not None]
    return replace(log, chains={**log.chains, chain: ChainImage(kept, old.marks)})


def with_marks(log: LogImage, chain: int, marks: bytes) -> LogImage:
    return replace(log, chains={**log.chains, chain: ChainImage(log.chains[chain].segments, (marks, marks))})


def segment(log: LogImage, chain: int, number: int) -> bytes:
    return dict(log.chains[chain].segments)[number]


def cut(data: bytes) -> list[bytes]:
    """Cut a segment into its header and its frames."""
    found = list(frames(data))
    return [data[: found[0].offset], *(data[f.offset : f.end] for f in found)]


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1 :]
