# SPDX-License-Identifier: Apache-2.0
"""A server delivers alerts beside its loop: those of its own runs, and those that others left."""

import pytest

import mainstem
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
