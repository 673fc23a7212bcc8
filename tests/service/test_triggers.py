# SPDX-License-Identifier: Apache-2.0
"""Triggers are asked when due, alone, and one that fails or hangs disturbs nobody."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from mainstem.service import EventBus
from mainstem.service.triggers import Triggers


@dataclass
class Scripted:
    name: str = "scripted"
    hears_runs: bool = False
    answers: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def turn(self, write, now):
        self.asked.append(now)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return now + timedelta(seconds=answer) if answer else None


class Hanging(Scripted):
    def __init__(self):
        super().__init__(name="hanging")
        self.goes_on = threading.Event()

    def turn(self, write, now):
        self.asked.append(now)
        self.goes_on.wait(30)


@pytest.fixture
def rig(clock):
    bus, woken = EventBus(clock), threading.Semaphore(0)
    triggers = Triggers(lambda: None, clock=clock, bus=bus, wake=woken.release)
    yield triggers, woken, bus
    triggers.close()


def _turn(triggers, woken, ends=1):
    triggers.turn()
    for _ in range(ends):
        assert woken.acquire(timeout=30)
    return triggers.turn()


def test_a_trigger_is_asked_when_it_said(rig, clock):
    triggers, woken, _bus = rig
    scripted = Scripted(answers=[60])
    triggers.replace([scripted])

    due = _turn(triggers, woken)
    clock.pass_s(59)
    triggers.turn()
    clock.pass_s(1)
    _turn(triggers, woken)

    assert due == scripted.asked[0] + timedelta(seconds=60)
    assert [asked - scripted.asked[0] for asked in scripted.asked] == [
        timedelta(0),
        timedelta(seconds=60),
    ]


def test_only_those_that_listen_are_asked_when_a_run_ends(rig):
    triggers, woken, _bus = rig
    listens, sleeps = Scripted(hears_runs=True), Scripted()
    triggers.replace([listens, sleeps])
    _turn(triggers, woken, ends=2)

    triggers.call(of_runs=True)
    _turn(triggers, woken)

    assert (len(listens.asked), len(sleeps.asked)) == (2, 1)


def test_a_trigger_that_fails_is_told_and_asked_again_later(rig, clock):
    triggers, woken, bus = rig
    seen = bus.subscribe()
    failing = Scripted(answers=[ValueError("no")])
    triggers.replace([failing])

    due = _turn(triggers, woken)

    assert due - clock.now() == timedelta(seconds=30)
    assert [(e.name, e.facts["error"]) for e in seen.wait()] == [("failed", "no")]


def test_a_trigger_that_hangs_is_not_asked_twice_and_delays_nobody(rig, clock):
    triggers, woken, _bus = rig
    hanging, other = Hanging(), Scripted(answers=[1, 1])
    triggers.replace([hanging, other])

    _turn(triggers, woken)
    triggers.call()
    clock.pass_s(1)
    _turn(triggers, woken)
    asked = len(hanging.asked)
    hanging.goes_on.set()
    assert woken.acquire(timeout=30)
    triggers.turn()
    triggers.turn()

    assert asked == 1
    assert len(other.asked) == 2
    assert woken.acquire(timeout=30), "it was called while it hung, so it is asked once more"
    assert len(hanging.asked) == 2
