"""Work that is done for many requests at once: each round takes whatever came while the last one ran."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shoplake.collector.refusal import Refusal, overloaded
from shoplake.errors import ShoplakeError

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("shoplake.collector")
PATIENCE_SECONDS = 20.0
"""A request that has waited for so long is told to come again."""
MOST_ITEMS = 4_000
LONGEST_LINGER_SECONDS = 0.005


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    size: int
    future: asyncio.Future[Result]
    since: float


class Grouped(Generic[Item, Result]):
    """One thread that works through groups of items; requests wait for their own result."""

    def __init__(
        self, name: str, work: Callable[[Sequence[Item]], Sequence[Result]], *, most_bytes: int = 16_000_000
    ) -> None:
        """Do ``work`` on groups of items of up to ``most_bytes``; it gives one result an item, or fails as a whole."""
        self._name, self._work, self._most_bytes = name, work, most_bytes
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._working: list[_Waiting[Item, Result]] = []
        self._expected, self._linger_until = 0, 0.0
        self._ready, self._is_open, self._is_waking, self._is_idle = threading.Condition(), True, False, False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call within the event loop that the requests run in."""
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.create_task(self._give_up_late())
        self._thread.start()

    async def stop(self) -> None:
        """Finish what waits, and end."""
        with self._ready:
            self._is_open = False
            self._ready.notify()
        await asyncio.to_thread(self._thread.join)
        if self._watch is not None:
            self._watch.cancel()

    def __len__(self) -> int:
        """Give the number of items that wait."""
        return len(self._queue)

    def do(self, item: Item, size: int) -> asyncio.Future[Result]:
        """Have an item of ``size`` bytes worked on; give what its result is to be awaited by.

        Raises:
            Refusal: (503; also when it is awaited) the work failed, or took too long; the item may still be worked on
                later.

        """
        assert self._loop is not None  # noqa: S101 - `start` comes first
        if not self._is_open:
            raise overloaded("The collector is stopping.")
        waiting: _Waiting[Item, Result] = _Waiting(item, size, self._loop.create_future(), time.monotonic())
        self._queue.append(waiting)
        if not self._is_waking:
            # The thread is woken when all requests that have come by now are in the queue: woken by the first of them,
            # it would take turns with the reading of the others.
            self._is_waking = True
            self._loop.call_soon(self._wake)
        return waiting.future

    def _wake(self) -> None:
        """Wake the thread if it has nothing to do, or lingers for the last of those that have come by now."""
        self._is_waking = False
        if self._is_idle or len(self._queue) >= self._expected:
            with self._ready:
                self._ready.notify()

    def _run(self) -> None:
        while (group := self._take()) is not None:
            began = time.monotonic()
            results = self._results(group)
            ended = time.monotonic()
            # Whoever waits now and whoever is answered now may make one group the next time.
            self._expected = len(group) + len(self._queue)
            self._linger_until = ended + min(ended - began, LONGEST_LINGER_SECONDS)
            assert self._loop is not None  # noqa: S101 - `start` set it
            self._loop.call_soon_threadsafe(_finish, group, results)

    def _results(self, group: Sequence[_Waiting[Item, Result]]) -> Sequence[Result | Refusal]:
        try:
            return self._work([waiting.item for waiting in group])
        except ShoplakeError as failure:
            log.error("%s failed: %s", self._name, failure.message)
        except Exception as failure:  # noqa: BLE001 - every request of the group has to be answered
            log.error("%s failed: %s", self._name, type(failure).__name__)
            if len(group) > 1:
                # One item may be at fault: the others must not suffer for it.
                return [result for waiting in group for result in self._results([waiting])]
        return [overloaded("The events cannot be stored now.", retry_after=5) for _ in group]

    def _take(self) -> list[_Waiting[Item, Result]] | None:
        """Give the next group; None when all is done and no more is to come."""
        group: list[_Waiting[Item, Result]] = []
        with self._ready:
            while not group:
                # Said before the queue is looked at: whoever joins it after that look sees it, and wakes us.
                self._is_idle = True
                while not self._queue and self._is_open:
                    self._ready.wait()
                self._is_idle = False
                if not self._queue:
                    return None
                self._linger()
                self._working, size = group, 0
                while self._queue and len(group) < MOST_ITEMS and size < self._most_bytes:
                    waiting = self._queue.popleft()
                    if not waiting.future.done():
                        group.append(waiting)
                        size += waiting.size
        return group

    def _linger(self) -> None:
        """Wait a little for as many as came the last time: a round costs much, and one more item in it hardly anything.

        At most as long as the last round took, counted from its end, so that nobody waits much longer than the disk
        makes them, and the next round comes together while the answers of the last one go out.
        """
        while self._is_open and len(self._queue) < self._expected:
            left = self._linger_until - time.monotonic()
            if left <= 0:
                return
            self._ready.wait(left)

    async def _give_up_late(self) -> None:
        """Answer requests that have waited for too long: a disk may be slow without end."""
        while True:
            await asyncio.sleep(1)
            limit = time.monotonic() - PATIENCE_SECONDS
            for waiting in [*self._working, *self._queue]:
                if waiting.since < limit and not waiting.future.done():
                    waiting.future.set_exception(overloaded("The collector cannot keep up.", retry_after=10))


def _finish(group: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Refusal]) -> None:
    for waiting, result in zip(group, results, strict=True):
        if waiting.future.done():
            continue
        if isinstance(result, Refusal):
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)
