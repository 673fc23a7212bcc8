# SPDX-License-Identifier: Apache-2.0
"""Timeouts, Ctrl-C once and twice, and steps that do not listen."""

from __future__ import annotations

import threading

import pytest

from mainstem import state
from mainstem.errors import StepFailed
from mainstem.runs import RunControl, StepOutcome
from mainstem.types import Execution, Retry


@pytest.fixture
def release():
    """Lets steps go that nothing else can stop."""
    event = threading.Event()
    yield event
    event.set()


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def _obedient(started=None):
    def work(_step, context):
        stopped = threading.Event()
        context.cancel.on_cancel(stopped.set)
        if started is not None:
            started.set()
        assert stopped.wait(30)
        raise StepFailed("A7001", "stopped")

    return work


def _deaf(release, started=None):
    def work(_step, _context):
        if started is not None:
            started.set()
        release.wait(30)
        return StepOutcome()

    return work


def _cancel_when(started, control, times=1):
    def watch():
        assert started.wait(30)
        for _ in range(times):
            control.request_cancel()

    threading.Thread(target=watch, daemon=True).start()


def test_a_step_that_takes_too_long_is_stopped_and_fails(real):
    real.source("raw.a")
    real.add("staging.b")
    real.scripts["raw.a"] = _obedient()
    real.step_options["raw.a"] = Execution(timeout_s=0.05)

    finished = real.run()

    assert _statuses(finished) == {"raw.a": "failed", "staging.b": "built"}
    error = next(step.error for step in finished.steps if str(step.key) == "raw.a")
    assert error.code == "A6012"
    assert "timeout of 0.05 s" in error.summary


def test_a_step_that_does_not_stop_is_left_behind(real, release):
    real.source("raw.a")
    real.scripts["raw.a"] = _deaf(release)
    real.step_options["raw.a"] = Execution(timeout_s=0.05)

    finished = real.run(run={"grace_s": 0.05})

    assert _statuses(finished) == {"raw.a": "failed"}


def test_what_a_left_behind_step_brings_later_is_ignored(real, release):
    real.source("raw.a")
    tries = []

    def slow_then_fast(_step, context):
        tries.append(context.attempt)
        if len(tries) == 1:
            release.wait(30)
            return StepOutcome()
        return None

    real.scripts["raw.a"] = slow_then_fast
    real.step_options["raw.a"] = Execution(timeout_s=1.0, retry=Retry(count=1, delay_s=0.01))

    finished = real.run(run={"grace_s": 0.05})

    assert tries == [1, 2]
    assert finished.steps[0].rows == 10


def test_a_run_that_takes_too_long_stops_what_runs_and_publishes_what_passed(real):
    real.source("raw.a")
    real.source("raw.b")
    real.add("marts.c", "raw.a")
    real.scripts["raw.a"] = _obedient()
    real.step_options["raw.a"] = Execution(retry=Retry(count=3))

    finished = real.run(run={"run_timeout_s": 0.3})

    assert finished.status == "failed"
    assert _statuses(finished) == {"raw.a": "failed", "raw.b": "read", "marts.c": "skipped"}
    error = next(step.error for step in finished.steps if str(step.key) == "raw.a")
    assert error.code == "A6016"
    assert [str(key) for key in finished.published] == ["raw.b"]


def test_a_check_that_does_not_end_within_the_run_s_time_holds_what_it_judges(real, release):
    real.source("raw.a")
    real.gate("raw.a")
    real.verdicts["raw.a/check"] = lambda _seen: release.wait(30)

    finished = real.run(run={"run_timeout_s": 0.2, "grace_s": 0.05})

    assert _statuses(finished) == {"raw.a": "held"}
    assert finished.published == ()


def test_ctrl_c_stops_what_runs_and_publishes_nothing(real):
    real.source("raw.a")
    real.add("staging.b")
    real.add("marts.c", "raw.a")
    started, control = threading.Event(), RunControl()
    real.scripts["raw.a"] = _obedient(started)
    _cancel_when(started, control)

    finished = real.run(control=control)

    assert finished.status == "cancelled"
    assert finished.exit_code == 130
    assert _statuses(finished)["raw.a"] == "cancelled"
    assert _statuses(finished)["marts.c"] == "cancelled"
    assert dict(real.lake.entries("main")) == {}
    with real.database.read() as transaction:
        assert state.leases(transaction, "main") == []
        assert state.run_of(transaction, finished.run_id).status == "cancelled"


def test_ctrl_c_waits_no_longer_than_its_grace(real, release):
    real.source("raw.a")
    started, control = threading.Event(), RunControl()
    real.scripts["raw.a"] = _deaf(release, started)
    _cancel_when(started, control)

    finished = real.run(control=control, run={"grace_s": 0.1})

    assert finished.status == "cancelled"
    assert finished.elapsed_s < 5


def test_ctrl_c_twice_does_not_wait_at_all(real, release):
    real.source("raw.a")
    started, control = threading.Event(), RunControl()
    real.scripts["raw.a"] = _deaf(release, started)
    _cancel_when(started, control, times=2)

    finished = real.run(control=control, run={"grace_s": 60})

    assert finished.status == "cancelled"
    assert finished.elapsed_s < 10


def test_the_branch_of_a_cancelled_run_is_sealed(real):
    real.add("staging.b")
    real.add("staging.c", "staging.b")
    started, control = threading.Event(), RunControl()
    real.scripts["staging.c"] = _obedient(started)
    _cancel_when(started, control)

    finished = real.run(control=control)

    assert real.lake.ref(finished.run_branch).sealed


def test_what_was_built_before_ctrl_c_is_linked_by_the_next_run(real):
    real.add("staging.b")
    real.add("staging.c", "staging.b")
    started, control = threading.Event(), RunControl()
    real.scripts["staging.c"] = _obedient(started)
    _cancel_when(started, control)
    real.run(control=control)
    real.scripts.clear()

    finished = real.run()

    assert _statuses(finished) == {"staging.b": "linked", "staging.c": "built"}
    assert real.executed == ["staging.c"]
