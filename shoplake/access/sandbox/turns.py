"""How many queries run at once, of all people and of one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from shoplake.errors import TooManyQueries


class Turns:
    """Gives queries their turn; one person never has them all."""

    def __init__(self, most: int, wait_seconds: float) -> None:
        """Let so many queries run, and others wait so long."""
        self._most, self._most_of_one = most, max(1, most // 2)
        self._wait_seconds = wait_seconds
        self._taken: Counter[str] = Counter()
        self._changed = Condition()

    @contextmanager
    def taken(self, user: str, check: Callable[[], None]) -> Iterator[None]:
        """Have a turn for the block.

        Args:
            user: whose query it is.
            check: raises when the query need not wait any longer; called now and then.

        Raises:
            TooManyQueries: none got free in time.

        """
        self._wait(user, check)
        try:
            yield
        finally:
            with self._changed:
                self._taken[user] -= 1
                self._changed.notify_all()

    def wake(self) -> None:
        """Let waiting queries look whether they have to wait any longer."""
        with self._changed:
            self._changed.notify_all()

    def _wait(self, user: str, check: Callable[[], None]) -> None:
        deadline = time.monotonic() + self._wait_seconds
        with self._changed:
            while self._taken.total() >= self._most or self._taken[user] >= self._most_of_one:
                check()
                left = deadline - time.monotonic()
                if left <= 0:
                    whose = "yours" if self._taken[user] >= self._most_of_one else "people's"
                    raise TooManyQueries(
                        f"{self._taken.total()} queries run, and none of {whose} ended within "
                        f"{self._wait_seconds:g} seconds.",
                        hint="Ask again in a while, or ask for less at once.",
                    )
                self._changed.wait(left)
            self._taken[user] += 1
