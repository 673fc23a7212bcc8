# SPDX-License-Identifier: Apache-2.0
"""What runs made of assets, asked by asset or by time: for conditions, promises and `why`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mainstem.database import Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey

_WELL = "('built', 'read', 'linked', 'unchanged')"


def updated_at(
    transaction: Transaction, branch: str, keys: Iterable[AssetKey]
) -> dict[AssetKey, datetime]:
    """Tell when runs last built, read or linked assets, or found them unchanged."""
    found = {}
    for key in keys:
        rows = transaction.execute(
            "select max(step.finished_at) from step join run on run.id = step.run_id "
            f"where step.asset = ? and run.branch = ? and step.status in {_WELL}",
            (key.folded, branch),
        )
        if rows[0][0] is not None:
            found[key] = from_us(rows[0][0])
    return found


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
