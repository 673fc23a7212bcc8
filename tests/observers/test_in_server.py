# SPDX-License-Identifier: Apache-2.0
"""A server delivers alerts beside its loop: those of its own runs, and those that others left."""

from dataclasses import replace

import pytest

import mainstem
from mainstem import state
from mainstem.runs import own_identity
from mainstem.service import Server
from mainstem.service.courier import Courier
from mainstem.state import LaunchRequest


@pytest.fixture
def folder(tmp_path, receiver):
    (tmp_path / "mainstem.yml").write_text(
        "name: shop\n"
        "alerts:\n"
        f"  hook: {{type: webhook, url: '{receiver.url}'}}\n"
        f"  only: {{type: webhook, url: '{receiver.url}'}}\n"
        "jobs: {noisy: {select: main.one, alert: [only]}}\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models/one.sql").write_text(
        "/* ---\nmaterialized: table\n--- */\nselect error('broken') as a\n"
    )
    return tmp_path


def test_a_failed_launch_is_told_to_those_of_its_job_and_to_those_of_none(folder, receiver):
    with Server(folder) as server:
        server.launch(LaunchRequest(origin="manual", job="noisy", select=("main.one",)))
        while len(receiver.received) < 2:
            receiver.arrived.clear()
            assert receiver.arrived.wait(60)

    assert sorted(body["alert"] for body in receiver.received) == ["hook", "only"]
    assert {body["job"] for body in receiver.received} == {"noisy"}


def test_what_a_command_left_behind_is_delivered_by_the_next_server(folder, receiver):
    with mainstem.open(folder) as project:
        project.run()
    before = list(receiver.received)
    with Server(folder):
        assert receiver.arrived.wait(60)

    assert before == []
    assert [body["alert"] for body in receiver.received] == ["hook"]


def _die_with_a_launch(project, request, *, times):
    """Let servers claim a launch and die, as often as it survives; the last is not noticed yet."""
    gone = replace(own_identity(), owner="gone", process_started="1")
    with project.services.database.write() as transaction:
        now = project.clock.now()
        state.enqueue(transaction, request, now=now)
        for left in reversed(range(times)):
            options = {"process": gone, "slots": 9, "now": now, "expires_at": now}
            launch = state.claim_launch(transaction, **options)
            if left:
                state.requeue_launch(transaction, launch, not_before=now)


def test_a_launch_whose_servers_died_too_often_is_told_though_it_never_became_a_run(
    folder, receiver
):
    request = LaunchRequest(origin="webhook", source="paid", run_key="d1", select=("main.one",))
    with mainstem.open(folder) as project:
        _die_with_a_launch(project, request, times=project.settings.serve.attempts)
    with Server(folder):
        assert receiver.arrived.wait(60)
    with mainstem.open(folder) as project, project.services.database.read() as transaction:
        launch = state.launch_of(transaction, 1)

    why = "the server died 3 times while it ran"
    assert (launch.status, launch.attempts, launch.error) == ("lost", 3, why)
    said = f"{why}; it is not begun again"
    assert [(body["alert"], body["error"]) for body in receiver.received] == [
        ("hook", f"launch 1 (webhook paid) is lost: {said}")
    ]


def test_a_courier_stops_after_the_message_that_is_under_way():
    sent = []

    def deliver(limit):
        sent.append(limit)
        courier._stops.set()
        return 1, 0

    courier = Courier(deliver)
    courier.call()
    courier.close()

    assert sent in ([], [1])
