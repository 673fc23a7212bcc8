# SPDX-License-Identifier: Apache-2.0
"""Executing a plan: begin (leases, records), drive, publish. The one entry for every launch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import Cancelled, MainstemError
from mainstem.graph import Plan
from mainstem.runs.driver import Driver
from mainstem.runs.event import RunEvent, RunFinished, RunStarted, StepFinished, StepLogged
from mainstem.runs.heartbeat import Heartbeat
from mainstem.runs.identity import own_identity
from mainstem.runs.needs import with_needs
from mainstem.runs.options import RunControl, RunOptions
from mainstem.runs.part_facts import with_partition_keys
from mainstem.runs.recovery import clear_the_way, wait_for
from mainstem.runs.scope import open_scope
from mainstem.runs.services import Services
from mainstem.runs.wiring import Wiring, wire
from mainstem.state import Held, Lease, RunRecord

_AUDIT_DAYS = 400
"""What was changed by hand is asked for when the year's books are closed."""


def execute(
    plan: Plan,
    services: Services,
    *,
    options: RunOptions | None = None,
    on_event: Callable[[RunEvent], None] | None = None,
    control: RunControl | None = None,
) -> RunFinished:
    """Do what a plan says, and publish what passed.

    Steps decide again when the versions of their inputs are known, so less than planned may be
    built, never more. Without work no run is recorded.

    Args:
        plan: By `make_plan`; its branch is the target.
        services: The world.
        options: Of the command.
        on_event: Told what happens, in the order it does; called from several threads, one at a
            time, and must not raise.
        control: Stops the run.

    Raises:
        BranchBusy: Another run holds an asset, and `options.wait` is off.
        BranchConflict: Publishing lost against others three times, or does not commute.
        LeaseLost: Another run took over; nothing more was committed.
        Cancelled: Stopped while it waited for another run.
    """
    options = options or RunOptions()
    emit = _one_at_a_time(on_event)
    skipped = _skipped(plan)
    services.database.migrate(state.ALL_MIGRATIONS)
    with services.database.read() as transaction:
        taken = state.memory_taken(transaction)
    graph = with_partition_keys(services.graph, services.database)
    services = replace(services, graph=graph)
    wired = wire(plan, graph, services.gates_of, now=services.clock.now())
    wiring = with_needs(wired, graph, taken)
    _note_current(plan, services)
    if not wiring.units:
        finished = RunFinished(run_id=0, status="nothing_to_do", branch=plan.branch, steps=skipped)
        emit(finished)
        return finished
    control = control or RunControl()
    run, held = _begin(plan, services, wiring, options, emit, control)
    emit(_started(run, plan, wiring))
    for event in skipped:
        emit(event)
    scope = open_scope(plan, services, wiring=wiring, lease=(run, held), options=options, emit=emit)
    driver = Driver(scope)
    control.listen(driver.interrupt)
    with Heartbeat(scope, driver):
        finished = driver.run(skipped)
    emit(finished)
    return finished


def _one_at_a_time(
    on_event: Callable[[RunEvent], None] | None,
) -> Callable[[RunEvent], None]:
    lock = threading.Lock()

    def emit(event: RunEvent) -> None:
        if on_event is not None:
            with lock:
                on_event(event)

    return emit


def _begin(
    plan: Plan,
    services: Services,
    wiring: Wiring,
    options: RunOptions,
    emit: Callable[[RunEvent], None],
    control: RunControl,
) -> tuple[RunRecord, Held]:
    taken: list[Held] = []
    told: list[int] = []

    def begin() -> RunRecord:
        run, held = _try_to_begin(plan, services, wiring, options)
        taken.append(held)
        return run

    def on_wait(lease: Lease) -> bool:
        if control.is_requested:
            raise Cancelled("A6013", f"Stopped while waiting for run {lease.run_id}.")
        if lease.run_id not in told:
            told.append(lease.run_id)
            text = f"waits for run {lease.run_id}, which is building it on {lease.branch}"
            emit(StepLogged(key=wiring.units[0].key, stream="log", text=text))
        return True

    run = wait_for(begin, wait=options.wait, clock=services.clock, on_wait=on_wait)
    return run, taken[-1]


def _try_to_begin(
    plan: Plan, services: Services, wiring: Wiring, options: RunOptions
) -> tuple[RunRecord, Held]:
    lake, clock = services.lake, services.clock
    keys = [key for unit in wiring.units if not unit.judges_only for key in unit.keys]
    with services.database.write() as transaction:
        clear_the_way(transaction, lake, plan.branch, keys, clock=clock, on_end=services.on_end)
        base = _base_commit(plan, services, options, transaction)
        now = clock.now()
        process = own_identity()
        run = state.insert_run(
            transaction,
            branch=plan.branch,
            environment=plan.environment,
            base_commit=base,
            process=process,
            started_at=now,
            git=plan.git,
            options=plan.options,
        )
        if options.logical_time is not None:
            run = state.set_logical_time(transaction, run, options.logical_time)
        held = state.acquire(
            transaction,
            branch=plan.branch,
            keys=keys,
            run_id=run.id,
            owner=process.owner,
            expires_at=now + timedelta(seconds=options.lease_s),
        )
        state.save_plan(transaction, run.id, plan)
        if options.on_begin is not None:
            options.on_begin(transaction, run.id)
        state.prune_history(transaction, before=now - timedelta(days=options.history_days))
        state.prune_audit(transaction, before=now - timedelta(days=_AUDIT_DAYS))
    return run, held


def _base_commit(
    plan: Plan, services: Services, options: RunOptions, transaction: Transaction
) -> str:
    lake = services.lake
    try:
        return lake.ref(plan.branch).commit_id
    except MainstemError:
        if not options.branch_from:
            raise
    made = lake.create_branch(plan.branch, at=options.branch_from, transaction=transaction)
    return made.commit_id


def _started(run: RunRecord, plan: Plan, wiring: Wiring) -> RunStarted:
    return RunStarted(
        run_id=run.id,
        environment=plan.environment,
        branch=plan.branch,
        step_count=sum(1 for unit in wiring.units if not unit.judges_only),
        check_count=sum(len(unit.early) + len(unit.late) for unit in wiring.units),
        started_at=run.started_at,
    )


def _note_current(plan: Plan, services: Services) -> None:
    """Note which promised assets are up to date already: there is no step that would tell."""
    looks = plan.options.get("ingest") is not False
    kept = [
        item.key
        for item in plan.assets
        if item.action in {"fresh", "keep"}
        for asset in [services.graph.assets[item.key]]
        # What is young enough not to be looked at was not found unchanged.
        if asset.freshness and asset.rebuild_after_s is None and (looks or asset.inputs)
    ]
    if kept:
        with services.database.write() as transaction:
            state.note_current(transaction, plan.branch, kept, at=services.clock.now())


def _skipped(plan: Plan) -> tuple[StepFinished, ...]:
    return tuple(
        StepFinished(key=item.key, status="skipped", reason=item.reason)
        for item in plan.assets
        if item.action == "skip"
    )
