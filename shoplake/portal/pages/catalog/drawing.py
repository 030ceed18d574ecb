"""A graph as a picture: nodes in columns by their distance from where the data begins, and curves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoplake.catalogue.graph import Graph, Ref

WIDE, HIGH = 180, 46
BETWEEN_COLUMNS, BETWEEN_ROWS = 38, 12
MARGIN = 6
SWEEPS = 4


@dataclass(frozen=True)
class Box:
    """Where a node is drawn."""

    ref: Ref
    number: int
    x: int
    y: int


@dataclass(frozen=True)
class Curve:
    """How an input is joined to what is made of it."""

    path: str
    first: int
    last: int


@dataclass(frozen=True)
class Drawing:
    """The whole picture, in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]


def drawn(graph: Graph, nodes: Sequence[Ref], ranks: Mapping[Ref, int]) -> Drawing:
    """Draw some nodes of a graph.

    Args:
        graph: says which are made of which.
        nodes: those to draw.
        ranks: the column of each.

    """
    columns = _ordered(graph, nodes, ranks)
    tallest = max((len(column) for column in columns), default=1)
    height = 2 * MARGIN + tallest * (HIGH + BETWEEN_ROWS) - BETWEEN_ROWS
    boxes: dict[Ref, Box] = {}
    for place, column in enumerate(columns):
        top = (height - len(column) * (HIGH + BETWEEN_ROWS) + BETWEEN_ROWS) // 2
        for row, ref in enumerate(column):
            x, y = MARGIN + place * (WIDE + BETWEEN_COLUMNS), top + row * (HIGH + BETWEEN_ROWS)
            boxes[ref] = Box(ref, len(boxes), x, y)
    curves = tuple(
        _curve(boxes[one], box) for ref, box in boxes.items() for one in graph.inputs.get(ref, ()) if one in boxes
    )
    width = 2 * MARGIN + len(columns) * (WIDE + BETWEEN_COLUMNS) - BETWEEN_COLUMNS
    return Drawing(width, height, tuple(boxes.values()), curves)


def _ordered(graph: Graph, nodes: Sequence[Ref], ranks: Mapping[Ref, int]) -> list[list[Ref]]:
    """Put the nodes of each column near to those that they are joined to, by turns from the left and from the right."""
    columns: list[list[Ref]] = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for node in sorted(nodes):
        columns[ranks[node]].append(node)
    for sweep in range(SWEEPS):
        is_forward = sweep % 2 == 0
        ways = graph.inputs if is_forward else graph.outputs
        for column in columns if is_forward else reversed(columns):
            heights = {node: _height(node, columns) for one in columns for node in one}
            column.sort(key=lambda node, ways=ways, heights=heights: _middle(node, ways, heights))  # type: ignore[misc]
    return columns


def _height(node: Ref, columns: Sequence[Sequence[Ref]]) -> float:
    """Give how far down its column a node stands, from 0 to 1."""
    column = next(one for one in columns if node in one)
    return (column.index(node) + 0.5) / len(column)


def _middle(node: Ref, ways: Mapping[Ref, tuple[Ref, ...]], heights: Mapping[Ref, float]) -> float:
    near = [heights[one] for one in ways.get(node, ()) if one in heights]
    return sum(near) / len(near) if near else heights[node]


def _curve(first: Box, last: Box) -> Curve:
    x1, y1, x2, y2 = first.x + WIDE, first.y + HIGH // 2, last.x, last.y + HIGH // 2
    bend = max((x2 - x1) // 2, BETWEEN_COLUMNS // 2)
    return Curve(f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}", first.number, last.number)
