# SPDX-License-Identifier: Apache-2.0
"""Two runs on one branch, and runs whose process died."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from mainstem import state
from mainstem.errors import BranchBusy, LeaseLost
from mainstem.graph import PlanOptions
from mainstem.runs import RunOptions, execute, recover
from mainstem.runs.identity import is_dead, own_identity
from mainstem.types import AssetKey


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def _begin_elsewhere(world, *names, process=None, lease_s=3600):
    """Leave a run behind that holds assets and does nothing."""
    now = world.clock.now()
    world.database.migrate(state.MIGRATIONS)
    with world.database.write() as transaction:
        run = state.insert_run(
            transaction,
            branch="main",
            environment="local",
            base_commit=world.lake.ref("main").commit_id,
            process=process or own_identity(),
            started_at=now,
        )
        held = state.acquire(
            transaction,
            branch="main",
            keys=[AssetKey.parse(name) for name in names],
            run_id=run.id,
            owner=run.process.owner,
            expires_at=now + timedelta(seconds=lease_s),
        )
        world.lake.create_branch(f"run/{run.id}", at="main", transaction=transaction)
    return run, held


def _dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    return replace(own_identity(), pid=ended.pid, process_started="1")


def test_runs_on_disjoint_assets_do_not_wait_for_each_other(world):
    world.source("raw.a")
    world.source("raw.b")
    _begin_elsewhere(world, "raw.b")

    finished = world.run("raw.a")

    assert finished.status == "succeeded"


def test_overlapping_runs_without_waiting_name_the_other_run(world):
    world.source("raw.a")
    run, _held = _begin_elsewhere(world, "raw.a")

    with pytest.raises(BranchBusy) as caught:
        world.run(run={"wait": False})

    assert caught.value.exit_code == 3
    assert f"Run {run.id} is building raw.a on main" in caught.value.summary


def test_overlapping_runs_wait_and_build_nothing_twice(real):
    world = real
    world.source("raw.a")
    world.add("staging.b", "raw.a")
    entered, go_on = threading.Event(), threading.Event()

    def slow(_step, _context):
        entered.set()
        assert go_on.wait(30)

    world.scripts["raw.a"] = slow
    plan = world.plan()
    results = []

    def go(events):
        options = RunOptions(plan=PlanOptions(), threads=2)
        results.append(execute(plan, world.services(), options=options, on_event=events.append))

    first, second = [], []
    threads = [threading.Thread(target=go, args=(events,)) for events in (first, second)]
    threads[0].start()
    assert entered.wait(30)
    threads[1].start()
    world.scripts.clear()
    while not second:
        threading.Event().wait(0.01)
    go_on.set()
    for thread in threads:
        thread.join(30)

    assert [item.status for item in results] == ["succeeded", "succeeded"]
    assert "waits for run 1" in second[0].text
    assert sorted(world.executed) == ["raw.a", "raw.a", "staging.b"]
    assert _statuses(results[1]) == {"raw.a": "unchanged", "staging.b": "unchanged"}


def test_a_run_whose_process_died_is_taken_over_at_once(world):
    world.source("raw.a")
    dead, _held = _begin_elsewhere(world, "raw.a", process=_dead_process())

    finished = world.run(run={"wait": False})

    assert finished.status == "succeeded"
    with world.database.read() as transaction:
        assert state.run_of(transaction, dead.id).status == "crashed"
    assert world.lake.ref(f"run/{dead.id}").sealed


def test_recovery_marks_dead_runs_and_frees_what_they_held(world):
    world.source("raw.a")
    dead, _held = _begin_elsewhere(world, "raw.a", process=_dead_process())
    alive, _held = _begin_elsewhere(world, "raw.b")

    buried = recover(world.database, world.lake, world.clock)

    assert buried == (dead.id,)
    with world.database.read() as transaction:
        assert [run.id for run in state.unfinished_runs(transaction)] == [alive.id]
        assert [lease.asset for lease in state.leases(transaction, "main")] == ["raw.b"]


def test_an_expired_lease_is_taken_over_though_its_holder_may_live(world):
    world.source("raw.a")
    _run, held = _begin_elsewhere(world, "raw.a", lease_s=-1)

    finished = world.run(run={"wait": False})

    assert finished.status == "succeeded"
    with world.database.write() as transaction, pytest.raises(LeaseLost):
        state.compare_fences(transaction, held)


def test_a_run_that_was_taken_over_can_commit_nothing_more(world):
    world.source("raw.a")

    def lose(_step, _context):
        with world.database.write() as transaction:
            state.steal(transaction, 1)

    world.scripts["raw.a"] = lose

    with pytest.raises(LeaseLost):
        world.run()

    assert world.version("raw.a") is None


def test_a_pid_that_was_given_to_another_process_is_not_the_old_one():
    alive = own_identity()

    assert not is_dead(alive)
    assert is_dead(replace(alive, process_started="1"))
    assert is_dead(replace(alive, boot_id="another boot"))
    assert not is_dead(replace(alive, host="another-host", pid=1, boot_id="x"))


def test_leases_are_given_back_when_a_run_ends(world):
    world.source("raw.a")
    world.add("staging.b", "raw.a")

    world.run()

    with world.database.read() as transaction:
        assert state.leases(transaction, "main") == []


def test_a_fence_only_ever_grows(world):
    world.source("raw.a")
    world.run()
    world.sources["raw.a"] = "two"
    world.run()

    with world.database.read() as transaction:
        fences = transaction.execute("select fence from lease where asset = 'raw.a'")

    assert fences == [(2,)]
