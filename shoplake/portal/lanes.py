"""Threads in which requests do what would hold up all others, each kind of work with its own few."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from shoplake.errors import BusyError

T = TypeVar("T")


class Lane:
    """A few threads, and a limited number of those who wait for one."""

    def __init__(self, name: str, *, threads: int, most_waiting: int) -> None:
        """Run ``threads`` calls at once; past ``most_waiting`` more the next are refused."""
        self.name, self.busy = name, 0
        self._most = threads + most_waiting
        self._ended_at = 0.0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, act: Callable[[], T]) -> T:
        """Call ``act`` in a thread of the lane; whoever no longer waits for it does not stop it.

        Raises:
            BusyError: too many wait already.

        """
        if self.busy >= self._most:
            raise BusyError("Too much is asked of the service at once.", hint="Ask again after Retry-After seconds.")
        self.busy += 1
        done = asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, act)
        done.add_done_callback(self._free)
        return await asyncio.shield(done)

    @property
    def quiet_seconds(self) -> float:
        """Give for how long nobody has waited for the lane."""
        return 0.0 if self.busy else time.monotonic() - self._ended_at

    def close(self) -> None:
        """Wait for what has begun, and begin nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def _free(self, _done: object) -> None:
        self.busy -= 1
        self._ended_at = time.monotonic()
