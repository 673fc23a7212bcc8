# SPDX-License-Identifier: Apache-2.0
"""What is asked of a run by others, as a row: it hears of it within a second."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from mainstem import state
from mainstem.errors import StepFailed
from mainstem.runs import RunAsked, StepOutcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _ask(world, kind, run_id=1):
    with world.database.write() as transaction:
        return state.ask_run(transaction, run_id, kind, at=NOW, by="somebody")


def _statuses(finished):
    return {str(step.key): step.status for step in finished.steps}


def _begins_and_waits(started, until_cancelled=False):
    def work(_step, context):
        stopped = threading.Event()
        context.cancel.on_cancel(stopped.set)
        started.set()
        if until_cancelled:
            assert stopped.wait(30)
            raise StepFailed("A7001", "stopped")

    return work


def _when(started, act):
    def watch():
        assert started.wait(30)
        act()

    threading.Thread(target=watch, daemon=True).start()


def test_a_cancel_asked_by_another_process_stops_the_run(real):
    started = threading.Event()
    real.source("raw.a")
    real.scripts["raw.a"] = _begins_and_waits(started, until_cancelled=True)
    _when(started, lambda: _ask(real, "cancel"))

    finished = real.run(run={"heartbeat_s": 0.02})

    assert finished.status == "cancelled"
    assert RunAsked(request="cancel", by="somebody") in real.events
    with real.database.read() as transaction:
        assert state.request_of(transaction, 1) is None


def test_a_second_cancel_does_not_wait_for_steps(real):
    started, release = threading.Event(), threading.Event()
    real.source("raw.a")

    def deaf(_step, _context):
        started.set()
        release.wait(30)
        return StepOutcome()

    real.scripts["raw.a"] = deaf
    _when(started, lambda: (_ask(real, "cancel"), _ask(real, "cancel")))

    finished = real.run(run={"heartbeat_s": 0.02, "grace_s": 600})
    release.set()

    assert finished.status == "cancelled"


def test_a_paused_run_starts_nothing_until_it_is_resumed(real):
    asked, resumed = threading.Event(), threading.Event()
    real.source("raw.a")
    real.add("staging.b", "raw.a")

    def pauses(_step, _context):
        _ask(real, "pause")
        assert asked.wait(30)

    def hear(event):
        real.events.append(event)
        if isinstance(event, RunAsked):
            asked.set()
            if event.request == "resume":
                resumed.set()

    def goes_on(_step, _context):
        assert resumed.is_set()

    real.scripts.update({"raw.a": pauses, "staging.b": goes_on})
    _when(asked, lambda: _ask(real, "resume"))

    finished = real.run(run={"heartbeat_s": 0.02}, on_event=hear)

    assert _statuses(finished) == {"raw.a": "read", "staging.b": "built"}


@pytest.mark.parametrize(
    ("asked", "now", "count"),
    [
        (["pause"], "pause", 1),
        (["pause", "resume"], "resume", 1),
        (["pause", "resume", "pause"], "pause", 1),
        (["cancel", "resume", "pause"], "cancel", 1),
        (["pause", "cancel", "cancel"], "cancel", 2),
    ],
)
def test_the_last_request_counts_but_a_cancel_stays(world, asked, now, count):
    world.database.migrate(state.ALL_MIGRATIONS)
    for kind in asked:
        found = _ask(world, kind)

    assert (found.kind, found.count) == (now, count)


def test_a_run_has_the_logical_time_that_it_is_given(world):
    seen = []
    world.source("raw.a")
    world.scripts["raw.a"] = lambda _step, context: seen.append(context.logical_time)

    world.run(run={"logical_time": NOW})

    assert seen == [NOW]
