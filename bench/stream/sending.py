"""Producers that send events at a fixed rate, and probes among them whose moment nobody else has."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field

TICK_SECONDS = 0.5
INTERACTIONS_SHARE = 0.05
SOURCES = ("web_events", "interactions")


@dataclass
class Probe:
    """One event whose way is followed."""

    source: str
    moment: float
    """Its time to the microsecond: no other event has it."""
    answered_at: float
    """When the collector's 2xx came, on this process' clock."""
    visible_at: float | None = None


@dataclass
class Sent:
    """What was acknowledged."""

    events: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    refused: int = 0
    behind_seconds: float = 0.0
    """How far the sender was behind its rate at worst."""
    probes: list[Probe] = field(default_factory=list)


class Sender(threading.Thread):
    """Sends ``rate`` events a second for some seconds, a request of each source every half second."""

    def __init__(self, port: int, key: str, *, rate: int, seconds: float, customers: int = 20_000) -> None:
        """Be ready to send; `start` begins."""
        super().__init__(daemon=True)
        self._port, self._key, self._rate, self.seconds, self._customers = port, key, rate, seconds, customers
        self._draw = random.Random(11)  # noqa: S311 - test data
        self.sent = Sent()

    def run(self) -> None:
        """Send until the time is over."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        started, tick = time.monotonic(), 0
        while tick * TICK_SECONDS < self.seconds:
            due = started + tick * TICK_SECONDS
            time.sleep(max(due - time.monotonic(), 0))
            self.sent.behind_seconds = max(self.sent.behind_seconds, time.monotonic() - due)
            for source in SOURCES:
                self._send(connection, source, with_probe=tick % 2 == 0)
            tick += 1
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, source: str, *, with_probe: bool) -> None:
        share = INTERACTIONS_SHARE if source == "interactions" else 1 - INTERACTIONS_SHARE
        rows = [self._row(source) for _ in range(int(self._rate * TICK_SECONDS * share))]
        moment = int(time.time() * 1_000_000) / 1_000_000
        if with_probe:
            rows.append(self._row(source) | {"timestamp": moment, "session_id": f"probe-{moment}"})
            if source == "interactions":
                rows[-1].pop("session_id")
        body = "\n".join(map(json.dumps, rows)).encode()
        connection.request("POST", f"/v1/events/{source}", body, {"authorization": f"Bearer {self._key}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:  # noqa: PLR2004 - as HTTP says
            self.sent.refused += 1
            return
        self.sent.events[source] += len(rows)
        if with_probe:
            self.sent.probes.append(Probe(source, moment, time.monotonic()))

    def _row(self, source: str) -> dict[str, object]:
        draw = self._draw
        # Whole seconds: a probe's fraction of a second is its own.
        moment = int(time.time()) - draw.randrange(60)
        customer = draw.randrange(self._customers)
        if source == "interactions":
            kind = draw.choice(["Feedback", "Loyalty", "Complaint"])
            more = {"channel": "Email", "rating": draw.randrange(1, 6), "message_excerpt": "The parcel came late."}
            return {"customer_id": customer, "interaction_type": kind, "timestamp": moment, **more}
        visit = draw.randrange(self._rate * 20)
        return {
            "session_id": f"{visit:08x}",
            "user_id": customer if visit % 5 < 2 else None,  # noqa: PLR2004 - two of five are signed in
            "page": f"/product/{draw.randrange(2_000)}",
            "device_type": draw.choice(["Desktop", "Mobile", "Tablet"]),
            "browser": draw.choice(["Chrome", "Firefox", "Safari"]),
            "event_type": draw.choice(["Click", "View", "Scroll"]),
            "timestamp": moment,
        }
