# SPDX-License-Identifier: Apache-2.0
"""Where the nodes of a graph are drawn: in layers from left to right, with few crossings. Pure.

Sugiyama's method: each node stands one layer behind the last of its inputs, sources are pulled to
their readers, edges over several layers get a bend in each, layers are ordered by the middle of
their neighbours (the best of some sweeps is kept), and places are chosen so that edges are
straight where they can be. The same graph is drawn the same way, in whatever order it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Point = tuple[float, float]

SWEEPS: Final = 8
_PULLS = 6
_BEND_GAP = 0.5
"""Room between bends; nodes have 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A node with its place: `x` counts layers, `y` the heights of nodes."""

    name: str
    layer: int
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """An edge with its way."""

    source: str
    target: str
    points: tuple[Point, ...]
    """From the source to the target, with a point in each layer between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A drawn graph; all coordinates are from 0 to `width` and `height`."""

    nodes: tuple[Placed, ...] = ()
    edges: tuple[Drawn, ...] = ()
    width: float = 0.0
    height: float = 0.0
    crossings: int = 0


def layout(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Place the nodes of a graph.

    Args:
        names: The nodes.
        edges: From input to reader. Those that name no node, or close a circle, are not drawn.
    """
    nodes = sorted(set(names))
    if not nodes:
        return Layout()
    known = set(nodes)
    wanted = sorted({edge for edge in edges if edge[0] in known and edge[1] in known})
    layers, kept = _layers(nodes, wanted)
    graph = _bent(nodes, kept, layers)
    crossings = _order(graph)
    return _drawn(graph, _heights(graph), crossings)


@dataclass(slots=True)
class _Graph:
    """Nodes and bends by number: nodes first, in the order of their names."""

    names: Sequence[str]
    chains: Mapping[tuple[str, str], list[int]]
    """Of each edge: its source, its bends, its target."""
    layer_of: list[int]
    above: list[list[int]]
    below: list[list[int]]
    rows: list[list[int]]
    """Of each layer, in order."""

    def is_bend(self, number: int) -> bool:
        return number >= len(self.names)


