# SPDX-License-Identifier: Apache-2.0
"""One leader at a time, whatever clocks and processes do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainstem import state
from mainstem.database import open_database
from mainstem.errors import LeaseLost
from mainstem.service.leadership import Leadership
from mainstem.state import ProcessIdentity

ONE = ProcessIdentity(owner="one", host="elsewhere", boot_id="b", pid=7, process_started="99")
TWO = replace(ONE, owner="two", pid=8)


@pytest.fixture
def database(database_url):
    opened = open_database(database_url)
    opened.migrate((*state.LEADER_MIGRATIONS, *state.LAUNCH_MIGRATIONS))
    yield opened
    opened.close()


@pytest.fixture
def servers(database, clock):
    dead = set()
    made = [
        Leadership(
            database, process, clock=clock, lease_s=15, is_dead=lambda other: other.owner in dead
        )
        for process in (ONE, TWO)
    ]
    return (*made, dead)


def _pass(clock, seconds, *servers):
    """Let time pass, with every server doing its turns."""
    for _ in range(seconds):
        clock.pass_s(1)
        for server in servers:
            server.keep()


def test_the_first_leads_and_the_second_stands_by(servers, clock):
    one, two, _dead = servers

    assert (one.keep(), two.keep()) == (True, False)
    _pass(clock, 120, one, two)
    assert (one.leads, two.leads, one.fence) == (True, False, 1)
    assert two.leader.process == ONE


def test_a_silent_leader_is_taken_over_when_its_lease_is_over(servers, clock):
    one, two, _dead = servers
    one.keep()

    _pass(clock, 14, two)
    assert not two.leads
    _pass(clock, 2, two)

    assert (two.leads, two.fence) == (True, 2)


def test_a_dead_leader_is_taken_over_at_once(servers):
    one, two, dead = servers
    one.keep()
    two.keep()

    dead.add("one")

    assert two.keep()


def test_a_zombie_writes_nothing_and_stands_by_when_it_wakes(servers, clock, database):
    one, two, _dead = servers
    one.keep()
    _pass(clock, 20, two)
    assert one.leads, "it does not know yet"

    with pytest.raises(LeaseLost), one.write() as transaction:
        state.enqueue(transaction, state.LaunchRequest(origin="schedule"), now=clock.now())

    assert not one.leads
    with database.read() as transaction:
        assert state.launches(transaction) == []


def test_a_zombie_that_only_renews_steps_down(servers, clock):
    one, two, _dead = servers
    one.keep()
    _pass(clock, 20, two)

    assert not one.keep()
    assert two.keep()


@pytest.mark.parametrize("seconds", [-7200, 7200, 86_400 * 365])
def test_a_wall_clock_that_jumps_changes_no_leader(servers, clock, seconds):
    one, two, _dead = servers
    _pass(clock, 5, one, two)

    clock.jump(seconds)
    _pass(clock, 60, one, two)

    assert (one.leads, two.leads, one.fence) == (True, False, 1)


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_silent_leader_is_noticed_whatever_the_wall_clock_says(servers, clock, seconds):
    one, two, _dead = servers
    _pass(clock, 5, one, two)

    clock.jump(seconds)
    _pass(clock, 16, two)

    assert two.leads


def test_a_leader_that_steps_down_is_followed_at_once(servers):
    one, two, _dead = servers
    one.keep()
    two.keep()

    one.give_up()

    assert two.keep()
    assert not one.keep()


def test_two_that_take_over_at_once_do_not_both_lead(servers, clock, database):
    one, two, dead = servers
    one.keep()
    three = Leadership(
        database,
        replace(ONE, owner="three"),
        clock=clock,
        lease_s=15,
        is_dead=lambda other: other.owner in dead,
    )
    dead.add("one")

    assert [two.keep(), three.keep()] == [True, False]
