# SPDX-License-Identifier: Apache-2.0
"""Pools, memory, rates and priorities on the real driver: never more at once, nothing leaks."""

from __future__ import annotations

import socket
import threading

from mainstem import state
from mainstem.errors import SourceUnavailable, StepFailed
from mainstem.runs import RunControl
from mainstem.types import Asks, Execution, Pool, Retry

ONE = Execution(asks=Asks(pools=("db",)))


class Counted:
    """Steps that note how many of them run at once."""

    def __init__(self, least=1):
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.together = threading.Barrier(least)

    def __call__(self, _step, _context):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.together.wait(30)
        with self.lock:
            self.now -= 1


def _slots(world):
    with world.database.read() as transaction:
        return transaction.execute("select pool, run_id, asset from slot")


def _add(world, names, execution=ONE, script=None):
    for name in names:
        world.source(name)
        world.step_options[name] = execution
        if script is not None:
            world.scripts[name] = script


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def test_no_more_steps_than_slots_go_on_at_once_and_all_of_them_run(real):
    counted = Counted(least=2)
    real.pools["db"] = Pool(name="db", slots=2)
    _add(real, [f"raw.s{n}" for n in range(6)], script=counted)

    finished = real.run(run={"threads": 6})

    assert finished.status == "succeeded"
    assert counted.most == 2
    assert _slots(real) == []


def test_a_step_that_waits_for_a_slot_leaves_its_place_to_others(real):
    real.pools["db"] = Pool(name="db", slots=1)
    free_ran = threading.Event()

    def wait_for_the_free_one(_step, _context):
        assert free_ran.wait(30)

    _add(real, ["raw.a", "raw.b"], script=wait_for_the_free_one)
    real.source("raw.z")
    real.scripts["raw.z"] = lambda _step, _context: free_ran.set()

    finished = real.run(run={"threads": 2})

    assert finished.status == "succeeded"


def test_a_step_that_is_tried_again_does_not_wait_for_its_own_slot(world):
    world.pools["db"] = Pool(name="db", slots=1)
    errors = [SourceUnavailable("A3010", "gone")] * 2
    _add(
        world,
        ["raw.a"],
        Execution(asks=ONE.asks, retry=Retry(count=2)),
        lambda _step, _context: _raise(errors),
    )

    finished = world.run()

    assert finished.status == "succeeded"
    assert world.executed == ["raw.a"] * 3


def _raise(errors):
    if errors:
        raise errors.pop()


def test_a_failed_run_leaves_no_slot(world):
    world.pools["db"] = Pool(name="db", slots=1)
    _add(world, ["raw.a"], script=lambda _step, _context: _raise([StepFailed("A7110", "no")]))

    assert world.run().status == "failed"
    assert _slots(world) == []


def test_a_cancelled_run_frees_its_slots_at_once_though_a_step_does_not_stop(real):
    real.pools["db"] = Pool(name="db", slots=1)
    started, release, control = threading.Event(), threading.Event(), RunControl()

    def deaf(_step, _context):
        started.set()
        release.wait(30)

    _add(real, ["raw.a"], script=deaf)

    def watch():
        assert started.wait(30)
        assert _slots(real) == [("db", 1, "raw.a")]
        control.request_cancel()
        control.request_cancel()

    threading.Thread(target=watch, daemon=True).start()
    finished = real.run(control=control)
    left = _slots(real)
    release.set()

    assert finished.status == "cancelled"
    assert left == []


def test_slots_of_a_run_whose_process_died_are_free_for_who_waits(real):
    real.pools["db"] = Pool(name="db", slots=1)
    _add(real, ["raw.a"])
    _leave_a_dead_run(real, holding="db")

    finished = real.run(run={"lease_s": 600})

    assert finished.status == "succeeded"
    assert _slots(real) == []
    # Whoever buries a run tells of it: alerts hear of no crash otherwise.
    assert [ending.status for ending in real.endings] == ["crashed", "succeeded"]


