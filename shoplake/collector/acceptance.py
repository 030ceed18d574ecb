"""Takes a request's events in: cut, checked, stored, and only then answered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoplake.collector.body import cut
from shoplake.collector.fast_check import FastCheck
from shoplake.collector.grouped import Grouped, InThread
from shoplake.collector.refusal import Refusal, overloaded
from shoplake.lake.streaming import EVENT_ID
from shoplake.lake.verdict import EventChecker, Reasons
from shoplake.store.deposits import Deposit, Stored

if TYPE_CHECKING:
    from shoplake.collector.doorkeeper import Doorkeeper
    from shoplake.collector.metrics import Metrics
    from shoplake.contracts import Contract
    from shoplake.settings import Settings
    from shoplake.store.producers import Producer

KEY_BYTES = 16
LONGEST_REQUEST_KEY = 255


NOT_STORED = {
    "conflict": lambda: Refusal(
        422,
        "idempotency_key",
        "This Idempotency-Key came before with another body.",
        "Use a new key for a new request.",
    ),
    "too_large": lambda: Refusal(
        413, "too_large", "An event is larger than the Kafka brokers take.", "Send it smaller, or not at all."
    ),
    "unavailable": lambda: overloaded("The events cannot be stored now.", retry_after=5),
}
"""Refusals by what the log says of a deposit."""


@dataclass(frozen=True)
class EventLog:
    """Where events are stored."""

    put: Callable[[Sequence[Deposit]], Awaitable[Sequence[Stored]]]
    leave: Callable[[], Awaitable[None]]
    """Lets go of the event loop, when all has been stored."""


class Acceptance:
    """Takes events of any stream source in."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        doorkeeper: Doorkeeper,
        metrics: Metrics,
    ) -> None:
        """Store in ``log``; every contract of kind stream is a source, with Kafka each that has a topic."""
        from shoplake.contracts import stream_contracts

        self._settings, self._log, self._doorkeeper, self._metrics = settings, log, doorkeeper, metrics
        self.contracts = stream_contracts(settings)
        if settings.collector_log == "kafka":
            self.contracts = {name: c for name, c in self.contracts.items() if name in settings.kafka_topics}
        self._fast = {name: FastCheck(contract) for name, contract in self.contracts.items()}
        self._checker = EventChecker(settings)
        self._checking = InThread("checks", self._check)
        self.checks: Grouped[tuple[Contract, list[bytes]], Reasons] = Grouped("checks", self._checking)
        self.commits: Grouped[Deposit, Stored] = Grouped("commits", self._commit)

    def start(self) -> None:
        """Begin; call within the event loop."""
        self.checks.start()
        self.commits.start()

    async def stop(self) -> None:
        """Finish what has begun."""
        await self.checks.stop()
        await self.commits.stop()
        await self._log.leave()
        await self._checking.close()
        self._checker.close()

    async def accept(self, source: str, producer: Producer, body: bytes, request_key: str) -> bytes:
        """Take a body's events in; give the answer, when they are durable.

        Raises:
            Refusal: the body is not taken; nothing of it was stored.

        """
        events = cut(body, self._settings.collector_event_limit)
        self._doorkeeper.charge(producer, events.count)
        ids, reasons = self._fast[source].read(events), Reasons()
        if ids is None:
            lines = events.lines.split(b"\n")
            reasons = await self.checks.do((self.contracts[source], lines), len(events.lines))
            ids = [_event_id(line) for line in lines]
        deposit = Deposit(source, events.lines, events.count, time.time(), reasons)
        if request_key:
            deposit.request = _request(producer.name, source, request_key, body)
        if any(ids):
            deposit.event_keys = _event_keys(source, ids, reasons, events.lines)
        stored = await self.commits.do(deposit, len(events.lines))
        if stored.status in NOT_STORED:
            raise NOT_STORED[stored.status]()
        if stored.status == "stored":
            self._metrics.accepted[source] += events.count - len(reasons)
            self._metrics.quarantined[source] += len(reasons)
            self._metrics.duplicates[source] += stored.duplicates
        return stored.answer

    def _check(self, batches: Sequence[tuple[Contract, list[bytes]]]) -> list[Reasons]:
        found: list[Reasons] = [{} for _ in batches]
        for source in {contract.source for contract, _ in batches}:
            places = [n for n, (contract, _) in enumerate(batches) if contract.source == source]
            verdicts = self._checker.check(self.contracts[source], [batches[n][1] for n in places])
            for place, verdict in zip(places, verdicts, strict=True):
                found[place] = verdict
        return found

    async def _commit(self, deposits: Sequence[Deposit]) -> Sequence[Stored]:
        with self._metrics.committing():
            return await self._log.put(deposits)


def _request(producer: str, source: str, key: str, body: bytes) -> tuple[bytes, bytes]:
    if len(key) > LONGEST_REQUEST_KEY:
        raise Refusal(400, "idempotency_key", f"The Idempotency-Key is longer than {LONGEST_REQUEST_KEY} characters.")
    return _digest(producer, source, key), hashlib.blake2b(body, digest_size=KEY_BYTES).digest()


def _event_keys(source: str, ids: Sequence[str | None], reasons: Reasons, lines: bytes) -> list[tuple[int, bytes]]:
    """Give a key for each event with an id; a bad event's counts only with its content, so that it may be corrected."""
    texts = lines.split(b"\n") if reasons else []
    return [
        (n, _digest(source, event_id, texts[n].decode("utf-8", "replace") if n in reasons else ""))
        for n, event_id in enumerate(ids)
        if event_id
    ]


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def _event_id(line: bytes) -> str | None:
    import msgspec

    try:
        value: Any = msgspec.json.decode(line, type=dict[str, Any]).get(EVENT_ID)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
