"""Work that is done for many requests at once: each round takes whatever came while the last one ran."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

from msgspec import Struct

from shoplake.collector.refusal import Refusal, overloaded
from shoplake.errors import ShoplakeError

Item = TypeVar("Item")
Result = TypeVar("Result")
log = logging.getLogger("shoplake.collector")
PATIENCE_SECONDS = 20.0
"""A request that has waited for so long is told to come again."""
MOST_ITEMS = 4_000


class _Waiting(Struct, Generic[Item, Result], eq=False):
    item: Item
    size: int
    future: asyncio.Future[Result]
    since: float


class Grouped(Generic[Item, Result]):
    """Works through groups of items, one group at a time; requests wait for their own result."""

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        most_bytes: int = 16_000_000,
    ) -> None:
        """Do ``work`` on groups of items of up to ``most_bytes``; it gives one result an item, or fails as a whole."""
        self._name, self._work, self._most_bytes = name, work, most_bytes
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._working: list[_Waiting[Item, Result]] = []
        self._is_open, self._is_looking, self._seen = True, False, 0
        self._round: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call within the event loop that the requests run in."""
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.create_task(self._give_up_late())

    async def stop(self) -> None:
        """Finish what waits, and end."""
        self._is_open = False
        while self._round is not None or self._queue:
            if self._round is None:
                self._look()
            if self._round is not None:
                await self._round
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
        if not self._is_looking and self._round is None:
            # A round begins when all requests that have come by now are in the queue, not with the first of them.
            self._is_looking = True
            self._loop.call_soon(self._look)
        return waiting.future

    def _look(self) -> None:
        """Begin a round, when a turn of the event loop has brought nothing new: one more item costs hardly anything."""
        self._is_looking = False
        if self._round is not None or not self._queue:
            return
        assert self._loop is not None  # noqa: S101 - `start` came first
        if self._is_open and len(self._queue) > self._seen:
            self._is_looking, self._seen = True, len(self._queue)
            self._loop.call_soon(self._look)
        elif group := self._take():
            self._round = self._loop.create_task(self._work_on(group))

    def _take(self) -> list[_Waiting[Item, Result]]:
        """Take the next group from the queue, without those who have been told to come again."""
        group, size = list[_Waiting[Item, Result]](), 0
        while self._queue and len(group) < MOST_ITEMS and size < self._most_bytes:
            waiting = self._queue.popleft()
            if not waiting.future.done():
                group.append(waiting)
                size += waiting.size
        return group

    async def _work_on(self, group: list[_Waiting[Item, Result]]) -> None:
        """Do a round, and see to the next one."""
        self._working = group
        results = await self._results(group)
        self._working, self._round, self._seen = [], None, 0
        _finish(group, results)
        self._look()

    async def _results(self, group: Sequence[_Waiting[Item, Result]]) -> Sequence[Result | Refusal]:
        try:
            return await self._work([waiting.item for waiting in group])
        except ShoplakeError as failure:
            log.error("%s failed: %s", self._name, failure.message)
        except Exception as failure:  # noqa: BLE001 - every request of the group has to be answered
            log.error("%s failed: %s", self._name, type(failure).__name__)
            if len(group) > 1:
                # One item may be at fault: the others must not suffer for it.
                return [result for waiting in group for result in await self._results([waiting])]
        return [overloaded("The events cannot be stored now.", retry_after=5) for _ in group]

    async def _give_up_late(self) -> None:
        """Answer requests that have waited for too long: a disk may be slow without end."""
        while True:
            await asyncio.sleep(1)
            limit = time.monotonic() - PATIENCE_SECONDS
            for waiting in [*self._working, *self._queue]:
                if waiting.since < limit and not waiting.future.done():
                    waiting.future.set_exception(overloaded("The collector cannot keep up.", retry_after=10))


class InThread(Generic[Item, Result]):
    """Work that is done in a thread of its own, as `Grouped` takes it.

    Two threads that take turns at one interpreter hinder each other. Where the work is quick, the event loop therefore
    stands still for it; where it was slow the last time, or turns out to be, the loop goes on meanwhile.
    """

    def __init__(
        self, name: str, work: Callable[[Sequence[Item]], Sequence[Result]], *, stand_seconds: float = 0.0
    ) -> None:
        """Do ``work`` in a thread called ``name``; the loop stands still for it for up to ``stand_seconds``."""
        self._work, self._threads = work, ThreadPoolExecutor(1, thread_name_prefix=name)
        self._stand_seconds, self._is_quick = stand_seconds, stand_seconds > 0

    async def __call__(self, items: Sequence[Item]) -> Sequence[Result]:
        """Do it."""
        began, doing = time.monotonic(), self._threads.submit(self._work, items)
        if self._is_quick:
            with suppress(TimeoutError):
                doing.exception(self._stand_seconds)
        try:
            return doing.result() if doing.done() else await asyncio.wrap_future(doing)
        finally:
            self._is_quick = time.monotonic() - began < self._stand_seconds

    async def close(self) -> None:
        """End the thread, when it has done what it has begun."""
        await asyncio.to_thread(self._threads.shutdown)


def _finish(group: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Refusal]) -> None:
    for waiting, result in zip(group, results, strict=True):
        if waiting.future.done():
            continue
        if isinstance(result, Refusal):
            waiting.future.set_exception(result)
        else:
            waiting.future.set_result(result)
