"""Checks a log against its own chains, its signed heads, the heads kept apart, and the marks of its home.

Every change, removal, swap or forgery breaks a chain where it was made, or else a signed head after it; a truncation or
a return to an earlier state leaves out what a mark or a head kept apart knows of. With the public key and the heads
kept apart this works anywhere; the keys of the home add the marks and the seals of the records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from shoplake.audit.frames import HEAD, CutOffError, frames
from shoplake.audit.heads import Head, Position, read_head
from shoplake.audit.walk import ChainImage, ChainWalk, Finding, Open


@dataclass(frozen=True)
class LogImage:
    """A log as it lies there."""

    chains: Mapping[int, ChainImage]
    last_head: bytes = b""
    apart: Collection[bytes] | None = None
    """The heads of the second place; None if there is none."""


@dataclass(frozen=True)
class Trust:
    """What the log is checked against."""

    public_keys: Collection[str] = ()
    """One of these must have signed a head; none: whatever key the log itself begins with."""
    log_id: str = ""
    marks_key: bytes | None = None
    open: Open | None = None
    chain_id: Callable[[int], bytes] | None = None


@dataclass
class Report:
    """What a check found."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is as it may be, and still good to know."""
    chains: int = 0
    records: int = 0
    heads: int = 0
    unsigned: int = 0
    """Records that no signed head stands for yet."""
    key: str = ""
    """Public key of the last head."""

    @property
    def is_whole(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.findings


def verify(image: LogImage, trust: Trust, *, on_step: Callable[[], None] = lambda: None) -> Report:
    """Check a whole log; ``on_step`` is called every some thousand records, and what it raises ends the check."""
    report = Report(chains=len(image.chains))
    heads = _heads_in(image)
    apart = _heads_apart(image, report)
    _check_keys(heads, apart, trust, report)
    _check_numbers(heads, apart, image, report)
    newest = max([*heads, *apart], key=lambda head: head.number, default=None)
    wanted = _wanted([*heads, *apart])
    for number in sorted(image.chains.keys() | wanted.keys()):
        last = {p.chain: p for p in newest.positions}.get(number) if newest else None
        walk = ChainWalk(number, wanted.get(number, {}), last, trust.marks_key, trust.open, trust.chain_id, on_step)
        result = walk.walk(image.chains.get(number))
        report.findings += result.findings
        report.notes += result.notes
        report.records += result.records
        report.unsigned += result.unsigned
    report.heads = len(heads)
    report.key = newest.key if newest else ""
    if not heads:
        report.notes.append("nothing is signed yet")
    elif report.unsigned:
        report.notes.append(f"{report.unsigned} records since the last signed head")
    return report


def _heads_in(image: LogImage) -> list[Head]:
    """Give the heads that stand in the chains, in their order; one that is no head is found on the walk."""
    found = list[Head]()
    for chain in image.chains.values():
        for _, data in chain.segments:
            try:
                bodies = [frame.body for frame in frames(data) if frame.kind == HEAD]
            except CutOffError:
                bodies = _whole_bodies(data)
            found += [head for body in bodies if (head := read_head(body))]
    return sorted(found, key=lambda head: head.number)


def _whole_bodies(data: bytes) -> list[bytes]:
    bodies = list[bytes]()
    try:
        for frame in frames(data):
            if frame.kind == HEAD:
                bodies.append(frame.body)  # noqa: PERF401 - what came before the cut is kept
    except CutOffError:
        pass
    return bodies


def _heads_apart(image: LogImage, report: Report) -> list[Head]:
    if image.apart is None:
        report.notes.append("no second place: a return of the whole log to an earlier state cannot be seen")
        return []
    found = [read_head(data) for data in image.apart]
    if None in found:
        report.findings.append(Finding("a head kept apart is damaged"))
    return [head for head in found if head is not None]


def _check_keys(heads: list[Head], apart: list[Head], trust: Trust, report: Report) -> None:
    """See that one key signed, then the one that it named, and so on, and that a trusted key is among them."""
    valid, signers = set[str](), set[str]()
    for head in heads:
        if valid and head.key not in valid:
            report.findings.append(Finding(f"head {head.number} is signed with a key that no earlier head names"))
        valid = {head.key} | ({head.next_key} if head.next_key else set())
        signers.add(head.key)
    trusted = set(trust.public_keys)
    all_signers = signers | {head.key for head in apart}
    if trusted and all_signers and not all_signers & trusted:
        report.findings.append(Finding("no head is signed with the public key that was given"))
    if any(head.key not in signers | valid | trusted for head in apart):
        report.findings.append(Finding("a head kept apart is signed with a key that the log does not know"))
    if trust.log_id and any(head.log != trust.log_id for head in [*heads, *apart]):
        report.findings.append(Finding("a head is of another log"))


def _check_numbers(heads: list[Head], apart: list[Head], image: LogImage, report: Report) -> None:
    """See that no head is there twice with other content, and that the newest is where it should be."""
    seen: dict[int, Head] = {}
    for head in [*heads, *apart]:
        if seen.setdefault(head.number, head) != head:
            report.findings.append(Finding(f"there are two heads of number {head.number}"))
    last = read_head(image.last_head) if image.last_head else None
    if image.last_head and last is None:
        report.findings.append(Finding("head.json is damaged"))
    newest = heads[-1].number if heads else 0
    if last is not None and seen.get(last.number, last) != last:
        report.findings.append(Finding("head.json is not the head of its number"))
    if (last.number if last else 0) > newest:
        report.findings.append(Finding(f"the log is older than its last head, number {last.number if last else 0}"))
    if image.apart is not None and heads and max((h.number for h in apart), default=0) < newest:
        report.notes.append("the newest head is not in the second place yet")


def _wanted(heads: list[Head]) -> dict[int, dict[tuple[int, int], set[Position]]]:
    """Give, by chain and place, what heads say of it."""
    wanted: dict[int, dict[tuple[int, int], set[Position]]] = {}
    for head in heads:
        for position in head.positions:
            places = wanted.setdefault(position.chain, {})
            places.setdefault((position.segment, position.sequence), set()).add(position)
    return wanted
