# SPDX-License-Identifier: Apache-2.0
"""Schedules through a server: exactly one launch a tick, whoever leads."""

from __future__ import annotations

import pytest

from mainstem import state

CRON = "name: shop\njobs:\n  hourly: {select: one, cron: '0 * * * *', catchup: all}\n"


@pytest.fixture
def scheduled(folder):
    (folder / "mainstem.yml").write_text(CRON)
    return folder


def _turns(server, count=20):
    """Turn by hand until the triggers' threads have answered; gives the launches."""
    for _ in range(count):
        server.loop.turn()
        for entry in server._triggers._entries:
            if entry.turn is not None:
                entry.turn.exception(timeout=30)
    with server.database.read() as transaction:
        return state.launches(transaction)


def _clocked(open_server, clock):
    # Runs need real time; here only what is launched matters.
    server = open_server(clock=clock, lease_s=15)
    server._launcher.start = lambda launch: None
    return server


def test_a_tick_launches_its_job_once(scheduled, open_server, clock):
    server = _clocked(open_server, clock)
    assert _turns(server) == []

    clock.pass_s(3600)
    launches = _turns(server)
    clock.pass_s(60)

    assert [(one.request.origin, one.request.job) for one in launches] == [("schedule", "hourly")]
    assert launches[0].request.logical_time == clock.now().replace(minute=0)
    assert len(_turns(server)) == 1


def test_two_servers_that_change_the_lead_all_day_tick_once_an_hour(scheduled, open_server, clock):
    servers = [_clocked(open_server, clock) for _ in range(2)]
    _turns(servers[0])

    for hour in range(24):
        awake = servers[hour % 2]
        for _ in range(4):
            clock.pass_s(900)
            launches = _turns(awake, 3)

    keys = [launch.request.run_key for launch in launches]
    assert (len(keys), len(set(keys))) == (24, 24)


@pytest.mark.parametrize("jump_s", [-7200, -90, 7200])
def test_a_clock_that_jumps_doubles_no_tick(scheduled, open_server, clock, jump_s):
    server = _clocked(open_server, clock)
    _turns(server)
    clock.pass_s(3600)
    _turns(server)

    clock.jump(jump_s)
    for _ in range(16):
        clock.pass_s(900)
        launches = _turns(server, 3)

    keys = [launch.request.run_key for launch in launches]
    assert len(keys) == len(set(keys))
    assert len(keys) >= 3


def test_a_job_that_comes_with_an_edit_is_scheduled_from_then_on(scheduled, open_server, clock):
    server = _clocked(open_server, clock)
    _turns(server)
    (scheduled / "mainstem.yml").write_text(CRON + "  second: {select: two, cron: '30 * * * *'}\n")

    server.reload()
    _turns(server)
    clock.pass_s(1800)

    assert [launch.request.job for launch in _turns(server)] == ["second"]


def test_a_server_that_leads_again_knows_its_jobs_though_another_had_older_files(
    scheduled, open_server, clock
):
    older = _clocked(open_server, clock)
    (scheduled / "mainstem.yml").write_text(CRON + "  second: {select: two, cron: '30 * * * *'}\n")
    newer = _clocked(open_server, clock)
    for server in (newer, older):
        _turns(server, 3)
        server._leadership.give_up()
    _turns(newer, 3)

    clock.pass_s(1800)

    assert [launch.request.job for launch in _turns(newer)] == ["second"]


def test_a_scheduled_job_runs_by_itself(folder, open_server, watch):
    (folder / "mainstem.yml").write_text(
        "name: shop\njobs:\n"
        "  often: {select: one, every: 1s, retries: 1, publish: all_or_nothing}\n"
    )
    server = open_server()
    server.start()
    events = watch(server, after=0)

    first = events.until("launch", "finished", status="succeeded")

    with server.database.read() as transaction:
        launch = state.launch_of(transaction, first.launch_id)
        run = state.run_of(transaction, launch.run_id)
    assert (launch.request.origin, launch.request.source) == ("schedule", "often")
    assert run.logical_time == launch.request.logical_time
