# SPDX-License-Identifier: Apache-2.0
"""Where a run hears from its threads, its timers, and from whoever wants it to stop."""

from __future__ import annotations

import heapq

from mainstem.errors import MainstemError
from mainstem.runs.descriptors import Descriptors
from mainstem.runs.moves import Event, GateMoment
from mainstem.runs.step import StepOutcome
from mainstem.runs.workers import Post
from mainstem.state import ControlRequest
from mainstem.types import CheckResult, Clock, Usage, dataclass

_YOUNG_S = 0.005
_MORE_S = 0.001


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """A step's thread has come back."""

    step: int
    attempt: int
    outcome: StepOutcome | None
    error: MainstemError | None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Audible:
    """There is something to hear of an attempt that no thread waits for."""

    step: int
    attempt: int


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
    AttemptDone
    | Audible
    | GatesDone
    | Interrupted
    | Asked
    | Lost
    | SlotLost
    | TimedOut
    | Overdue
    | Event
)


class Inbox:
    """Messages with timers; put from any thread or signal handler, read by the run's own."""

    def __init__(self, clock: Clock, post: Post) -> None:
        self._clock = clock
        self._post = post
        self._timers: list[tuple[float, int, Message]] = []
        self._count = 0
        self._descriptors: Descriptors[Message] | None = None
        """What else is waited for, once there was any."""
        self._listens_since_s = float("-inf")
        """When the latest of them was added."""

    def put(self, message: Message) -> None:
        """Send a message now."""
        self._post.put(message)
        if self._descriptors is not None:
            self._descriptors.wake()

    def listen(self, descriptor: int, message: Message) -> None:
        """Send a message once a descriptor is readable; only by the run's own thread."""
        if self._descriptors is None:
            self._descriptors = Descriptors()
        self._descriptors.add(descriptor, message)
        self._listens_since_s = self._clock.monotonic_s()

    def ignore(self, descriptor: int) -> None:
        """Listen no more; only by the run's own thread."""
        if self._descriptors is not None:
            self._descriptors.remove(descriptor)

    def close(self) -> None:
        """Give descriptors back; messages that come later are not heard."""
        descriptors, self._descriptors = self._descriptors, None
        if descriptors is not None:
            descriptors.close()

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
            if self._descriptors:
                found += self._heard(self._descriptors, left)
            else:
                found += self._post.wait(left, is_idle=is_idle)
            if found:
                return found

    def _heard(self, descriptors: Descriptors[Message], most_s: float | None) -> list[Message]:
        put: list[Message] = []

        def has_more() -> bool:
            put.extend(self._post.take())
            return bool(put)

        told = descriptors.wait(most_s, is_due=has_more)
        if told and descriptors:
            is_young = self._clock.monotonic_s() - self._listens_since_s < _YOUNG_S
            # Who is answered at once is soon followed by others: one turn for all of them.
            told += descriptors.wait(_MORE_S if is_young else 0.0, is_due=has_more)
        return [*told, *put, *self._post.take()]
