# SPDX-License-Identifier: Apache-2.0
"""Tombstones of partitions: a revert sets them, what is published with force takes them away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mainstem import state
from mainstem.database import Transaction
from mainstem.graph import PartitionSet, Parts, parts_by_version
from mainstem.types import AssetKey

Versions = Mapping[str, PartitionSet]
"""Partitions by what they came from."""


def brought(before: Parts, after: Parts) -> dict[str, PartitionSet]:
    """Give the partitions that came, or became another version, by that version."""
    known, found = parts_by_version(before), {}
    for version, some in parts_by_version(after).items():
        new = some - known[version] if version in known else some
        if new:
            found[version] = new
    return found


def set_tombstones(
    transaction: Transaction,
    branch: str,
    key: AssetKey,
    reverted: Versions,
    *,
    commit_id: str,
    at: datetime,
) -> None:
    """Let partitions not become again what a commit had made them."""
    state.add_partition_tombstones(
        transaction,
        branch,
        [
            state.PartitionTombstone(key=key, version=version, partitions=some.text(is_stored=True))
            for version, some in reverted.items()
        ],
        commit_id=commit_id,
        at=at,
    )


def clear_tombstones(
    transaction: Transaction, branch: str, key: AssetKey, published: Versions
) -> None:
    """Let partitions that came back on purpose be built again like any other."""
    for tombstone in state.partition_tombstones(transaction, key, branch=branch):
        some = published.get(tombstone.version)
        if some is None:
            continue
        whole = PartitionSet.parse(tombstone.partitions, some.definition, is_stored=True)
        rest = whole - some
        if rest != whole:
            text = rest.text(is_stored=True) if rest else ""
            state.narrow_partition_tombstone(transaction, branch, tombstone, rest=text)
