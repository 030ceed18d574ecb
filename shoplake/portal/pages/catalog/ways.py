"""The way of the data through a thing or a column: as a picture, and as a table that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoplake.portal.pages.catalog.drawing import HIGH, WIDE, Drawing, drawn
from shoplake.portal.pages.catalog.naming import Link, address_of, kind_of, name_of

if TYPE_CHECKING:
    from shoplake.catalogue.graph import Graph, Ref
    from shoplake.portal.pages.catalog.sight import Sight

MARGIN = 12
LETTER, SMALL_LETTER = 6.9, 5.9
"""How wide a letter of a node is on average; a longer text is drawn closer."""


@dataclass(frozen=True)
class Node:
    """A thing on the way."""

    number: int
    x: int
    y: int
    kind: str
    """`source`, `staging`, `core`, `mart` or `kpi`: says how it is drawn."""
    title: str
    title_width: int
    """To draw the title closer; 0 where it has room."""
    note: str
    note_width: int
    full: str
    href: str
    is_here: bool
    is_locked: bool


@dataclass(frozen=True)
class Step:
    """A row of the table."""

    number: int
    kind: str
    link: Link
    made_of: tuple[Link, ...]
    is_here: bool


@dataclass(frozen=True)
class Way:
    """The way of one thing."""

    title: str
    picture: Drawing
    nodes: tuple[Node, ...]
    steps: tuple[Step, ...]
    before: int
    """Things that it is made of."""
    after: int
    """Things that are made of it."""

    wide: int = WIDE
    high: int = HIGH


def way_of(sight: Sight, ref: Ref) -> Way:
    """Give the way of a thing, or of a column."""
    graph = sight.catalogue.graph(ref)
    nodes = list(dict.fromkeys(graph.around(ref)))
    ranks = _ranks(graph, nodes)
    picture = drawn(graph, nodes, ranks)
    order = sorted(nodes, key=lambda node: (ranks[node], node))
    return Way(
        title=name_of(ref),
        picture=picture,
        nodes=tuple(_node(sight, ref, box.number, box.x, box.y, box.ref) for box in picture.boxes),
        steps=tuple(_step(sight, graph, ref, node, ranks[node] + 1) for node in order),
        before=len(graph.upstream(ref)),
        after=len(graph.downstream(ref)),
    )


def _ranks(graph: Graph, nodes: list[Ref]) -> dict[Ref, int]:
    """Give the column of each node: KPIs, where data ends, stand in the last one."""
    ranks = graph.ranks(nodes)
    last = 1 + max((rank for node, rank in ranks.items() if node.kind != "kpi"), default=-1)
    return ranks | {node: last for node in nodes if node.kind == "kpi"}


def link_to(sight: Sight, ref: Ref) -> Link:
    """Give a link to a thing, marked where its rows are out of the person's reach."""
    entry = sight.catalogue.entries[ref.whole]
    is_locked = sight.lock(entry) is not None or (bool(ref.column) and _is_hidden(sight, ref))
    return Link(name_of(ref), address_of(ref), kind_of(sight.viewer.language, entry, ref.column), is_locked)


def _is_hidden(sight: Sight, ref: Ref) -> bool:
    return sight.column_lock(sight.catalogue.entries[ref.whole], ref.column) is not None


def _node(sight: Sight, here: Ref, number: int, x: int, y: int, ref: Ref) -> Node:
    entry, link = sight.catalogue.entries[ref.whole], link_to(sight, ref)
    kind = entry.layer if entry.layer in {"source", "staging", "core", "kpi"} else "mart"
    title, note = (ref.column, ref.name) if ref.column else (ref.name, link.note)
    return Node(
        number,
        x,
        y,
        kind,
        title,
        _squeezed(title, LETTER),
        note,
        _squeezed(note, SMALL_LETTER),
        f"{link.text} · {kind_of(sight.viewer.language, entry)}",
        link.href,
        ref == here,
        link.is_locked,
    )


def _step(sight: Sight, graph: Graph, here: Ref, ref: Ref, number: int) -> Step:
    made_of = tuple(link_to(sight, one) for one in graph.inputs.get(ref, ()))
    kind = kind_of(sight.viewer.language, sight.catalogue.entries[ref.whole])
    return Step(number, kind, link_to(sight, ref), made_of, ref == here)


def _squeezed(text: str, letter: float) -> int:
    room = WIDE - 2 * MARGIN
    return room if len(text) * letter > room else 0
