# SPDX-License-Identifier: Apache-2.0
"""What runs made of assets, asked by asset or by time: for conditions, promises and `why`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mainstem.database import Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey

_WELL = "('built', 'read', 'linked', 'unchanged')"

_AT_ONCE = 500


def updated_at(
    transaction: Transaction, branch: str, keys: Iterable[AssetKey]
) -> dict[AssetKey, datetime]:
    """Tell when runs last built, read or linked assets, or found them unchanged."""
    by_folded = {key.folded: key for key in keys}
    names, found = list(by_folded), {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        rows = transaction.execute(
            "select step.asset, max(step.finished_at) from step "
            "join run on run.id = step.run_id "
            f"where step.asset in ({', '.join('?' for _ in some)}) and run.branch = ? "
            f"and step.status in {_WELL} group by step.asset",
            (*some, branch),
        )
        for asset, at in rows:
            if at is not None:
                found[by_folded[asset]] = from_us(at)
    return found


def note_current(
    transaction: Transaction, branch: str, keys: Iterable[AssetKey], *, at: datetime
) -> None:
    """Note that a plan found assets up to date, which leaves neither a step nor maybe a run."""
    transaction.executemany(
        "insert into found_current (branch, asset, at) values (?, ?, ?) "
        "on conflict (branch, asset) do update set at = excluded.at",
        [(branch, key.folded, to_us(at)) for key in keys],
    )


def current_at(
    transaction: Transaction, branch: str, keys: Iterable[AssetKey]
) -> dict[AssetKey, datetime]:
    """Tell when plans of runs last found assets up to date."""
    by_folded = {key.folded: key for key in keys}
    rows = transaction.execute("select asset, at from found_current where branch = ?", (branch,))
    return {by_folded[asset]: from_us(at) for asset, at in rows if asset in by_folded}


def failed_since(
    transaction: Transaction, branch: str, since: datetime
) -> tuple[frozenset[str], datetime | None]:
    """Give the assets (folded keys) that failed or were held in runs that ended since.

    Returns:
        The assets, and when the last of these runs ended; nothing if none did.
    """
    rows = transaction.execute(
        "select id, finished_at from run where branch = ? and finished_at > ?",
        (branch, to_us(since)),
    )
    failed: set[str] = set()
    for run_id, _ in rows:
        failed.update(
            asset
            for (asset,) in transaction.execute(
                "select asset from step where run_id = ? and status in ('failed', 'held')",
                (run_id,),
            )
        )
    last = max((at for _, at in rows), default=None)
    return frozenset(failed), None if last is None else from_us(last)


def failed_partitions(
    transaction: Transaction, branch: str, since: datetime
) -> dict[str, frozenset[str]]:
    """Give by asset (folded key) the partitions that failed or were held in runs that ended since.

    Those that came through later are not among them.
    """
    return _by_asset(
        transaction.execute(
            "select f.asset, f.partition_key from partition_failure f "
            "join run r on r.id = f.run_id "
            "where f.branch = ? and r.branch = ? and r.finished_at > ?",
            (branch, branch, to_us(since)),
        )
    )


def failing_partitions(transaction: Transaction, branch: str) -> dict[str, frozenset[str]]:
    """Give by asset (folded key) the partitions whose last attempt failed or was held."""
    return _by_asset(
        transaction.execute(
            "select asset, partition_key from partition_failure where branch = ?", (branch,)
        )
    )


def failures_mark(transaction: Transaction, branch: str) -> tuple[int, int]:
    """Give what is another whenever other partitions fail than before."""
    rows = transaction.execute(
        "select count(*), coalesce(max(failed_at), 0) from partition_failure where branch = ?",
        (branch,),
    )
    return int(rows[0][0]), int(rows[0][1])


def _by_asset(rows: Iterable[tuple[Any, ...]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for asset, name in rows:
        found.setdefault(asset, set()).add(name)
    return {asset: frozenset(names) for asset, names in found.items()}
