# SPDX-License-Identifier: Apache-2.0
"""What becomes of orphaned launches, and how a server stops: tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mainstem.config import ServeSettings
from mainstem.service.claims import judge_claim
from mainstem.service.stopping import Stop, next_stop
from mainstem.state import Launch, LaunchRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _launch(**options):
    return Launch(
        id=1,
        request=LaunchRequest(origin="manual"),
        status="running",
        requested_at=NOW,
        **{"attempts": 1, **options},
    )


@pytest.mark.parametrize(
    ("launch", "run", "holder", "settings", "verdict"),
    [
        ({}, "", "alive", {}, "keep"),
        ({}, "running", "alive", {}, "keep"),
        ({}, "", "dead", {}, "requeue"),
        ({}, "", "silent", {}, "requeue"),
        ({"run_id": 7}, "crashed", "dead", {}, "requeue"),
        ({"run_id": 7}, "crashed", "silent", {}, "requeue"),
        ({"run_id": 7}, "crashed", "dead", {"lost": "report"}, "lost"),
        # Nothing was begun, so nothing can be done twice: the policy is about runs.
        ({}, "", "dead", {"lost": "report"}, "requeue"),
        ({"run_id": 7, "attempts": 3}, "crashed", "dead", {}, "lost"),
        ({"attempts": 3}, "", "dead", {}, "lost"),
        ({"run_id": 7}, "succeeded", "dead", {}, "succeeded"),
        ({"run_id": 7}, "held", "silent", {}, "held"),
        ({"run_id": 7}, "failed", "dead", {}, "failed"),
        ({"run_id": 7, "cancel_requested": True}, "crashed", "dead", {}, "cancelled"),
        ({"run_id": 7, "cancel_requested": True}, "succeeded", "dead", {}, "succeeded"),
    ],
)
def test_an_orphaned_launch_ends_as_its_run_did_or_is_begun_again(
    launch, run, holder, settings, verdict
):
    found = judge_claim(_launch(**launch), run, holder=holder, settings=ServeSettings(**settings))

    assert found == verdict


def _stages(running, seconds, urgent_at=None, grace_s=30.0):
    stop, began = Stop(since_s=0, grace_s=grace_s), {}
    for now_s in range(seconds):
        is_urgent = urgent_at is not None and now_s >= urgent_at
        stop = next_stop(stop, now_s=now_s, running=running(now_s), is_urgent=is_urgent)
        began.setdefault(stop.stage, now_s)
    return list(began.items())


def test_an_idle_server_stops_at_once():
    assert _stages(lambda _: 0, 5) == [("over", 0)]


def test_runs_that_end_in_time_are_not_cancelled():
    assert _stages(lambda now: now < 10, 40) == [("waiting", 0), ("over", 10)]


def test_runs_that_go_on_are_cancelled_then_killed_then_left():
    assert _stages(lambda _: 1, 80) == [
        ("waiting", 0),
        ("cancelling", 30),
        ("killing", 40),
        ("over", 50),
    ]


def test_asked_twice_the_server_cancels_at_once():
    assert _stages(lambda now: now < 9, 40, urgent_at=5) == [
        ("waiting", 0),
        ("cancelling", 5),
        ("over", 9),
    ]
