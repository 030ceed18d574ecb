"""Rows that come in a later file than the one they belong to, and rows that come again in one."""

from __future__ import annotations

from collections import defaultdict

from shoplake.simulator.world import World


class Delays:
    """Holds back some lines of each file of a source until one of the files after it."""

    def __init__(self, world: World, source: str, *, late: float, again: float = 0.0, furthest: int = 3) -> None:
        """Set what is held back.

        Args:
            world: the settings.
            source: whose files these are.
            late: share of lines that are left out and come later.
            again: share of lines that come now and once more later.
            furthest: how many files later at most.

        """
        self.world, self.source, self.late, self.again, self.furthest = world, source, late, again, furthest
        self.waiting: dict[int, list[str]] = defaultdict(list)

    def passed(self, number: int, lines: list[str], *, last: int) -> list[str]:
        """Give the lines that come in the file of this number: its own less the late ones, then what was due.

        Lines never wait beyond the file numbered ``last``.
        """
        due = self.waiting.pop(number, [])
        ahead = min(self.furthest, last - number)
        if ahead < 1 or not lines:
            return lines + due
        draws = self.world.draws(f"delays of {self.source}", number)
        is_late = draws.random(len(lines)) < self.late
        comes_again = draws.random(len(lines)) < self.again
        held = (is_late | comes_again).nonzero()[0].tolist()
        for place, wait in zip(held, draws.integers(1, ahead + 1, len(held)).tolist(), strict=True):
            self.waiting[number + wait].append(lines[place])
        kept = list(lines)
        for place in reversed(is_late.nonzero()[0].tolist()):
            del kept[place]
        return kept + due
