"""Spoils a small share of the lines of each file, every kind of spoiling in its turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shoplake.simulator.world import World

Row = dict[str, Any]
Edit = Callable[[Row], None]
Nature = Literal["error", "warning", "repair", "duplicate", "conflict"]

SHARE = 0.018
MOST = 40
"""At most one line in this many is spoiled, so that a small file stays below the quarantine limit too."""
TURNS: dict[Nature, int] = {"error": 1, "warning": 1, "repair": 3, "duplicate": 4, "conflict": 2}
"""How often each kind of a nature comes for once that a kind of error comes."""


class Codec(Protocol):
    """Takes a line apart and puts it together."""

    def parse(self, line: str) -> Row:
        """Give the fields of a line."""

    def format(self, row: Row) -> str:
        """Give the line of some fields."""


@dataclass(frozen=True)
class CsvCodec:
    """Lines of unquoted fields."""

    columns: tuple[str, ...]

    def parse(self, line: str) -> Row:
        """Give the fields of a line as texts."""
        return dict(zip(self.columns, line.split(","), strict=True))

    def format(self, row: Row) -> str:
        """Give the line of some texts."""
        return ",".join(row.values())


class JsonCodec:
    """Lines of one JSON object each."""

    def parse(self, line: str) -> Row:
        """Give the fields of a line."""
        row: Row = json.loads(line)
        return row

    def format(self, row: Row) -> str:
        """Give the line of some fields."""
        return json.dumps(row, ensure_ascii=False)


@dataclass(frozen=True)
class Kind:
    """One way in which a line is wrong."""

    name: str
    nature: Nature
    edit: Edit

    def lines(self, line: str, codec: Codec) -> list[str]:
        """Give what stands in the place of a line."""
        if self.nature == "duplicate":
            return [line, line]
        row = codec.parse(line)
        self.edit(row)
        spoiled = codec.format(row)
        return [line, spoiled] if self.nature == "conflict" else [spoiled]


class Dirt:
    """Spoils the files of one source; each kind comes round as often as its nature says."""

    def __init__(self, world: World, source: str, codec: Codec, kinds: Sequence[Kind]) -> None:
        self.world, self.source, self.codec = world, source, codec
        wheel = [kind for kind in kinds for _ in range(TURNS[kind.nature])]
        self.wheel = [wheel[place] for place in world.draws(f"dirt of {source}").permutation(len(wheel))]
        self.turn = 0
        self.owed = 0.0

    def soiled(self, number: int, lines: list[str]) -> list[str]:
        """Give the lines of the file of this number with some of them spoiled."""
        # What a small file cannot take is owed by a later, larger one, but no more than a few lines.
        self.owed = min(self.owed + len(lines) * SHARE, len(lines) * SHARE + 5)
        count = min(int(self.owed), len(lines) // MOST)
        if not count:
            return lines
        self.owed -= count
        draws = self.world.draws(f"dirt in {self.source}", number)
        places = sorted(draws.choice(len(lines), count, replace=False).tolist())
        soiled, done = [], 0
        for place in places:
            soiled += lines[done:place]
            soiled += self.wheel[self.turn % len(self.wheel)].lines(lines[place], self.codec)
            self.turn, done = self.turn + 1, place + 1
        return soiled + lines[done:]
