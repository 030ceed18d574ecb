"""What a round costs on a short and on a long history: the same new events on two homes in turn."""

from __future__ import annotations

import datetime as dt
import json
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shoplake.home import home_lock
from shoplake.keys.keyring import Keyring
from shoplake.lake.merging import merge_small
from shoplake.lake.streaming import StreamBatch, StreamLander
from shoplake.pipeline.init import init_home
from shoplake.pipeline.run import run
from shoplake.pipeline.stream import Stream
from shoplake.settings import Settings, load_settings
from shoplake.sources.partitions import joined
from shoplake.store.engine import open_store
from shoplake.store.ledger import Ledger, StreamRange

BATCHES_A_DAY = 4
EVENTS_A_BATCH = 250
CUSTOMERS = 5_000
NEW_EVENTS = 2_000
SOURCES = ("web_events", "interactions")


@dataclass(frozen=True)
class RoundCost:
    """Rounds on a home with so many days of history."""

    days: int
    events: int
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Give the median by the clock."""
        return statistics.median(self.seconds)

    @property
    def cpu_median(self) -> float:
        """Give the median in processor time of all threads."""
        return statistics.median(self.cpu_seconds)


class _Home:
    def __init__(self, folder: Path, days: int, batches: int) -> None:
        self.settings: Settings = load_settings(folder)
        init_home(self.settings)
        self.days, self.events = days, 0
        self._draw = random.Random(days)  # noqa: S311 - test data
        self._offsets = dict.fromkeys(SOURCES, 0)
        today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        with _landers(self.settings) as landers:
            for back in range(days, 0, -1):
                begin = (today - dt.timedelta(days=back)).timestamp()
                for _ in range(batches):
                    self._land(landers, begin, 86_400, EVENTS_A_BATCH)
        self._merge()
        run(self.settings)
        self.stream = Stream(self.settings)
        self.stream.round()

    def round(self) -> tuple[float, float]:
        """Land new events of the last minute and make a round; give its seconds by the clock and of processor time."""
        with _landers(self.settings) as landers:
            self._land(landers, time.time() - 60, 60, NEW_EVENTS)
        started, cpu = time.perf_counter(), time.process_time()
        report = self.stream.round()
        assert report is not None  # noqa: S101 - nobody stops it
        assert report.published  # noqa: S101 - there were new events
        return time.perf_counter() - started, time.process_time() - cpu

    def _merge(self) -> None:
        """Merge as the rounds of those days would have done."""
        keyring = Keyring.open(self.settings)
        store = open_store(self.settings, keyring)
        with home_lock(self.settings):
            while merge_small(self.settings, keyring, Ledger(store)):
                pass
        store.close()

    def _land(self, landers: dict[str, StreamLander], begin: float, seconds: float, count: int) -> None:
        for source in SOURCES:
            some = count if source == "web_events" else count // 20
            lines = [json.dumps(self._row(source, begin + self._draw.random() * seconds)).encode() for _ in range(some)]
            first = self._offsets[source]
            where = StreamRange(f"spool/bench/{source}", 0, first, first + some)
            landers[source].land(StreamBatch(where, joined(lines), dt.datetime.fromtimestamp(begin, dt.UTC)))
            self._offsets[source] += some
            self.events += some

    def _row(self, source: str, moment: float) -> dict[str, object]:
        draw, moment = self._draw, round(moment, 3)
        if source == "interactions":
            kind = draw.choice(["Feedback", "Loyalty", "Complaint"])
            return {
                "customer_id": draw.randrange(CUSTOMERS),
                "interaction_type": kind,
                "rating": 3,
                "timestamp": moment,
            }
        customer = draw.randrange(CUSTOMERS)
        more = {"page": f"/product/{draw.randrange(200)}", "event_type": draw.choice(["Click", "View", "Scroll"])}
        return {"session_id": f"{draw.getrandbits(40):x}", "user_id": customer, "timestamp": moment, **more}


@contextmanager
def _landers(settings: Settings) -> Iterator[dict[str, StreamLander]]:
    with ExitStack() as stack:
        yield {source: stack.enter_context(StreamLander(settings, source)) for source in SOURCES}


def measure_rounds(
    work: Path, *, days: int, times: int, rounds: int, batches: int = BATCHES_A_DAY
) -> tuple[RoundCost, RoundCost]:
    """Make rounds on ``days`` and on ``times`` as many days of history, in turn."""
    homes = [_Home(work / f"days-{n}", n, batches) for n in (days, days * times)]
    took: dict[int, list[tuple[float, float]]] = {home.days: [] for home in homes}
    for home in homes:
        home.round()  # as a warm-up: the process makes many
    for _ in range(rounds):
        for home in homes:
            took[home.days].append(home.round())
    short, long = (
        RoundCost(h.days, h.events, tuple(t[0] for t in took[h.days]), tuple(t[1] for t in took[h.days])) for h in homes
    )
    return short, long
