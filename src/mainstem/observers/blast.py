# SPDX-License-Identifier: Apache-2.0
"""What a failure reaches: assets downstream that stay as they were, promises that may break."""

from __future__ import annotations

from collections.abc import Collection

from mainstem.graph import Asset, Graph
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """The blast radius of some assets that were not built."""

    stale: tuple[AssetKey, ...] = ()
    """Downstream of them, in building order, without themselves."""
    promises: tuple[str, ...] = ()
    """What was promised of how fresh they or their readers are: `marts.delays: freshness(...)`."""


def blast_of(graph: Graph, keys: Collection[AssetKey]) -> Blast:
    """Walk down from assets; those that the graph no longer has are passed over."""
    start = [key for key in keys if key in graph]
    reached = set(start)
    todo = list(start)
    while todo:
        for child in graph.children.get(todo.pop(), ()):
            if child not in reached:
                reached.add(child)
                todo.append(child)
    found = graph.sorted(reached)
    promises = [promise for key in found for promise in promises_of(graph.assets[key])]
    stale = tuple(key for key in found if key not in set(start))
    return Blast(stale=stale, promises=tuple(promises))


def promises_of(asset: Asset) -> list[str]:
    """Name what is promised of an asset's freshness: by itself, and by its checks."""
    own = " ".join(f"{name} {value}" for name, value in asset.freshness.items())
    checks = [f"{asset.key}: {spec.title}" for spec in asset.checks if spec.name == "freshness"]
    return [f"{asset.key}: {own}", *checks] if own else checks