def test_a_run_that_waits_for_a_shut_pool_goes_on_when_somebody_opens_it(real):
    real.pools["db"] = Pool(name="db", slots=1)
    real.database.migrate(state.ALL_MIGRATIONS)
    _add(real, ["raw.a"])
    real.source("raw.free")
    _set(real, 0)
    # It ends while the other one waits: whoever sees it end opens the pool.
    real.scripts["raw.free"] = lambda _step, _context: _set(real, 1)

    finished = real.run(run={"threads": 1})

    assert finished.status == "succeeded"
    assert real.executed == ["raw.free", "raw.a"]


def _set(world, slots):
    with world.database.write() as transaction:
        state.set_slots(transaction, "db", slots, by="ann", now=world.clock.now())


def _leave_a_dead_run(world, *, holding):
    """A run of a process that is gone, whose lease would live for years."""
    world.database.migrate(state.ALL_MIGRATIONS)
    process = state.ProcessIdentity(
        owner="dead", host=socket.gethostname(), boot_id="before", pid=1, process_started="x"
    )
    with world.database.write() as transaction:
        run = state.insert_run(
            transaction,
            branch="main",
            environment="local",
            base_commit="",
            process=process,
            started_at=world.clock.now(),
        )
        holder = state.Holder(run_id=run.id, asset="raw.x", attempt=1, owner="dead")
        state.take_slots(
            transaction,
            [state.Ask(pool=holding, limit=1)],
            holder,
            now=world.clock.now(),
            expires_at=world.clock.now().replace(year=2100),
        )


def test_starts_keep_to_the_rate_of_their_pool(world):
    world.pools["api"] = Pool(name="api", rate_per_s=0.1)
    _add(world, ["raw.a", "raw.b", "raw.c"], Execution(asks=Asks(pools=("api",))))
    before = world.clock.monotonic_s()

    finished = world.run()

    assert finished.status == "succeeded"
    assert 20 <= world.clock.monotonic_s() - before < 40


def test_steps_that_need_more_memory_than_is_left_wait_for_each_other(real):
    counted = Counted()
    real.pools["memory"] = Pool(name="memory", slots=10)
    _add(
        real,
        [f"raw.s{n}" for n in range(3)],
        Execution(asks=Asks(memory_bytes=6)),
        script=counted,
    )

    finished = real.run(run={"threads": 3})

    assert finished.status == "succeeded"
    assert counted.most == 1


def test_what_a_step_took_before_is_what_it_is_given_room_for(real):
    counted = Counted()
    real.pools["memory"] = Pool(name="memory", slots=600 << 20)
    _add(real, ["raw.a", "raw.b"], Execution(), script=counted)
    real.run()
    with real.database.write() as transaction:
        transaction.execute("update step set peak_memory = 400000000, measured = 'worker'")
    real.sources.update({"raw.a": "two", "raw.b": "two"})
    counted.most = 0

    finished = real.run(run={"threads": 2})

    assert finished.status == "succeeded"
    assert counted.most == 1


def test_a_step_whose_slot_went_to_another_run_is_stopped_and_tried_again(real):
    real.pools["db"] = Pool(name="db", slots=1)
    tries = []

    def work(_step, context):
        tries.append(context.attempt)
        if context.attempt == 1:
            stopped = threading.Event()
            context.cancel.on_cancel(stopped.set)
            with real.database.write() as transaction:
                transaction.execute("delete from slot")
            assert stopped.wait(30)
            raise StepFailed("A7001", "stopped")

    _add(real, ["raw.a"], Execution(asks=ONE.asks, retry=Retry(count=1, delay_s=0.01)), work)

    finished = real.run(run={"heartbeat_s": 0.02})

    assert tries == [1, 2]
    assert finished.status == "succeeded"


def test_the_highest_priority_goes_first_with_all_that_it_needs(world):
    for name in ("raw.a", "raw.b"):
        world.source(name)
    world.add("marts.a", "raw.a")
    world.add("marts.b", "raw.b")
    world.step_options["marts.b"] = Execution(priority=3)

    world.run(run={"threads": 1})

    assert world.executed == ["raw.b", "marts.b", "raw.a", "marts.a"]
