# SPDX-License-Identifier: Apache-2.0
"""Tombstones: versions that were reverted on a branch and must not come back by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mainstem.database import Transaction
from mainstem.state.times import to_us
from mainstem.types import AssetKey


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
