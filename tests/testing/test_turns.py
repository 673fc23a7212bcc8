# SPDX-License-Identifier: Apache-2.0
"""Turns: many threads, one at a time, in virtual time."""

from datetime import UTC, datetime

import pytest

from mainstem.testing.simulation.clock import VirtualClock
from mainstem.testing.simulation.crash import ServerDied
from mainstem.testing.simulation.turns import SimulatedCrew, Turns


@pytest.fixture
def clock():
    return VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def turns(clock):
    turns = Turns(clock)
    yield turns
    turns.close()


@pytest.fixture
def told():
    return []


def _sleeper(turns, told, name, *seconds):
    def job():
        for each in seconds:
            turns.sleep(each)
            told.append((name, turns.clock.monotonic_s()))

    return job


def test_whose_moment_comes_first_goes_first(turns, told):
    turns.submit(_sleeper(turns, told, "a", 5, 5), "one")
    turns.submit(_sleeper(turns, told, "b", 2, 4), "one")
    turns.sleep(60)

    assert told == [("b", 2), ("a", 5), ("b", 6), ("a", 10)]
    assert turns.clock.monotonic_s() == 60


def test_who_asks_again_and_again_is_asked_when_something_has_happened(turns, told):
    def poll():
        for _ in range(4):
            turns.nap(0.25)
            told.append(turns.clock.monotonic_s())

    turns.submit(poll, "one")
    turns.submit(_sleeper(turns, [], "a", 10, 10.1), "one")
    turns.sleep(100)

    assert told == [0.25, 10, 20.25, 80.5]


def test_a_message_wakes_who_waits_for_it(turns, told):
    crew = SimulatedCrew(turns, "one")
    post = crew.post()

    def listen():
        told.append((post.wait(100, is_idle=False), turns.clock.monotonic_s()))
        told.append((post.wait(7, is_idle=True), turns.clock.monotonic_s()))

    crew.submit(listen)
    turns.sleep(3)
    post.put("hello")
    turns.sleep(60)

    assert told == [(["hello"], 3), ([], 10)]


def test_what_is_repeated_is_done_once_however_much_time_has_passed(turns, told):
    end = turns.repeat(lambda passed_s: told.append(passed_s) is None, 1.0, "one")
    turns.sleep(0.5)
    turns.sleep(30)
    end()
    turns.sleep(30)

    assert told == [30.5]


def test_all_that_a_dead_server_did_ends_where_it_is(turns, told):
    def wait():
        try:
            turns.sleep(100)
        except ServerDied:
            told.append(turns.clock.monotonic_s())
            raise

    turns.submit(wait, "one")
    turns.submit(_sleeper(turns, told, "other", 50), "two")
    turns.sleep(10)
    turns.doom("one")
    turns.sleep(90)

    assert told == [10, ("other", 50)]


def test_what_a_thread_raises_is_raised_in_that_of_the_test(turns):
    def fail():
        turns.sleep(5)
        raise KeyError("told to fail")

    turns.submit(fail, "one")

    with pytest.raises(KeyError):
        turns.sleep(100)


def test_a_job_after_another_needs_no_second_thread(turns, told):
    def next_one():
        turns.submit(_sleeper(turns, told, "b", 1), "one")

    turns.submit(_sleeper(turns, told, "a", 1), "one")
    turns.call(next_one, 10)
    turns.sleep(60)

    assert told == [("a", 1), ("b", 11)]
    assert len(turns.threads) == 1
