# SPDX-License-Identifier: Apache-2.0
"""What steps need before they may start, and which of them go first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mainstem.graph import Graph
from mainstem.runs.shape import Shape
from mainstem.runs.wiring import Wiring
from mainstem.types import Asks, AssetKey


def with_needs(wiring: Wiring, graph: Graph, taken: Mapping[str, int]) -> Wiring:
    """Add pools, memory and priorities to the steps of a run.

    Args:
        wiring: The steps.
        graph: All assets: what their owners say.
        taken: Bytes that assets took before, by folded key, for those that do not say it.
    """
    asks = [_asks(unit.keys, graph, taken) for unit in wiring.units]
    priorities = _priorities(wiring, graph)
    nothing = Asks()
    if not any(priorities) and all(each == nothing for each in asks):
        return wiring
    units = [replace(unit, asks=asked) for unit, asked in zip(wiring.units, asks, strict=True)]
    nodes = [
        replace(node, priority=priority, pools=_pool_names(asked))
        for node, priority, asked in zip(wiring.shape.nodes, priorities, asks, strict=True)
    ]
    return replace(wiring, units=tuple(units), shape=Shape.of(nodes))


def _asks(keys: Sequence[AssetKey], graph: Graph, taken: Mapping[str, int]) -> Asks:
    asks = Asks()
    for key in keys:
        asks |= graph.assets[key].execution.asks
    if asks.memory_bytes is None and taken:
        most = max(taken.get(key.folded, 0) for key in keys)
        asks = replace(asks, memory_bytes=most or None)
    return asks


def _pool_names(asks: Asks) -> tuple[str, ...]:
    return (*asks.pools, *(("memory",) if asks.memory_bytes else ()))


def _priorities(wiring: Wiring, graph: Graph) -> list[int]:
    """Give each step its own priority, or that of a step that needs it, if that is higher."""
    found = [
        max(graph.assets[key].execution.priority for key in unit.keys) for unit in wiring.units
    ]
    for number in reversed(range(len(found))):
        for parent in wiring.shape.nodes[number].parents:
            found[parent] = max(found[parent], found[number])
    return found
