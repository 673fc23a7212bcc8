# SPDX-License-Identifier: Apache-2.0
"""Tombstones: versions that were reverted on a branch and must not come back by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mainstem.database import Transaction
from mainstem.state.times import to_us
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTombstone:
    """Partitions that a commit had brought as a version, and that were reverted on a branch."""

    key: AssetKey
    version: str
    partitions: str
    """The set as text."""


def add_tombstones(
    transaction: Transaction,
    branch: str,
    versions: Iterable[tuple[AssetKey, str]],
    *,
    commit_id: str,
    at: datetime,
) -> None:
    """Mark (asset, data version) pairs, as a commit had made them, as reverted on a branch."""
    transaction.executemany(
        "insert into tombstone (branch, asset, data_version, commit_id, created_at) "
        "values (?, ?, ?, ?, ?) on conflict (branch, asset, data_version) do update set "
        "commit_id = excluded.commit_id, created_at = excluded.created_at",
        [(branch, key.folded, version, commit_id, to_us(at)) for key, version in versions],
    )


def clear_tombstones(
    transaction: Transaction, branch: str, versions: Iterable[tuple[AssetKey, str]]
) -> None:
    """Forget that versions were reverted, because they were published again with force."""
    transaction.executemany(
        "delete from tombstone where branch = ? and asset = ? and data_version = ?",
        [(branch, key.folded, version) for key, version in versions],
    )


def tombstones(transaction: Transaction, branch: str) -> frozenset[tuple[str, str]]:
    """Give (folded asset key, data version) of all that was reverted on a branch."""
    rows = transaction.execute(
        "select asset, data_version from tombstone where branch = ?", (branch,)
    )
    return frozenset((asset, version) for asset, version in rows)


def reverted_commits(transaction: Transaction, branch: str) -> dict[str, tuple[str, ...]]:
    """Give, by folded asset key, the commits whose version of it was reverted on a branch."""
    rows = transaction.execute(
        "select asset, commit_id from tombstone where branch = ? order by asset, created_at",
        (branch,),
    )
    found: dict[str, tuple[str, ...]] = {}
    for asset, commit_id in rows:
        found[asset] = (*found.get(asset, ()), commit_id)
    return found


def add_partition_tombstones(
    transaction: Transaction,
    branch: str,
    reverted: Iterable[PartitionTombstone],
    *,
    commit_id: str,
    at: datetime,
) -> None:
    """Mark partitions of a version as reverted on a branch."""
    transaction.executemany(
        "insert into partition_tombstone (branch, asset, data_version, partitions, commit_id, "
        "created_at) values (?, ?, ?, ?, ?, ?) "
        "on conflict (branch, asset, data_version, partitions) do update set "
        "commit_id = excluded.commit_id, created_at = excluded.created_at",
        [
            (branch, one.key.folded, one.version, one.partitions, commit_id, to_us(at))
            for one in reverted
        ],
    )


def partition_tombstones(
    transaction: Transaction, key: AssetKey, *, branch: str
) -> list[PartitionTombstone]:
    """Give the partitions of an asset that were reverted on a branch."""
    rows = transaction.execute(
        "select data_version, partitions from partition_tombstone "
        "where branch = ? and asset = ? order by data_version, partitions",
        (branch, key.folded),
    )
    return [
        PartitionTombstone(key=key, version=version, partitions=partitions)
        for version, partitions in rows
    ]


def narrow_partition_tombstone(
    transaction: Transaction, branch: str, tombstone: PartitionTombstone, *, rest: str
) -> None:
    """Let fewer partitions of a version count as reverted: `rest`, or none if it is empty."""
    place = (branch, tombstone.key.folded, tombstone.version, tombstone.partitions)
    where = "where branch = ? and asset = ? and data_version = ? and partitions = ?"
    if rest:
        transaction.execute(
            "insert into partition_tombstone (branch, asset, data_version, partitions, commit_id, "
            "created_at) select branch, asset, data_version, ?, commit_id, created_at "
            f"from partition_tombstone {where} "
            "on conflict (branch, asset, data_version, partitions) do nothing",
            (rest, *place),
        )
    transaction.execute(f"delete from partition_tombstone {where}", place)
