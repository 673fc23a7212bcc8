# SPDX-License-Identifier: Apache-2.0
"""Leases on (target branch, asset): two runs never build the same asset for the same branch.

Each acquisition raises the asset's fence; a commit compares it, so that a run whose lease was taken
over can no longer commit, however late it wakes. A released lease keeps its row, and so its fence.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mainstem.database import Transaction
from mainstem.errors import LeaseLost
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey, dataclass

_FREE = 0
"""Run id of a lease that nobody holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease that some run holds."""

    branch: str
    asset: str
    """Folded key."""
    run_id: int
    owner: str
    fence: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The leases that one run acquired, with the fences that its commits must find."""

    branch: str
    run_id: int
    owner: str
    fences: dict[str, int]
    """By folded asset key."""


def leases(transaction: Transaction, branch: str, keys: Iterable[AssetKey] = ()) -> list[Lease]:
    """Give the leases held on a branch, expired ones included; of some assets if named."""
    wanted = {key.folded for key in keys}
    rows = transaction.execute(
        "select branch, asset, run_id, owner, fence, expires_at from lease "
        "where branch = ? and run_id <> ? order by asset",
        (branch, _FREE),
    )
    return [
        Lease(
            branch=on,
            asset=asset,
            run_id=run_id,
            owner=owner,
            fence=fence,
            expires_at=from_us(expires_at),
        )
        for on, asset, run_id, owner, fence, expires_at in rows
        if not wanted or asset in wanted
    ]


def acquire(
    transaction: Transaction,
    *,
    branch: str,
    keys: Iterable[AssetKey],
    run_id: int,
    owner: str,
    expires_at: datetime,
) -> Held:
    """Take the leases of some assets; the caller has seen that nobody living holds one."""
    folded = sorted({key.folded for key in keys})
    transaction.executemany(
        "insert into lease (branch, asset, run_id, owner, fence, expires_at) "
        "values (?, ?, ?, ?, 1, ?) on conflict (branch, asset) do update set "
        "run_id = excluded.run_id, owner = excluded.owner, fence = lease.fence + 1, "
        "expires_at = excluded.expires_at",
        [(branch, asset, run_id, owner, to_us(expires_at)) for asset in folded],
    )
    rows = transaction.execute(
        "select asset, fence from lease where branch = ? and run_id = ?", (branch, run_id)
    )
    return Held(branch=branch, run_id=run_id, owner=owner, fences=dict(rows))


def renew(transaction: Transaction, held: Held, *, expires_at: datetime) -> None:
    """Say that the holder lives.

    Raises:
        LeaseLost: Another run took over.
    """
    compare_fences(transaction, held)
    transaction.execute(
        "update lease set expires_at = ? where branch = ? and run_id = ? and owner = ?",
        (to_us(expires_at), held.branch, held.run_id, held.owner),
    )


def compare_fences(transaction: Transaction, held: Held) -> None:
    """Make sure, within the transaction of a commit, that the run still holds all its leases.

    Raises:
        LeaseLost: Another run took one over.
    """
    mine = (held.branch, held.run_id, held.owner)
    where = "where branch = ? and run_id = ? and owner = ?"
    # Fences only grow, so equal counts and sums mean equal leases; a run may hold thousands.
    counted = transaction.execute(f"select count(*), sum(fence) from lease {where}", mine)
    if counted[0] == (len(held.fences), sum(held.fences.values())):
        return
    rows = transaction.execute(f"select asset, fence from lease {where}", mine)
    now: dict[str, int] = dict(rows)
    lost = sorted(asset for asset, fence in held.fences.items() if now.get(asset) != fence)
    if lost:
        raise LeaseLost(
            "A6011",
            f"Run {held.run_id} no longer holds {lost[0]} on {held.branch}: another run took over.",
            hint="Nothing more was committed by this run. Run it again: what it built is linked.",
        )


def release(transaction: Transaction, held: Held) -> None:
    """Give the leases of a run back, those that it still holds."""
    transaction.execute(
        "update lease set run_id = ?, owner = '', expires_at = 0 "
        "where branch = ? and run_id = ? and owner = ?",
        (_FREE, held.branch, held.run_id, held.owner),
    )


def steal(transaction: Transaction, run_id: int) -> None:
    """Free all leases of a run that is dead, raising the fences so that it cannot come back."""
    transaction.execute(
        "update lease set run_id = ?, owner = '', fence = fence + 1, expires_at = 0 "
        "where run_id = ?",
        (_FREE, run_id),
    )
