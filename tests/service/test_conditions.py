# SPDX-License-Identifier: Apache-2.0
"""Conditions, sensors and promises through a server that really runs what they launch."""

from __future__ import annotations

import pytest

from mainstem import state
from mainstem.errors import DatabaseUnavailable
from mainstem.observers import alerts
from mainstem.state import LaunchRequest

EAGER = "/* ---\nmaterialized: table\nrun_when: eager\n--- */\nselect a from one\n"


def test_an_asset_that_is_eager_follows_its_input(folder, open_server, watch):
    (folder / "models/one.sql").write_text("/* ---\nmaterialized: table\n--- */\nselect 1 as a")
    (folder / "models/two.sql").write_text(EAGER)
    server = open_server()
    server.start()
    events = watch(server, after=0)

    first = server.launch(LaunchRequest(origin="manual", select=("one",)))
    events.until("launch", "finished", launch_id=first.id, status="succeeded")
    followed = events.until("launch", "finished", status="succeeded")

    with server.database.read() as transaction:
        launch = state.launch_of(transaction, followed.launch_id)
        steps = state.steps(transaction, launch.run_id)
    assert launch.request.origin == "condition"
    assert [(str(step.key), step.status) for step in steps] == [("main.two", "built")]
    assert list(launch.request.cause["facts"]) == ["main.two"]


def test_a_sensor_launches_and_its_variables_reach_the_run(folder, open_server, watch):
    (folder / "models/one.sql").write_text("select {{ var('number', 0) }} as a")
    (folder / "sensors").mkdir()
    (folder / "sensors/mail.py").write_text(
        "from mainstem import Cursor, RunRequest, sensor\n"
        "@sensor(every='1s', select='one')\n"
        "def letters(cursor):\n"
        "    if not cursor:\n"
        "        yield RunRequest(run_key='first', vars={'number': 7})\n"
        "        yield Cursor(1)\n"
    )
    server = open_server()
    server.start()
    events = watch(server, after=0)

    events.until("launch", "finished", status="succeeded")

    assert server.project.sql("select a from one").to_pydict() == {"a": [7]}


def test_what_was_promised_is_late_through_the_server(folder, open_server, clock):
    (folder / "models/two.sql").write_text(
        "/* ---\nmaterialized: table\nfreshness: {within: 1h}\n--- */\nselect a from one\n"
    )
    server = open_server(clock=clock, lease_s=15)

    def turn():
        for _ in range(10):
            server.loop.turn()
            for entry in server._triggers._entries:
                if entry.turn is not None:
                    entry.turn.exception(timeout=30)
        (standing,) = server.project.automation.promises.all()
        return standing.freshness.status

    assert turn() == "unknown"
    clock.pass_s(3700)
    assert turn() == "late"


def test_lateness_that_could_not_be_told_is_told_at_the_next_look(folder, open_server, clock):
    (folder / "mainstem.yml").write_text(
        "name: shop\nalerts:\n  oncall: {type: webhook, url: 'http://localhost:1/'}\n"
    )
    (folder / "models/two.sql").write_text(
        "/* ---\nmaterialized: table\nfreshness: {within: 1h}\n--- */\nselect a from one\n"
    )
    project = open_server(clock=clock).project
    promises, recording = project.automation.promises, project.recording

    class Away:
        def tell_late(self, *args, **options):
            raise DatabaseUnavailable("A5060", "The database is away.")

    def turn():
        promises.turn(project.services.database.write, clock.now())

    turn()
    clock.pass_s(3700)
    promises._recording = Away()
    with pytest.raises(DatabaseUnavailable):
        turn()
    promises._recording = recording
    turn()
    turn()

    with project.services.database.read() as transaction:
        assert [alert.event for alert in alerts(transaction)] == ["late"]


def test_the_partitions_of_a_job_and_of_a_run_request_reach_the_run(folder, open_server, watch):
    (folder / "models/one.sql").write_text(
        "/* ---\nmaterialized: incremental\n"
        "partitions: {static: [eu, us, asia], column: region}\n--- */\n"
        "select * from (values ('eu', 1), ('us', 2), ('asia', 3)) as given(region, a)"
    )
    server = open_server()
    server.start()
    events = watch(server, after=0)
    request = LaunchRequest(origin="sensor", select=("one",), partitions={"main.one": "us"})

    launched = server.launch(request)
    events.until("launch", "finished", launch_id=launched.id, status="succeeded")

    assert server.project.sql("select region from one").to_pydict() == {"region": ["us"]}
