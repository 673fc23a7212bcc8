# SPDX-License-Identifier: Apache-2.0
"""Leases of a run: taken, waited for, and taken from runs whose process died."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from mainstem import state
from mainstem.database import Database, Transaction
from mainstem.errors import BranchBusy, RefNotFound
from mainstem.lake import Lake
from mainstem.runs.ended import OnEnd, RunEnding
from mainstem.runs.identity import is_dead
from mainstem.types import AssetKey, Clock

_POLL_S = 0.2


def recover(
    database: Database, lake: Lake, clock: Clock, *, on_end: OnEnd | None = None
) -> tuple[int, ...]:
    """Mark the runs whose process died as crashed, free what they held, seal their branches.

    Cheap if there is none: one read. Called when a project is opened for work.

    Args:
        database: With run state.
        lake: Whose branches are sealed.
        clock: Source of time.
        on_end: Writes what else is to be known of a run that ended so.

    Returns:
        Ids of the runs that were found dead.
    """
    database.migrate(state.ALL_MIGRATIONS)
    with database.read() as transaction:
        dead = [run for run in state.unfinished_runs(transaction) if is_dead(run.process)]
    if not dead:
        return ()
    with database.write() as transaction:
        # Read again: another process may have cleared up in between.
        left = {run.id for run in state.unfinished_runs(transaction)}
        buried = [run.id for run in dead if run.id in left]
        for run_id in buried:
            bury(transaction, lake, run_id, clock=clock, why="its process died", on_end=on_end)
    return tuple(buried)


def bury(
    transaction: Transaction,
    lake: Lake,
    run_id: int,
    *,
    clock: Clock,
    why: str,
    on_end: OnEnd | None = None,
) -> None:
    """Let a dead run be over: it can no longer commit, its branch is sealed for inspection."""
    now = clock.now()
    branch = f"run/{run_id}"
    state.steal(transaction, run_id)
    state.free_slots(transaction, run_id)
    state.forget_requests(transaction, run_id)
    state.forget_items(transaction, run_id)
    kept = _close_branch(transaction, lake, branch, clock=clock)
    state.finish_run(
        transaction,
        run_id,
        status="crashed",
        at=now,
        run_branch=branch if kept else "",
        error=why,
    )
    state.add_event(transaction, run_id, "crashed", why, at=now)
    run = state.run_of(transaction, run_id)
    if on_end is not None and run is not None:
        error = f"the run was found dead: {why}"
        on_end(transaction, RunEnding(run=run, status="crashed", at=now, error=error))


def _close_branch(transaction: Transaction, lake: Lake, branch: str, *, clock: Clock) -> bool:
    try:
        lake.seal(branch, transaction=transaction)
        lake.expire(branch, clock.now() + timedelta(days=30), transaction=transaction)
    except RefNotFound:
        return False
    return True


class BlockedError(Exception):
    """Another living run holds an asset; never leaves this package."""

    def __init__(self, lease: state.Lease) -> None:
        super().__init__(lease)
        self.lease = lease


def clear_the_way(
    transaction: Transaction,
    lake: Lake,
    branch: str,
    keys: Collection[AssetKey],
    *,
    clock: Clock,
    on_end: OnEnd | None = None,
) -> None:
    """Take away leases of the dead on what a run needs.

    Raises:
        BlockedError: A living run holds one.
    """
    for lease in state.leases(transaction, branch, keys):
        run = state.run_of(transaction, lease.run_id)
        if run is None or run.status != "running":
            state.steal(transaction, lease.run_id)
        elif is_dead(run.process):
            why = "its process died"
            bury(transaction, lake, run.id, clock=clock, why=why, on_end=on_end)
        elif lease.expires_at <= clock.now():
            why = "its lease expired"
            bury(transaction, lake, run.id, clock=clock, why=why, on_end=on_end)
        else:
            raise BlockedError(lease)


def wait_for(
    begin: Callable[[], state.RunRecord],
    *,
    wait: bool,
    clock: Clock,
    on_wait: Callable[[state.Lease], bool],
) -> state.RunRecord:
    """Begin a run as soon as nobody else holds what it needs.

    Args:
        begin: Takes the leases in one transaction, or raises `BlockedError`.
        wait: Otherwise the first `BlockedError` is an error.
        clock: To wait by.
        on_wait: Told once who is waited for, then asked each time whether to go on.

    Raises:
        BranchBusy: Without `wait`, or when the user gave up.
    """
    while True:
        try:
            return begin()
        except BlockedError as blocked:
            lease = blocked.lease
            if not wait or not on_wait(lease):
                raise BranchBusy(
                    "A6010",
                    f"Run {lease.run_id} is building {lease.asset} on {lease.branch}.",
                    hint="Run again when it has finished, or leave --no-wait out to wait for it.",
                ) from None
        clock.sleep(_POLL_S)
