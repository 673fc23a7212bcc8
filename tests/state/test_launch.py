# SPDX-License-Identifier: Apache-2.0
"""The queue of launches: asked once, claimed once, taken over once, and never ended by a zombie."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mainstem import state
from mainstem.database import open_database
from mainstem.errors import LeaseLost
from mainstem.state import LaunchRequest, ProcessIdentity

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ONE = ProcessIdentity(owner="one", host="h", boot_id="b", pid=7, process_started="99")
TWO = replace(ONE, owner="two", pid=8)
MANUAL = LaunchRequest(origin="manual")
BACKFILL = LaunchRequest(origin="backfill", source="1")


@pytest.fixture
def transaction(database_url):
    database = open_database(database_url)
    database.migrate(state.LAUNCH_MIGRATIONS)
    with database.write() as opened:
        yield opened
    database.close()


def _claim(transaction, process=ONE, *, slots=10, now=NOW):
    return state.claim_launch(
        transaction, process=process, slots=slots, now=now, expires_at=now + timedelta(seconds=30)
    )


def test_a_request_is_read_back_as_it_was_asked(transaction):
    request = LaunchRequest(
        origin="schedule",
        source="nightly",
        run_key="2026-01-02T03:00Z",
        job="nightly",
        environment="prod",
        branch="main",
        select=("+tag:daily",),
        exclude=("raw.*",),
        partitions={"raw.flights": "2026-01-01..2026-01-02"},
        options={"full_refresh": True, "retries": 2},
        priority=3,
        logical_time=NOW,
        not_before=LATER,
        cause={"tick": "2026-01-02T03:00Z"},
    )

    launch_id = state.enqueue(transaction, request, now=NOW)

    launch = state.launch_of(transaction, launch_id)
    assert launch.request == request
    assert (launch.status, launch.requested_at, launch.run_id) == ("queued", NOW, None)


def test_a_run_key_launches_once_for_each_origin_and_source(transaction):
    keyed = replace(MANUAL, origin="sensor", source="inbox", run_key="a.csv")

    ids = [
        state.enqueue(transaction, request, now=NOW)
        for request in (keyed, keyed, replace(keyed, source="other"), MANUAL, MANUAL)
    ]

    assert ids == [1, None, 2, 3, 4]
    assert state.launch_of_key(transaction, "sensor", "inbox", "a.csv").id == 1


def _lose(transaction, run_id):
    """Let a launch be claimed by a server that dies of it, with a run or before one."""
    launch = state.claim_launch(transaction, process=ONE, slots=9, now=NOW, expires_at=LATER)
    if run_id is not None:
        state.begin_launch(transaction, launch, run_id)
    state.finish_launch(transaction, launch, status="lost", now=NOW, error="the server died once")
    return launch


def test_a_run_key_is_free_again_when_its_launch_is_lost_before_it_became_a_run(transaction):
    keyed = replace(MANUAL, run_key="k", select=("a",))
    first = state.enqueue(transaction, keyed, now=NOW)
    lost = _lose(transaction, None)

    again = state.enqueue(transaction, replace(keyed, select=("b",)), now=NOW + timedelta(hours=1))
    launch = state.launch_of(transaction, again)

    assert again == first
    assert (launch.status, launch.attempts, launch.error) == ("queued", 0, "")
    assert launch.request.select == ("b",)
    assert launch.requested_at == NOW + timedelta(hours=1)
    assert state.enqueue(transaction, keyed, now=NOW) is None
    with pytest.raises(LeaseLost):
        state.begin_launch(transaction, lost, 7)


def test_a_run_key_stays_taken_when_a_run_had_begun(transaction):
    keyed = replace(MANUAL, run_key="k", select=("a",))
    state.enqueue(transaction, keyed, now=NOW)
    _lose(transaction, 7)

    assert state.enqueue(transaction, keyed, now=NOW) is None


def test_a_run_key_stays_taken_when_its_launch_is_forgotten(transaction):
    keyed = replace(MANUAL, run_key="k", select=("a",))
    for request in (keyed, MANUAL, MANUAL):
        state.enqueue(transaction, request, now=NOW)
    for launch_id in (1, 2, 3):
        state.cancel_launch(transaction, launch_id, now=NOW)

    state.prune_launches(transaction, before=LATER)

    assert [launch.id for launch in state.launches(transaction)] == [3, 1]
    assert state.launch_of(transaction, 1).request.select == ()
    assert state.enqueue(transaction, keyed, now=LATER) is None
    assert state.enqueue(transaction, MANUAL, now=LATER) == 4


def test_a_launch_is_claimed_once_by_priority_then_by_age(transaction):
    for priority in (0, 5, 0, 5):
        state.enqueue(transaction, replace(MANUAL, priority=priority), now=NOW)

    claimed = [_claim(transaction, process) for process in (ONE, TWO, ONE, TWO, ONE)]

    assert [launch and launch.id for launch in claimed] == [2, 4, 1, 3, None]
    assert [launch.process.owner for launch in claimed[:2]] == ["one", "two"]


def test_no_more_launches_run_than_there_are_slots(transaction):
    for _ in range(3):
        state.enqueue(transaction, MANUAL, now=NOW)

    first, second, third = (_claim(transaction, slots=2) for _ in range(3))

    assert third is None
    assert state.finish_launch(transaction, first, status="succeeded", now=NOW)
    assert _claim(transaction, slots=2).id == second.id + 1


def test_a_launch_waits_for_its_time(transaction):
    state.enqueue(transaction, replace(MANUAL, not_before=LATER), now=NOW)

    assert _claim(transaction) is None
    assert not state.has_claimable(transaction, now=NOW)
    assert state.next_not_before(transaction, now=NOW) == LATER
    assert state.has_claimable(transaction, now=LATER)
    assert _claim(transaction, now=LATER).id == 1
    assert state.next_not_before(transaction, now=LATER) is None


def test_a_taken_over_launch_is_neither_begun_nor_ended_by_its_old_holder(transaction):
    state.enqueue(transaction, MANUAL, now=NOW)
    zombie = _claim(transaction)
    assert state.requeue_launch(transaction, zombie, not_before=NOW)
    again = _claim(transaction, TWO)

    with pytest.raises(LeaseLost):
        state.begin_launch(transaction, zombie, 7)
    assert not state.finish_launch(transaction, zombie, status="failed", now=NOW)
    assert not state.requeue_launch(transaction, zombie, not_before=NOW)
    state.begin_launch(transaction, again, 8)
    assert state.launch_of_run(transaction, 8).attempts == 2


def test_renewing_gives_what_the_holder_still_has_and_what_was_asked_of_it(transaction):
    for _ in range(2):
        state.enqueue(transaction, MANUAL, now=NOW)
    _claim(transaction)
    _claim(transaction, TWO)
    asked = state.cancel_launch(transaction, 1, now=NOW)

    held = state.renew_claims(transaction, ONE, expires_at=LATER)

    assert (asked.status, asked.cancel_requested) == ("running", True)
    assert [(launch.id, launch.expires_at) for launch in held] == [(1, LATER)]
    assert held[0].cancel_requested
    assert {launch.id for launch in state.claimed_launches(transaction)} == {1, 2}


def test_a_waiting_launch_is_cancelled_and_an_ended_one_stays_as_it_is(transaction):
    for _ in range(2):
        state.enqueue(transaction, MANUAL, now=NOW)
    ended = _claim(transaction)
    state.finish_launch(transaction, ended, status="failed", now=NOW, error="no")

    statuses = [state.cancel_launch(transaction, each, now=LATER).status for each in (1, 2)]

    assert statuses == ["failed", "cancelled"]
    assert state.cancel_launch(transaction, 3, now=LATER) is None
    assert _claim(transaction, TWO) is None


def test_fresh_work_and_backfills_share_a_single_slot(transaction):
    for request in [MANUAL] * 20 + [BACKFILL] * 20:
        state.enqueue(transaction, request, now=NOW)
    origins = []

    for _ in range(16):
        launch = _claim(transaction, slots=1)
        origins.append(launch.request.origin)
        state.finish_launch(transaction, launch, status="succeeded", now=NOW)

    assert origins.count("backfill") == 4
    assert "backfill" in origins[:4]


def test_listings_tell_apart_by_status_origin_and_source(transaction):
    for request in (MANUAL, BACKFILL, replace(BACKFILL, source="2")):
        state.enqueue(transaction, request, now=NOW)
    _claim(transaction)

    assert [each.id for each in state.launches(transaction, origin="backfill")] == [3, 2]
    assert [each.id for each in state.launches(transaction, origin="backfill", source="2")] == [3]
    assert [each.id for each in state.launches(transaction, status="running")] == [1]
    assert [each.id for each in state.launches(transaction, limit=1)] == [3]
    assert state.queue_depth(transaction) == {"queued": 2, "running": 1}
