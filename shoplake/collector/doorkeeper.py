"""Who may send what: keys of producers, known within seconds of their making and of their end."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from shoplake.collector.memory import RateLimit
from shoplake.collector.refusal import Refusal, overloaded
from shoplake.errors import ShoplakeError

if TYPE_CHECKING:
    from shoplake.settings import Settings
    from shoplake.store.producers import Producer

log = logging.getLogger("shoplake.collector")
RELOAD_SECONDS = 2.0
TRUST_SECONDS = 30.0
"""How long the last known keys count while the store cannot be read."""
LONGEST_KEY = 200


class Doorkeeper:
    """Knows the producers' keys; a thread of its own reads them again and again."""

    def __init__(self, settings: Settings) -> None:
        """Read the keys once.

        Raises:
            HomeError: there is no such home, or its store cannot be opened.

        """
        self._settings = settings
        self._producers: dict[str, Producer] = {}
        self._limits: dict[str, tuple[int, RateLimit]] = {}
        self._known_at = 0.0
        self._passed: dict[str, Producer] = {}
        self._stop = threading.Event()
        self._load()
        self._thread = threading.Thread(target=self._keep_loading, name="doorkeeper", daemon=True)

    def start(self) -> None:
        """Keep reading."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()

    def admit(self, authorization: str, source: str) -> Producer:
        """Give the producer that a header names, if it may send events of a source.

        Raises:
            Refusal: (401) no key that is in force; (403) a key for other sources; (503) keys cannot be read.

        """
        producer = self.known(authorization)
        if source not in producer.sources:
            raise Refusal(
                403,
                "forbidden",
                f"This key may not send {source}.",
                f"It is for: {', '.join(producer.sources)}. Another is made by `shoplake producers add`.",
            )
        return producer

    def known(self, authorization: str) -> Producer:
        """Give the producer that a header names, whatever its key is for.

        Raises:
            Refusal: (401) no key that is in force; (503) keys cannot be read.

        """
        if time.monotonic() - self._known_at > TRUST_SECONDS:
            raise overloaded("The producers' keys cannot be read.", retry_after=5)
        return self._passed.get(authorization) or self._check(authorization)

    def charge(self, producer: Producer, events: int) -> None:
        """Count events against a producer's rate limit.

        Raises:
            Refusal: (429) there were too many.

        """
        if producer.rate_limit is None:
            return
        limit = self._limits.get(producer.name)
        if limit is None or limit[0] != producer.rate_limit:
            limit = self._limits[producer.name] = (producer.rate_limit, RateLimit(producer.rate_limit))
        limit[1].take(events)

    def _check(self, authorization: str) -> Producer:
        from shoplake.store.producers import key_id_of

        scheme, _, key = authorization.partition(" ")
        key = key.strip()
        producer = self._producers.get(key_id_of(key)) if len(key) <= LONGEST_KEY else None
        if scheme.lower() != "bearer" or producer is None or not producer.fits(key):
            raise Refusal(
                401,
                "unauthorized",
                "There is no valid producer key in the request.",
                "Send `Authorization: Bearer KEY`; a key is made by `shoplake producers add`.",
            )
        self._passed[authorization] = producer
        return producer

    def _load(self) -> None:
        from shoplake.keys.keyring import Keyring
        from shoplake.store.engine import open_store
        from shoplake.store.producers import Producers

        # Opened each time, for its keys may have been changed in between.
        store = open_store(self._settings, Keyring.open(self._settings))
        try:
            found = Producers(store).list()
        finally:
            store.close()
        self._producers = {p.key_id: p for p in found if p.revoked_at is None}
        self._passed = {}
        self._known_at = time.monotonic()

    def _keep_loading(self) -> None:
        while not self._stop.wait(RELOAD_SECONDS):
            try:
                self._load()
            except ShoplakeError as error:
                log.warning("the producers' keys cannot be read: %s", error.message)
            except Exception:  # noqa: BLE001 - whatever the driver raises: the next round may succeed
                log.warning("the producers' keys cannot be read")
