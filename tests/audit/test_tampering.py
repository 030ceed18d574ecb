"""Whatever is done to a signed log is found: each bit, each frame, each end, and a return to an earlier state."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from shoplake.audit.entry import new_entry
from shoplake.audit.frames import HEAD, RECORD, SegmentHeader, frames, pack
from shoplake.audit.heads import Head, read_head
from shoplake.audit.recording import log_of, write
from shoplake.audit.sealing import Sealing
from shoplake.audit.verify import LogImage, Trust, verify
from shoplake.settings import Settings
from tests.audit.looking import (
    check,
    cut,
    flipped,
    image_of,
    segment,
    trust_of,
    with_marks,
    with_segment,
    without_home,
)

STEPS = pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.proof)])
"""Every eleventh bit, so that each bit of a byte has its turn; all of them as a proof."""


def parts(log: LogImage) -> Iterator[tuple[int, int, bytes]]:
    for chain, found in log.chains.items():
        for number, data in found.segments:
            yield chain, number, data


def test_a_log_that_nobody_touched_is_whole(logged: Settings) -> None:
    report = check(logged)
    assert (report.findings, report.records, report.heads, report.chains) == ([], 9, 5, 2)
    assert report.unsigned == 0
    assert verify(image_of(logged), without_home(logged)).findings == []


@STEPS
def test_every_bit_of_the_log_counts(logged: Settings, step: int) -> None:
    log, trust = image_of(logged), trust_of(logged)
    bits = [
        (c, n, d, bit) for c, n, d in parts(log) for bit in range(0, 8 * len(d), step if len(d) < 4000 else 37 * step)
    ]
    unseen = [(c, n, bit) for c, n, d, bit in bits if verify(with_segment(log, c, n, flipped(d, bit)), trust).is_whole]
    assert unseen == []


def test_every_byte_of_the_log_counts_with_the_public_key_alone(logged: Settings) -> None:
    log, trust = image_of(logged), without_home(logged)
    unseen = [
        (chain, number, place)
        for chain, number, data in parts(log)
        for place in range(0, len(data), 3 if len(data) < 4000 else 29)
        if verify(with_segment(log, chain, number, flipped(data, 8 * place + place % 8)), trust).is_whole
    ]
    assert unseen == []


@STEPS
def test_every_bit_of_the_marks_and_of_the_last_head_counts(logged: Settings, step: int) -> None:
    log, trust = image_of(logged), trust_of(logged)
    marks = log.chains[0].marks[0]
    assert [
        b for b in range(0, 8 * len(marks), step) if verify(with_marks(log, 0, flipped(marks, b)), trust).is_whole
    ] == []
    head = log.last_head
    assert [
        b for b in range(0, 8 * len(head), step) if verify(replace(log, last_head=flipped(head, b)), trust).is_whole
    ] == []


@STEPS
def test_every_bit_of_a_head_kept_apart_counts(logged: Settings, step: int) -> None:
    log, trust = image_of(logged), trust_of(logged)
    first, *rest = log.apart or ()
    flips = (replace(log, apart=[flipped(first, bit), *rest]) for bit in range(0, 8 * len(first), step))
    assert all(not verify(flip, trust).is_whole for flip in flips)


@pytest.mark.parametrize("trusting", [trust_of, without_home], ids=["home", "public key alone"])
def test_a_frame_that_is_missing_twice_there_or_elsewhere_is_found(logged: Settings, trusting: object) -> None:
    log = image_of(logged)
    trust = trusting(logged)  # type: ignore[operator]
    for chain, number, data in parts(log):
        header, *found = cut(data)
        variants = [[*found[:i], *found[i + 1 :]] for i in range(len(found))]
        variants += [[*found[:i], found[i], *found[i:]] for i in range(len(found))]
        for one, other in combinations(range(len(found)), 2):
            swapped = list(found)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            variants.append(swapped)
        if trusting is without_home:  # the head at the very end is what the second place holds as well
            variants = [v for v in variants if v != found[:-1] or number == 1]
        for variant in variants:
            changed = with_segment(log, chain, number, header + b"".join(variant))
            assert not verify(changed, trust).is_whole


def test_a_truncation_anywhere_is_found(logged: Settings) -> None:
    log, trust = image_of(logged), trust_of(logged)
    for chain, number, data in parts(log):
        step = 5 if len(data) < 4000 else 97
        for size in range(0, len(data), step):
            report = verify(with_segment(log, chain, number, data[:size]), trust)
            assert not report.is_whole, (chain, number, size)
        assert not verify(with_segment(log, chain, number, None), trust).is_whole
        assert not verify(with_segment(log, chain, number, data + b"\0"), trust).is_whole
    for chain in log.chains:
        rest = {n: c for n, c in log.chains.items() if n != chain}
        assert not verify(replace(log, chains=rest), trust).is_whole


def forged(settings: Settings, log: LogImage, *, is_sealed: bool) -> LogImage:
    """Write a chain anew with another second record, every hash made right; with or without the data key."""
    sealing = Sealing(settings)
    data = segment(log, 1, 1)
    header = SegmentHeader.unpack(data)
    here, blob = header.hash, header.pack()
    for frame in frames(data):
        body = frame.body
        if frame.sequence == 2:
            lie = new_entry("kpi", kpi="nothing to see").encoded()
            body = sealing.seal(lie, header.key_version, header.log_id) if is_sealed else bytes(len(body))
        packed, here = pack(here, frame.kind, frame.sequence, body)
        blob += packed
    return with_segment(log, 1, 1, blob)


def test_a_forged_record_is_found_even_with_the_data_key(logged: Settings) -> None:
    log = image_of(logged)
    for is_sealed in (True, False):
        for trust in (trust_of(logged), without_home(logged), Trust()):
            found = verify(forged(logged, log, is_sealed=is_sealed), trust).findings
            assert any("a head has signed" in finding.what for finding in found)
    without_seal = verify(forged(logged, log, is_sealed=False), trust_of(logged)).findings
    assert any(finding.what == "a record is not sealed with the log's key" for finding in without_seal)


def test_a_record_put_at_the_end_with_the_data_key_is_found(logged: Settings) -> None:
    log, sealing = image_of(logged), Sealing(logged)
    data = segment(log, 1, 1)
    header, last = SegmentHeader.unpack(data), list(frames(data))[-1]
    sealed = sealing.seal(new_entry("sql", sql="forged").encoded(), header.key_version, header.log_id)
    packed, _ = pack(last.hash, RECORD, last.sequence + 1, sealed)
    (finding,) = verify(with_segment(log, 1, 1, data + packed), trust_of(logged)).findings
    assert finding.what == "there are records beyond those that were written here"
    assert (finding.chain, finding.sequence) == (1, last.sequence + 1)


def test_heads_signed_with_another_key_are_found(logged: Settings) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from shoplake.audit.heads import public_hex

    log, stranger = image_of(logged), Ed25519PrivateKey.generate()
    for number, data in log.chains[0].segments:
        header = SegmentHeader.unpack(data)
        here, blob = header.hash, header.pack()
        for frame in frames(data):
            body = frame.body
            if frame.kind == HEAD:
                head = read_head(body)
                assert isinstance(head, Head)
                body = replace_head(head, public_hex(stranger)).signed(stranger).encoded()
            packed, here = pack(here, frame.kind, frame.sequence, body)
            blob += packed
        log = with_segment(log, 0, number, blob)
    whats = [finding.what for finding in verify(log, without_home(logged)).findings]
    assert any("key" in what or "two heads" in what for what in whats)


def replace_head(head: Head, key: str) -> Head:
    import msgspec

    return msgspec.structs.replace(head, key=key)


def test_a_return_to_an_earlier_state_is_found_by_the_heads_kept_apart(logged: Settings, tmp_path: Path) -> None:
    shutil.copytree(logged.home / "audit", tmp_path / "earlier")
    write(logged, new_entry("sql", sql="select 'to be forgotten'"))
    log_of(logged).sign(is_forced=True)
    assert check(logged).is_whole
    shutil.rmtree(logged.home / "audit")
    shutil.copytree(tmp_path / "earlier", logged.home / "audit")
    for trust in (trust_of(logged), without_home(logged)):
        whats = [finding.what for finding in verify(image_of(logged), trust).findings]
        assert any("up to record" in what for what in whats)
    alone = verify(replace(image_of(logged), apart=None), trust_of(logged))
    assert alone.is_whole
    assert any("no second place" in note for note in alone.notes)


def test_a_log_begun_anew_is_found_by_the_heads_kept_apart(logged: Settings) -> None:
    shutil.rmtree(logged.home / "audit")
    write(logged, new_entry("sql", sql="select 1"))
    log_of(logged).sign(is_forced=True)
    whats = [finding.what for finding in check(logged).findings]
    assert any("two heads of number 1" in what for what in whats)


def test_a_finding_says_where(logged: Settings) -> None:
    log = image_of(logged)
    data = segment(log, 0, 1)
    third = list(frames(data))[2]
    changed = verify(with_segment(log, 0, 1, flipped(data, 8 * (third.offset + 40))), trust_of(logged))
    (finding,) = changed.findings
    assert (finding.what, finding.chain, finding.segment) == ("a record was changed", 0, 1)
    assert (finding.sequence, finding.offset) == (third.sequence, third.offset)
