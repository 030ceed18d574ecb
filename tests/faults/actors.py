"""Processes of the product that are started, killed at any moment, and started anew."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from shoplake.keys.keyring import Keyring
from shoplake.settings import Settings
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger
from tests.faults.children import Child
from tests.kafka import Broker, a_group

PARTITIONS = 3


@dataclass
class Stage:
    """Where the actors act: a home, an address to collect on, and a topic."""

    settings: Settings
    port: int
    broker: Broker
    topic: str

    def start(self, *arguments: str, log: str) -> Child:
        """Start a process of `shoplake`."""
        # A consumer group of its own, so that the broker hands out the partitions without waiting for the dead.
        environment = {
            "SHOPLAKE_KAFKA_BROKERS": self.broker.address,
            "SHOPLAKE_KAFKA_TOPICS": json.dumps({"web_events": self.topic}),
            "SHOPLAKE_KAFKA_GROUP": a_group(),
            "SHOPLAKE_KAFKA_SESSION_SECONDS": "20",
            "SHOPLAKE_KAFKA_BATCH_SECONDS": "0.2",
        }
        return Child(["--home", str(self.settings.home), *arguments], environment, self.log(log))

    def landed(self, beginning: str) -> int:
        """Count the batches in the lake whose names begin so."""
        store = open_store(self.settings, Keyring.open(self.settings))
        try:
            files = Ledger(store).files("web_events", only_active=False)
        finally:
            store.close()
        return sum(file.logical_name.startswith(beginning) for file in files)

    def log(self, name: str) -> Path:
        return self.settings.home.parent / f"{name}.log"


@dataclass(frozen=True)
class Actor:
    """A command that is killed some moment after its start."""

    name: str
    arguments: Callable[[Stage], Sequence[str]]
    lane: str
    """Actors of one lane take turns; lanes go side by side."""
    lands: str = ""
    """How the names of the batches begin that it lands for as long as it lives; empty for one that ends by itself."""


_CONSUME = Actor("consume", lambda _: ["consume"], "streams", "kafka/")
ACTORS = (
    Actor(
        "collect",
        lambda s: ["collect", "--no-tls", "--port", str(s.port), "--drain-seconds", "0.1"],
        "collector",
        "spool/",
    ),
    _CONSUME,
    Actor("drain", lambda _: ["drain"], "streams"),
    _CONSUME,
    Actor("run", lambda _: ["run"], "streams"),
    Actor("stream", lambda _: ["stream", "--once"], "streams"),
)


LIVES_A_LOOK = 10


@dataclass
class Assault:
    """Kills actors until so many have been killed."""

    stage: Stage
    kills: int
    actors: Sequence[Actor] = ACTORS
    killed: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    """Actors that nobody killed, and that ended with an error."""

    def carry_out(self) -> None:
        lanes = {actor.lane: [a for a in self.actors if a.lane == actor.lane] for actor in self.actors}
        with ThreadPoolExecutor(len(lanes)) as threads:
            list(threads.map(self._lane, lanes.values()))

    def _lane(self, actors: Sequence[Actor]) -> None:
        """Let a life of each now and then show how long it needs to do its work; cut the others off before or after."""
        draw, needed = random.Random(f"{self.kills} {actors[0].lane}"), dict[str, float]()
        for life, actor in enumerate(cycle(actors)):
            if self.killed.total() >= self.kills:
                return
            if life // len(actors) % LIVES_A_LOOK:
                self._live(actor, draw.uniform(0.3, 1.4) * needed[actor.name])
            else:
                # Looked at again, as a machine is busier at one time than at another.
                needed[actor.name] = self._live(actor, 60, before=self.stage.landed(actor.lands))

    def _live(self, actor: Actor, seconds: float, *, before: int | None = None) -> float:
        """Kill a process after so many seconds, or when it has landed more than ``before``; give how long it lived."""
        process, started = self.stage.start(*actor.arguments(self.stage), log=actor.name), time.monotonic()
        while process.exit_code(0.01) is None and time.monotonic() - started < seconds:
            if before is not None and actor.lands and self.stage.landed(actor.lands) > before:
                break
        code = process.exit_code()
        if code is None:
            process.kill()
            self.killed[actor.name] += 1
        elif code:
            self.failed.append(actor.name)
        return time.monotonic() - started
