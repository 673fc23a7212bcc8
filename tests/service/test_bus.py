# SPDX-License-Identifier: Apache-2.0
"""Events reach every reader in order, and no reader holds the server up."""

from __future__ import annotations

import threading

import pytest

from mainstem.runs import StepLogged
from mainstem.service import EventBus
from mainstem.types import AssetKey


@pytest.fixture
def bus(clock):
    return EventBus(clock, history=5)


def _numbers(subscription):
    return [event.number for event in subscription.wait()]


def test_every_reader_gets_all_events_in_order(bus):
    first, second = bus.subscribe(), bus.subscribe()

    for _ in range(3):
        bus.publish("server", "leading")

    assert _numbers(first) == _numbers(second) == [1, 2, 3]
    assert _numbers(first) == []


def test_a_filter_leaves_out_what_is_not_wanted(bus):
    with bus.subscribe(lambda event: event.launch_id == 2) as subscription:
        for launch_id in (1, 2, 3):
            bus.publish("launch", "queued", launch_id=launch_id)

        assert [event.launch_id for event in subscription.wait()] == [2]


def test_a_slow_reader_loses_the_oldest_and_is_told(bus):
    subscription = bus.subscribe()
    small = EventBus.subscribe(bus, limit=2)

    for _ in range(5):
        bus.publish("server", "leading")

    assert _numbers(small) == [4, 5]
    assert small.dropped == 3
    assert subscription.dropped == 0


def test_a_reader_that_comes_back_gets_what_it_missed(bus):
    for _ in range(8):
        bus.publish("server", "leading")

    assert _numbers(bus.subscribe(after=6)) == [7, 8]
    assert _numbers(bus.subscribe(after=0)) == [4, 5, 6, 7, 8]
    assert _numbers(bus.subscribe()) == []


def test_a_waiting_reader_wakes_when_something_comes_and_when_it_is_over(bus):
    subscription = bus.subscribe()
    found = []
    reader = threading.Thread(target=lambda: found.append(subscription.wait(30)))
    reader.start()

    bus.publish("project", "reloaded")
    reader.join(30)
    last = threading.Thread(target=lambda: found.append(subscription.wait(30)))
    last.start()
    bus.close()
    last.join(30)

    assert [event.name for event in found[0]] == ["reloaded"]
    assert found[1] == ()
    assert subscription.is_closed


def test_a_reader_that_blocks_no_thread_is_notified(bus):
    rings = []
    with bus.subscribe(notify=lambda: rings.append(1)):
        bus.publish("server", "leading")

        assert rings == [1]


def test_a_closed_subscription_costs_nothing_more(bus):
    subscription = bus.subscribe()
    subscription.close()

    bus.publish("server", "leading")

    assert _numbers(subscription) == []


def test_a_flood_of_output_keeps_little_memory(bus):
    line = StepLogged(key=AssetKey.parse("a.b"), stream="stdout", text="x" * 1_000_000)
    subscription = bus.subscribe()

    bus.publish("run", "StepLogged", run_event=line)

    assert len(subscription.wait()[0].run_event.text) < 5_000
