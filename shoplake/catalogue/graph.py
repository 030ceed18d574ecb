"""What is made of what, as a graph: of sources, tables and KPIs, and of their columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

Kind = Literal["source", "table", "kpi"]


class Ref(NamedTuple):
    """One thing of the catalogue, or a column of it; of a KPI its definitions are the columns."""

    kind: Kind
    name: str
    column: str = ""

    @property
    def whole(self) -> Ref:
        """Give the thing that a column belongs to."""
        return Ref(self.kind, self.name)


@dataclass(frozen=True)
class Graph:
    """Inputs of each node; a node without inputs is where data begins."""

    inputs: Mapping[Ref, tuple[Ref, ...]]

    @cached_property
    def outputs(self) -> Mapping[Ref, tuple[Ref, ...]]:
        """Give what is made of each node."""
        found: dict[Ref, list[Ref]] = {}
        for node, made_of in self.inputs.items():
            for one in made_of:
                found.setdefault(one, []).append(node)
        return {node: tuple(made) for node, made in found.items()}

    def upstream(self, node: Ref) -> list[Ref]:
        """Give all that a node is made of, directly or through others, the nearest first."""
        return _reached(self.inputs, node)

    def downstream(self, node: Ref) -> list[Ref]:
        """Give all that is made of a node, directly or through others, the nearest first."""
        return _reached(self.outputs, node)

    def around(self, node: Ref) -> list[Ref]:
        """Give a node with all that it is made of and all that is made of it."""
        return [*reversed(self.upstream(node)), node, *self.downstream(node)]

    def ranks(self, nodes: Collection[Ref]) -> dict[Ref, int]:
        """Give how many steps each of ``nodes`` is from where the data of ``nodes`` begins, by the longest way."""
        chosen, found = set(nodes), dict[Ref, int]()

        def rank(node: Ref) -> int:
            if node not in found:
                found[node] = 0  # what comes round again counts once
                before = [rank(one) for one in self.inputs.get(node, ()) if one in chosen]
                found[node] = max(before, default=-1) + 1
            return found[node]

        return {node: rank(node) for node in nodes}


def _reached(ways: Mapping[Ref, tuple[Ref, ...]], start: Ref) -> list[Ref]:
    found: dict[Ref, None] = {}
    waiting = list(ways.get(start, ()))
    while waiting:
        node = waiting.pop(0)
        if node not in found and node != start:
            found[node] = None
            waiting += ways.get(node, ())
    return list(found)
