# SPDX-License-Identifier: Apache-2.0
"""Where a partitioned table comes from that two sides changed since a base: three ways, as sets."""

from __future__ import annotations

from dataclasses import replace

from mainstem.graph import (
    Graph,
    changed_parts,
    overlaid,
    parts_of,
    parts_version,
    record_of_parts,
)
from mainstem.types import AssetKey, Provenance


def join_partitions(
    graph: Graph, key: AssetKey, base: Provenance, one: Provenance, other: Provenance
) -> Provenance | None:
    """Lay what one side did to the partitions of a table over what another one did.

    Files alone do not tell: a partition that is built again from nothing has none.

    Args:
        graph: Says what the partitions of the table are.
        key: Of the table.
        base: What both sides began with; of a revert, what the reverted commit had made.
        one: A side.
        other: Whose changes are laid over it.

    Returns:
        The provenance of `one` with both changes; nothing if a partition was changed by both, or
        if the table is not known to have partitions.
    """
    asset = graph.effective.get(key)
    if asset is None or asset.partitions is None:
        return None
    definition = asset.partitions.definition
    before, kept, laid = (parts_of(of, definition) for of in (base, one, other))
    changed = changed_parts(before, laid, definition)
    if changed & changed_parts(before, kept, definition):
        return None
    parts = overlaid(kept, changed, (replace(part, some=part.some & changed) for part in laid))
    version = parts_version(parts)
    return replace(
        one, data_version=version, fingerprint=version, partitions=record_of_parts(parts)
    )
