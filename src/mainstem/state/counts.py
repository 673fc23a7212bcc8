# SPDX-License-Identifier: Apache-2.0
"""How many there are of what: for metrics and badges, each one query."""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.database import Transaction


def runs_by_status(transaction: Transaction) -> dict[str, int]:
    """Count all runs that are known."""
    rows = transaction.execute("select status, count(*) from run group by status")
    return {status: int(count) for status, count in rows}


def open_steps_by_status(transaction: Transaction) -> dict[str, int]:
    """Count the steps of the runs that go on."""
    rows = transaction.execute(
        "select step.status, count(*) from run join step on step.run_id = run.id "
        "where run.status = 'running' group by step.status"
    )
    return {status: int(count) for status, count in rows}


def steps_by_status(transaction: Transaction, run_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Count the steps of some runs."""
    if not run_ids:
        return {}
    found: dict[int, dict[str, int]] = {}
    rows = transaction.execute(
        "select run_id, status, count(*) from step where run_id in "
        f"({', '.join('?' for _ in run_ids)}) group by run_id, status",
        tuple(run_ids),
    )
    for run_id, status, count in rows:
        found.setdefault(run_id, {})[status] = int(count)
    return found


def lease_counts(transaction: Transaction, *, now_us: int) -> tuple[int, int]:
    """Count the leases that hold, and those that ran out and nobody took over; not the free."""
    rows = transaction.execute(
        "select coalesce(sum(case when expires_at > ? then 1 else 0 end), 0), count(*) from lease "
        "where run_id <> 0",
        (now_us,),
    )
    live, total = rows[0]
    return int(live), int(total) - int(live)


def oldest_queued_us(transaction: Transaction) -> int | None:
    """Tell since when the launch that waits longest does; nothing if none waits."""
    rows = transaction.execute("select min(requested_at) from launch where status = 'queued'")
    found: int | None = rows[0][0]
    return found
