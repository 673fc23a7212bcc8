# SPDX-License-Identifier: Apache-2.0
"""Many things at once in virtual time: threads of which one works while all others wait.

Whoever waits hands its turn to the one whose moment comes first, and the clock passes to that
moment. So a world with the same seed is the same, and nothing in it waits for the machine.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, Literal

from mainstem.runs import Boundary, Post
from mainstem.testing.simulation.clock import VirtualClock
from mainstem.testing.simulation.crash import ServerDied

_LONGEST_NAP_S = 60.0
"""Who asks again and again asks once in a minute though nothing has happened: leases expire."""

_Wait = Literal["sleep", "nap", "over-nap", "call"]


@dataclass(slots=True, eq=False)
class _Actor:
    """A thread, and what it does now."""

    owner: str = ""
    """The server whose work it does."""
    job: Callable[[], None] | None = None
    is_doomed: bool = False
    entry: int = 0
    """Its place on the agenda; others that name it are void."""
    happened: int = 0
    """What had happened when it began its nap."""
    gate: threading.Lock = field(default_factory=threading.Lock)
    """Held until it is its turn."""

    def __post_init__(self) -> None:
        self.gate.acquire()


@dataclass(slots=True, eq=False)
class _Beat:
    """Something that is done again and again."""

    act: Callable[[float], bool]
    every_s: float
    owner: str
    last_s: float


class Turns:
    """Who works, and when the others will.

    Args:
        clock: Passes by what is waited for.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._main = _Actor()
        self._current = self._main
        self._agenda: list[tuple[float, int, _Actor, _Wait, float]] = []
        self._count = 0
        self._happened = 0
        self._beats: list[_Beat] = []
        self._caller = _Actor()
        """No thread: stands on the agenda for what `call` was given."""
        self._nobody = _Actor()
        """Its moments come, and that is all."""
        self._called: Callable[[], None] = _nothing
        self._is_calling = False
        self._free: list[_Actor] = []
        self.threads: list[threading.Thread] = []
        """All that were ever needed."""
        self._busy: set[_Actor] = set()
        self._failure: BaseException | None = None
        clock.wait_by(self.nap)

    @property
    def clock(self) -> VirtualClock:
        """The time of the world."""
        return self._clock

    def submit(self, job: Callable[[], None], owner: str) -> None:
        """Let a job be done beside all others, beginning now."""
        actor = self._free.pop() if self._free else self._hire()
        actor.owner, actor.job, actor.is_doomed = owner, job, False
        self._busy.add(actor)
        self._enter(actor, self._clock.monotonic_s(), "sleep")

    def sleep(self, seconds: float) -> None:
        """Let so much time pass; `waker` ends it earlier."""
        self._enter(self._current, self._clock.monotonic_s() + max(seconds, 0.0), "sleep")
        self._hand_over()

    def nap(self, seconds: float) -> None:
        """Wait before asking again: for longer if nothing happens that could change the answer."""
        actor = self._current
        actor.happened = self._happened
        self._enter(actor, self._clock.monotonic_s() + seconds, "nap", seconds)
        self._hand_over()

    def wait(self) -> None:
        """Wait until `waker` is called."""
        self._current.entry = 0
        self._hand_over()

    def call(self, act: Callable[[], None], at_s: float) -> None:
        """Have something done at a moment, in place of what was to be called before.

        By whichever thread has its turn then: it must not wait.
        """
        self._called = act
        self._enter(self._caller, max(at_s, self._clock.monotonic_s()), "call")

    def linger(self, seconds: float) -> None:
        """Let the next so many seconds pass one by one, as for those who look at the time."""
        now_s = self._clock.monotonic_s()
        for number in range(1, ceil(seconds) + 1):
            self._enter(self._nobody, now_s + number, "nap")

    def waker(self) -> Callable[[], None]:
        """Give what wakes the one whose turn it is now, from its next wait."""
        return partial(self._wake, self._current)

    def wake_main(self) -> None:
        """Wake the thread of the test, if it waits."""
        self._wake(self._main)

    def repeat(
        self, act: Callable[[float], bool], every_s: float, owner: str
    ) -> Callable[[], None]:
        """Do something whenever so much time has passed, or more; see `Crew`."""
        beat = _Beat(act, every_s, owner, self._clock.monotonic_s())
        self._beats.append(beat)

        def end() -> None:
            if beat in self._beats:
                self._beats.remove(beat)

        return end

    def doom(self, owner: str) -> None:
        """Let all that a server does end where it is: each raises `ServerDied`."""
        self._beats = [beat for beat in self._beats if beat.owner != owner]
        for actor in sorted(self._busy, key=lambda one: one.entry):
            if actor.owner == owner and not actor.is_doomed:
                actor.is_doomed = True
                self._wake(actor)

    def close(self) -> None:
        """End all threads."""
        for owner in {actor.owner for actor in self._busy}:
            self.doom(owner)
        while self._busy:
            self.sleep(0.0)
        for actor in self._free:
            actor.job = None
            actor.gate.release()
        for thread in self.threads:
            thread.join()

    def _enter(self, actor: _Actor, due_s: float, how: _Wait, every_s: float = 0.0) -> None:
        self._count += 1
        actor.entry = self._count
        heapq.heappush(self._agenda, (due_s, self._count, actor, how, every_s))

    def _wake(self, actor: _Actor) -> None:
        # One that works now waits anew before it could be woken.
        if actor is self._main or actor in self._busy:
            self._enter(actor, self._clock.monotonic_s(), "sleep")

    def _hand_over(self) -> None:
        assert not self._is_calling, "what is called does not wait"
        actor = self._current
        following = self._next()
        if following is not actor:
            self._current = following
            following.gate.release()
            actor.gate.acquire()
        if actor.is_doomed:
            raise ServerDied
        if actor is self._main and self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _next(self) -> _Actor:
        """Give the one whose moment comes first, and let that moment come."""
        while True:
            due_s, entry, actor, how, every_s = heapq.heappop(self._agenda)
            if actor is self._nobody:
                self._pass_to(due_s)
            if actor.entry != entry or actor is self._nobody:
                continue
            if how == "nap" and actor.happened == self._happened:
                self._enter(actor, self._longer(due_s, every_s), "over-nap")
                continue
            self._pass_to(due_s)
            actor.entry = 0
            self._happened += how in {"sleep", "call"}
            if actor is not self._caller:
                return actor
            self._call()

    def _call(self) -> None:
        self._is_calling = True
        with Boundary() as boundary:
            self._called()
        self._is_calling = False
        if boundary.error is not None:
            self._fail(boundary.error)

    def _fail(self, error: BaseException) -> None:
        self._failure = error  # raised again in the test's thread
        self._wake(self._main)

    def _longer(self, due_s: float, every_s: float) -> float:
        """Give the first moment at which asking again may tell something new."""
        others = (
            moment_s
            for moment_s, entry, actor, how, _ in self._agenda
            if how in {"sleep", "call"} and actor.entry == entry
        )
        until_s = min(min(others, default=due_s + _LONGEST_NAP_S), due_s + _LONGEST_NAP_S)
        return due_s + ceil(max(until_s - due_s, 0.0) / every_s) * every_s

    def _pass_to(self, moment_s: float) -> None:
        self._clock.pass_to(moment_s)
        now_s = self._clock.monotonic_s()
        for beat in list(self._beats):
            passed_s = now_s - beat.last_s
            if passed_s >= beat.every_s and beat in self._beats:
                beat.last_s = now_s
                if not self._act(beat, passed_s) and beat in self._beats:
                    self._beats.remove(beat)

    def _act(self, beat: _Beat, passed_s: float) -> bool:
        try:
            return beat.act(passed_s)
        except ServerDied:
            return False

    def _hire(self) -> _Actor:
        actor = _Actor()
        name = f"simulated-{len(self.threads) + 1}"
        thread = threading.Thread(target=self._work, args=(actor,), name=name, daemon=True)
        self.threads.append(thread)
        thread.start()
        return actor

    def _work(self, actor: _Actor) -> None:
        while True:
            actor.gate.acquire()
            if actor.job is None:
                return
            with Boundary() as boundary:
                if not actor.is_doomed:
                    actor.job()
            if boundary.error is not None and not isinstance(boundary.error, ServerDied):
                self._fail(boundary.error)
            self._busy.discard(actor)
            actor.entry = 0
            self._free.append(actor)
            self._current = following = self._next()
            # Its own gate, if the next job is the next that it does.
            following.gate.release()


