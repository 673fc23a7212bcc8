# SPDX-License-Identifier: Apache-2.0
"""What a server says, and how its queue reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mainstem import state
from mainstem.cli.render.look import PLAIN
from mainstem.cli.render.serve import event_lines, queue_lines
from mainstem.errors import SqlInvalid, Where
from mainstem.project import open_project
from mainstem.runs import RunFinished, RunStarted, StepFinished
from mainstem.service import ServerEvent
from mainstem.state import Launch, LaunchRequest
from mainstem.types import AssetKey

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
STARTED = RunStarted(
    run_id=7, environment="local", branch="main", step_count=3, check_count=0, started_at=NOW
)
HELD = StepFinished(key=AssetKey.parse("a.b"), status="held", reason="not_null(id)")
FAILED = StepFinished(
    key=AssetKey.parse("a.b"),
    status="failed",
    reason='syntax error near ",".',
    error=SqlInvalid("A7501", "no", where=Where(file="models/b.sql", line=8, column=14)),
)
FINISHED = RunFinished(run_id=7, status="failed", branch="main", elapsed_s=2.0)


def _event(topic, name, **more):
    return ServerEvent(number=1, at=NOW, topic=topic, name=name, **more)


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (_event("server", "standby"), ["stands by: another server leads"]),
        (
            _event("server", "troubled", facts={"summary": "The disk is full."}),
            ["in trouble: The disk is full."],
        ),
        (_event("launch", "queued", launch_id=3), []),
        (
            _event("launch", "finished", launch_id=3, facts={"status": "failed", "error": "no"}),
            ["fail launch 3 failed: no"],
        ),
        (_event("launch", "finished", launch_id=3, run_id=7, facts={"status": "failed"}), []),
        (
            _event("launch", "finished", launch_id=3, facts={"status": "succeeded"}),
            ["ok   launch 3 succeeded"],
        ),
        (
            _event("launch", "requeued", launch_id=3),
            ["skip launch 3 waits again: its server went away"],
        ),
        (
            _event("run", "RunStarted", launch_id=3, run_id=7, run_event=STARTED),
            ["run 7 began: launch 3, 3 steps for main"],
        ),
        (
            _event("run", "StepFinished", run_id=7, run_event=HELD),
            ["fail run 7 a.b held: not_null(id)"],
        ),
        (
            _event("run", "StepFinished", run_id=7, run_event=FAILED),
            ['fail run 7 a.b failed: syntax error near ",". (models/b.sql:8:14)'],
        ),
        (
            _event("run", "RunFinished", run_id=7, run_event=FINISHED),
            ["fail run 7 failed in 2.0 s, 0 assets published"],
        ),
        (
            _event("project", "reloaded", facts={"files": ["models/a.sql"], "problems": []}),
            ["ok   models/a.sql reloaded"],
        ),
        (
            _event("project", "broken", facts={"files": [], "problems": [{}, {}]}),
            ["fail project: 2 errors; what was loaded before stays in use"],
        ),
        (
            _event("trigger", "failed", facts={"trigger": "sensor inbox", "error": "no"}),
            ["fail sensor inbox: no"],
        ),
        (_event("backfill", "changed"), []),
    ],
)
def test_a_server_says_what_a_person_wants_to_know(event, lines):
    assert event_lines(event, PLAIN) == lines


def test_the_queue_says_who_asked_for_what_and_what_it_became():
    launch = Launch(
        id=3,
        request=LaunchRequest(origin="schedule", source="nightly", job="nightly", branch="trial"),
        status="running",
        requested_at=NOW,
        run_id=7,
        cancel_requested=True,
    )

    lines = queue_lines([launch], PLAIN, now=NOW)

    assert "running (stopping)  schedule nightly" in lines[1]
    assert "nightly on trial" in lines[1]
    assert lines[1].endswith("run 7")


def test_queue_lists_and_cancels(shop, mainstem):
    with open_project(shop) as project, project.services.database.write() as transaction:
        state.enqueue(transaction, LaunchRequest(origin="manual"), now=project.clock.now())

    listed = mainstem("queue", "--json")
    cancelled = mainstem("queue", "cancel", "1")
    nothing = mainstem("queue", "cancel", "2")

    assert [launch["status"] for launch in listed.document] == ["queued"]
    assert (cancelled.code, cancelled.out) == (0, "launch 1 is cancelled\n")
    assert (nothing.code, "A6406" in nothing.err) == (1, True)
    assert "cancelled" in mainstem("queue", "list", "--status", "cancelled").out


def test_an_empty_queue_is_no_error(shop, mainstem):
    done = mainstem("queue")

    assert (done.code, done.out) == (0, "")
    assert "No launches yet" in done.err


def test_a_server_that_others_can_reach_wants_a_token_first(shop, mainstem):
    done = mainstem("serve", "--host", "0.0.0.0", "--port", "0")

    assert done.code == 1
    assert "A6403" in done.err
