# SPDX-License-Identifier: Apache-2.0
"""When assets last came out well: between that commit and a failure lies its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mainstem.database import Transaction
from mainstem.types import AssetKey


def last_success(
    transaction: Transaction, branch: str, keys: Sequence[AssetKey], *, before: int
) -> Mapping[AssetKey, tuple[int, str]]:
    """Give, for assets, the last run before in which each came out well, and its git commit."""
    found: dict[AssetKey, tuple[int, str]] = {}
    for key in keys:
        rows = transaction.execute(
            "select run.id, run.git from step join run on run.id = step.run_id "
            "where step.asset = ? and run.branch = ? and run.id < ? "
            "and step.status in ('built', 'read', 'linked', 'unchanged') "
            "order by step.run_id desc limit 1",
            (key.folded, branch, before),
        )
        if rows:
            found[key] = (rows[0][0], rows[0][1])
    return found
