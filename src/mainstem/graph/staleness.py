# SPDX-License-Identifier: Apache-2.0
"""Which assets of a branch are older than what they were made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mainstem.graph.facts import HeadEntry
from mainstem.graph.graph import Graph
from mainstem.graph.lookup import VersionLookup
from mainstem.types import AssetKey


def stale_assets(
    graph: Graph,
    entries: Mapping[AssetKey, HeadEntry],
    *,
    below: Collection[AssetKey] | None = None,
) -> tuple[AssetKey, ...]:
    """Give the tables whose recorded inputs are not those that the branch has, in building order.

    What reads a stale table is not named as well, unless its own inputs moved: it is as old as
    they are.

    Args:
        graph: The project.
        entries: Of a commit.
        below: Look only at what reads these; without it at everything.
    """
    lookup = VersionLookup(graph.effective, entries)
    keys = graph.order if below is None else graph.sorted(graph.downstream(below))
    found = []
    for key in keys:
        entry = entries.get(key)
        if entry is None or entry.kind != "table":
            continue
        recorded = {name.casefold(): version for name, version in entry.provenance.inputs.items()}
        inputs = [item for item in graph.effective[key].inputs if item.folded in recorded]
        if any(lookup.of(item) != recorded[item.folded] for item in inputs):
            found.append(key)
    return tuple(found)