def _nothing() -> None:
    return


class SimulatedCrew:
    """Meets `Crew` for the runs of one server.

    Args:
        turns: Of the world.
        owner: The server.
    """

    def __init__(self, turns: Turns, owner: str) -> None:
        self._turns = turns
        self._owner = owner

    def post(self) -> Post:
        """Make a queue between those who take turns."""
        return _SimulatedPost(self._turns)

    def submit(self, job: Callable[[], None]) -> None:
        """Let a job be done beside the run."""
        self._turns.submit(job, self._owner)

    def repeat(self, act: Callable[[float], bool], every_s: float) -> Callable[[], None]:
        """Do something whenever so much time has passed, or more."""
        return self._turns.repeat(act, every_s, self._owner)

    def close(self) -> None:
        """Leave those who still work: they end by themselves."""


class _SimulatedPost:
    """Meets `Post`."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._messages: list[Any] = []
        self._wake: Callable[[], None] | None = None

    def put(self, message: Any) -> None:
        self._messages.append(message)
        if self._wake is not None:
            self._wake()

    def take(self) -> list[Any]:
        found, self._messages = self._messages, []
        return found

    def wait(self, timeout_s: float | None, *, is_idle: bool) -> list[Any]:
        del is_idle  # time passes in any case
        if not self._messages:
            self._wake = self._turns.waker()
            try:
                self._turns.wait() if timeout_s is None else self._turns.sleep(timeout_s)
            finally:
                self._wake = None
        return self.take()
