# SPDX-License-Identifier: Apache-2.0
"""Where a run hears from its threads, its timers, and from whoever wants it to stop."""

from __future__ import annotations

import heapq

from mainstem.errors import MainstemError
from mainstem.runs.moves import Event, GateMoment
from mainstem.runs.step import StepOutcome
from mainstem.runs.workers import Post
from mainstem.state import ControlRequest
from mainstem.types import CheckResult, Clock, Usage, dataclass


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """A step's thread has come back."""

    step: int
    attempt: int
    outcome: StepOutcome | None
    error: MainstemError | None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class GatesDone:
    """All gates of one moment of a step were evaluated."""

    step: int
    moment: GateMoment
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C, or a request to cancel."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asks something of the run, from wherever they are."""

    request: ControlRequest


@dataclass(frozen=True, slots=True)
class Lost:
    """The leases are gone."""

    error: MainstemError


@dataclass(frozen=True, slots=True)
class SlotLost:
    """A step's slot was given to another run, because this one did not renew it in time."""

    asset: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """An attempt has taken as long as it may."""

    step: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """A timed out attempt did not stop within its grace."""

    step: int
    attempt: int


Message = (
    AttemptDone | GatesDone | Interrupted | Asked | Lost | SlotLost | TimedOut | Overdue | Event
)


class Inbox:
    """Messages with timers; put from any thread or signal handler, read by the run's own."""

    def __init__(self, clock: Clock, post: Post) -> None:
        self._clock = clock
        self._post = post
        self._timers: list[tuple[float, int, Message]] = []
        self._count = 0

    def put(self, message: Message) -> None:
        """Send a message now."""
        self._post.put(message)

    def after(self, delay_s: float, message: Message) -> None:
        """Send a message later; only by the run's own thread."""
        self._count += 1
        due = self._clock.monotonic_s() + delay_s
        heapq.heappush(self._timers, (due, self._count, message))

    def wait(self, *, is_idle: bool) -> list[Message]:
        """Give what arrived or became due, at least one message.

        Args:
            is_idle: No thread works, so nothing but timers can come.
        """
        try:
            return self._wait(is_idle=is_idle)
        except KeyboardInterrupt:
            # Nobody installed a handler: a program that embeds us.
            return [Interrupted()]

    def _wait(self, *, is_idle: bool) -> list[Message]:
        while True:
            found: list[Message] = []
            now = self._clock.monotonic_s()
            while self._timers and self._timers[0][0] <= now:
                found.append(heapq.heappop(self._timers)[2])
            if found:
                return [*found, *self._post.take()]
            left = self._timers[0][0] - now if self._timers else None
            found += self._post.wait(left, is_idle=is_idle)
            if found:
                return found