def _layers(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Give each node a layer, and the edges without those that close a circle."""
    below: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        below[source].append(target)
    order = _topological(nodes, below)
    rank = {name: at for at, name in enumerate(order)}
    kept = [(source, target) for source, target in edges if rank[source] < rank[target]]
    layers = dict.fromkeys(nodes, 0)
    readers: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in kept:
        readers[source].append(target)
    for name in order:
        for target in readers[name]:
            layers[target] = max(layers[target], layers[name] + 1)
    for name in reversed(order):
        if readers[name]:
            layers[name] = min(layers[target] for target in readers[name]) - 1
    return layers, kept


def _topological(nodes: Sequence[str], below: Mapping[str, Sequence[str]]) -> list[str]:
    """Order nodes before their readers, by depth first; circles are cut where they close."""
    done: dict[str, None] = {}
    entered: set[str] = set()
    for start in nodes:
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, is_left = stack.pop()
            if is_left:
                done.setdefault(name)
            elif name not in entered:
                entered.add(name)
                stack.append((name, True))
                stack.extend((target, False) for target in below[name] if target not in entered)
    return list(reversed(done))


def _bent(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], layers: Mapping[str, int]
) -> _Graph:
    """Put a bend into each layer that an edge passes, so that edges join neighbours only."""
    number = {name: at for at, name in enumerate(nodes)}
    layer_of = [layers[name] for name in nodes]
    chains: dict[tuple[str, str], list[int]] = {}
    for source, target in edges:
        chain = [number[source]]
        for layer in range(layers[source] + 1, layers[target]):
            chain.append(len(layer_of))
            layer_of.append(layer)
        chains[source, target] = [*chain, number[target]]
    above: list[list[int]] = [[] for _ in layer_of]
    below: list[list[int]] = [[] for _ in layer_of]
    for chain in chains.values():
        for first, second in pairwise(chain):
            below[first].append(second)
            above[second].append(first)
    rows: list[list[int]] = [[] for _ in range(max(layer_of) + 1)]
    for at, layer in enumerate(layer_of):
        rows[layer].append(at)
    return _Graph(
        names=nodes, chains=chains, layer_of=layer_of, above=above, below=below, rows=rows
    )


def _order(graph: _Graph) -> int:
    """Order the layers for few crossings; gives how many are left."""
    place = [0] * len(graph.layer_of)

    def renumber(row: Sequence[int]) -> None:
        for at, number in enumerate(row):
            place[number] = at

    for row in graph.rows:
        renumber(row)
    best = _crossings(graph, place)
    kept = [list(row) for row in graph.rows]
    for sweep in range(SWEEPS):
        is_down = sweep % 2 == 0
        neighbours = graph.above if is_down else graph.below
        rows = graph.rows[1:] if is_down else graph.rows[-2::-1]
        for row in rows:
            middles = {
                number: sum(place[each] for each in neighbours[number]) / len(neighbours[number])
                if neighbours[number]
                else float(place[number])
                for number in row
            }
            row.sort(key=middles.__getitem__)
            renumber(row)
        found = _crossings(graph, place)
        if found < best:
            best, kept = found, [list(row) for row in graph.rows]
        if not best:
            break
    graph.rows[:] = kept
    return best


def _crossings(graph: _Graph, place: Sequence[int]) -> int:
    """Count pairs of edges that cross, with a Fenwick tree for each layer."""
    total = 0
    for row in graph.rows:
        ends = [
            end for number in row for end in sorted(place[each] for each in graph.below[number])
        ]
        size = max(ends, default=0) + 1
        tree = [0] * (size + 1)
        for seen, end in enumerate(ends):
            at, not_above = end + 1, 0
            while at:
                not_above += tree[at]
                at -= at & -at
            total += seen - not_above
            at = end + 1
            while at <= size:
                tree[at] += 1
                at += at & -at
    return total


def _heights(graph: _Graph) -> list[float]:
    """Choose how high each node stands: near the middle of its neighbours, in its layer's order."""
    heights = [0.0] * len(graph.layer_of)
    gaps = {id(row): _gaps(graph, row) for row in graph.rows}
    for row in graph.rows:
        for number, at in zip(row, gaps[id(row)], strict=True):
            heights[number] = at
    for pull in range(_PULLS):
        rows = graph.rows if pull % 2 == 0 else graph.rows[::-1]
        for row in rows:
            desired = []
            for number in row:
                near = graph.above[number] + graph.below[number]
                desired.append(
                    sum(heights[each] for each in near) / len(near) if near else heights[number]
                )
            for number, height in zip(row, _spaced(desired, gaps[id(row)]), strict=True):
                heights[number] = height
    return heights


def _gaps(graph: _Graph, row: Sequence[int]) -> list[float]:
    """Give the places of a layer that is packed as densely as it may be."""
    places, at = [0.0] * len(row), 0.0
    for index in range(1, len(row)):
        is_narrow = graph.is_bend(row[index]) and graph.is_bend(row[index - 1])
        at += _BEND_GAP if is_narrow else 1.0
        places[index] = at
    return places


def _spaced(desired: Sequence[float], packed: Sequence[float]) -> list[float]:
    """Give places nearest to those desired (least squares) that keep order and distances.

    With the packed places taken off, that is the nearest rising sequence: neighbours that want to
    pass each other share the mean of what they want (pool adjacent violators).
    """
    pools: list[tuple[float, int]] = []
    for want, offset in zip(desired, packed, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, size = pools.pop()
            total, count = total + before, count + size
        pools.append((total, count))
    free = [total / count for total, count in pools for _ in range(count)]
    return [place + offset for place, offset in zip(free, packed, strict=True)]


def _drawn(graph: _Graph, heights: Sequence[float], crossings: int) -> Layout:
    top = min(heights)
    points = [
        (float(layer), round(height - top, 3))
        for layer, height in zip(graph.layer_of, heights, strict=True)
    ]
    return Layout(
        nodes=tuple(
            Placed(name=name, layer=graph.layer_of[at], x=points[at][0], y=points[at][1])
            for at, name in enumerate(graph.names)
        ),
        edges=tuple(
            Drawn(source=source, target=target, points=tuple(points[each] for each in chain))
            for (source, target), chain in graph.chains.items()
        ),
        width=max(x for x, _y in points),
        height=max(y for _x, y in points),
        crossings=crossings,
    )
