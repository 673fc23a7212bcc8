# SPDX-License-Identifier: Apache-2.0
"""Claims on launches: who executes one, until when, and who takes it over from the dead.

A claim raises the launch's fence. Everything the holder writes later compares it, so that a server
that sleeps past its claim can neither begin the run nor end the launch that another took over.
Called by `service`; whether a process is dead is decided there.
"""

from __future__ import annotations

from datetime import datetime

from mainstem.database import Transaction
from mainstem.errors import LeaseLost
from mainstem.state.launch import COLUMNS, Launch, LaunchStatus, stored_launch
from mainstem.state.process import ProcessIdentity
from mainstem.state.share import SHARES, Share, Weights, next_share
from mainstem.state.times import from_us, to_us


def claim_launch(
    transaction: Transaction,
    *,
    process: ProcessIdentity,
    slots: int,
    now: datetime,
    expires_at: datetime,
    weights: Weights | None = None,
) -> Launch | None:
    """Take the launch whose turn it is, if one waits and a slot is free.

    Args:
        transaction: Open write transaction.
        process: Who will execute it.
        slots: Launches that may run at once.
        now: Launches that must not start before a later time are left.
        expires_at: When others may take it over, unless it is renewed.
        weights: How slots are divided between fresh work and backfills.
    """
    share = _turn(transaction, slots=slots, now=now, weights=weights or Weights())
    if share is None:
        return None
    rows = transaction.execute(
        "update launch set status = 'running', attempts = attempts + 1, fence = fence + 1, "
        "owner = ?, host = ?, boot_id = ?, pid = ?, process_started = ?, expires_at = ?, "
        "started_at = ?, run_id = null where id = (select id from launch "
        "where status = 'queued' and share = ? and not_before <= ? "
        f"order by priority desc, id limit 1) returning {COLUMNS}",
        (
            process.owner,
            process.host,
            process.boot_id,
            process.pid,
            process.process_started,
            to_us(expires_at),
            to_us(now),
            share,
            to_us(now),
        ),
    )
    return stored_launch(rows[0])


def has_claimable(transaction: Transaction, *, now: datetime) -> bool:
    """Tell whether any launch could start if a slot were free: one cheap read for who polls."""
    rows = transaction.execute(
        "select 1 from launch where status = 'queued' and not_before <= ? limit 1", (to_us(now),)
    )
    return bool(rows)


def next_not_before(transaction: Transaction, *, now: datetime) -> datetime | None:
    """Tell when the next launch that must wait may start; nothing if none waits for a time."""
    rows = transaction.execute(
        "select min(not_before) from launch where status = 'queued' and not_before > ?",
        (to_us(now),),
    )
    return None if rows[0][0] is None else from_us(rows[0][0])


def renew_claims(
    transaction: Transaction, process: ProcessIdentity, *, expires_at: datetime
) -> list[Launch]:
    """Say that the holder lives; gives all that it still holds, with what was asked of them."""
    transaction.execute(
        "update launch set expires_at = ? where status = 'running' and owner = ?",
        (to_us(expires_at), process.owner),
    )
    rows = transaction.execute(
        f"select {COLUMNS} from launch where status = 'running' and owner = ? order by id",
        (process.owner,),
    )
    return [stored_launch(row) for row in rows]


def begin_launch(transaction: Transaction, launch: Launch, run_id: int) -> None:
    """Note the run that a launch became, within the transaction that begins the run.

    Raises:
        LeaseLost: Another server took the launch over, or it has ended: there must be no run.
    """
    rows = transaction.execute(
        "update launch set run_id = ? where id = ? and fence = ? and status = 'running' "
        "returning id",
        (run_id, launch.id, launch.fence),
    )
    if not rows:
        raise LeaseLost(
            "A6401",
            f"Launch {launch.id} was taken over by another server before its run began.",
            hint="Nothing was done twice. See `mainstem queue list` for what became of it.",
        )


def finish_launch(
    transaction: Transaction,
    launch: Launch,
    *,
    status: LaunchStatus,
    now: datetime,
    error: str = "",
) -> bool:
    """Write how a launch ended, unless somebody took it over; tells whether it was written."""
    rows = transaction.execute(
        "update launch set status = ?, finished_at = ?, error = ? "
        "where id = ? and fence = ? and status = 'running' returning id",
        (status, to_us(now), error, launch.id, launch.fence),
    )
    return bool(rows)


def requeue_launch(transaction: Transaction, launch: Launch, *, not_before: datetime) -> bool:
    """Put a claimed launch back into the queue, raising the fence against its old holder."""
    rows = transaction.execute(
        "update launch set status = 'queued', fence = fence + 1, expires_at = 0, not_before = ? "
        # With the run that was seen: a holder that begins one at the last moment keeps it.
        "where id = ? and fence = ? and coalesce(run_id, 0) = ? and status = 'running' "
        "returning id",
        (to_us(not_before), launch.id, launch.fence, launch.run_id or 0),
    )
    return bool(rows)


def claimed_launches(transaction: Transaction) -> list[Launch]:
    """Give all launches that some server holds, dead ones included."""
    rows = transaction.execute(f"select {COLUMNS} from launch where status = 'running' order by id")
    return [stored_launch(row) for row in rows]


def _turn(transaction: Transaction, *, slots: int, now: datetime, weights: Weights) -> Share | None:
    counted = transaction.execute(
        "select share, status, count(*) from launch where status = 'running' "
        "or (status = 'queued' and not_before <= ?) group by share, status",
        (to_us(now),),
    )
    counts = {(share, status): count for share, status, count in counted}
    passes = dict(transaction.execute("select share, passed from launch_share"))
    chosen, kept = next_share(
        waiting={share: counts.get((share, "queued"), 0) for share in SHARES},
        running={share: counts.get((share, "running"), 0) for share in SHARES},
        passes=passes,
        slots=slots,
        weights=weights,
    )
    if chosen is not None and kept != passes:
        transaction.executemany(
            "insert into launch_share (share, passed) values (?, ?) "
            "on conflict (share) do update set passed = excluded.passed",
            list(kept.items()),
        )
    return chosen
