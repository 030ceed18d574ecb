"""Keeps answers in memory: of one release to the same question within the same rights there is only one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.access.kpi_answer import KpiAnswer
    from shoplake.access.rights import Rights

MOST_ROWS = 400_000
"""Rows of all answers together, about 200 MB."""


class KeptAnswers:
    """Any thread may use it; of those who ask the same at once, one works and the others wait."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        """Keep nothing yet."""
        self._most_rows, self._rows = most_rows, 0
        self._kept: OrderedDict[Hashable, KpiAnswer] = OrderedDict()
        self._release = ""
        self._lock = Lock()
        self._making: dict[Hashable, Lock] = {}

    def find(self, release: str, question: Hashable, make: Callable[[], KpiAnswer]) -> KpiAnswer:
        """Give the answer that is kept, or make it; a failure is kept by nobody.

        Args:
            release: answers of others are dropped.
            question: what is asked, and within which rights.
            make: answers it.

        """
        with self._lock:
            if release != self._release:
                self._release, self._rows = release, 0
                self._kept.clear()
            making = self._making.setdefault((release, question), Lock())
        with making:
            try:
                return self._kept_or_made(release, question, make)
            finally:
                with self._lock:
                    self._making.pop((release, question), None)

    def _kept_or_made(self, release: str, question: Hashable, make: Callable[[], KpiAnswer]) -> KpiAnswer:
        with self._lock:
            if question in self._kept and release == self._release:
                self._kept.move_to_end(question)
                return self._kept[question]
        found = make()
        with self._lock:
            if found.release == release == self._release:
                self._kept[question] = found
                self._rows += _size(found)
                while self._rows > self._most_rows:
                    self._rows -= _size(self._kept.popitem(last=False)[1])
        return found


def _size(answer: KpiAnswer) -> int:
    return len(answer.rows) + 1


def signature(rights: Rights | None) -> Hashable:
    """Give what two persons have in common who see the same by the same policy; of the owner of the home nothing."""
    if rights is None:
        return None
    identity, policy = rights.identity, rights.policy
    limits = tuple(sorted((name, tuple(sorted(values))) for name, values in identity.attributes.items()))
    return identity.role, limits, str(policy.file), policy.file.stat().st_mtime_ns
