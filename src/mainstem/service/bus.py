# SPDX-License-Identifier: Apache-2.0
"""Events to whoever watches, without ever making the server wait: buffers are bounded.

A slow reader loses its oldest events and is told how many; a reader that comes back names the last
number it saw and gets what the history still has.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

from mainstem.runs import RunEvent, StepLogged
from mainstem.service.event import ServerEvent, Topic
from mainstem.types import Clock

Filter = Callable[[ServerEvent], bool]

_HISTORY = 2_000
_BUFFER = 1_000
_LINE = 4_096
"""Of one line of a log; all of it is in the run's log."""


class Subscription:
    """What one reader has not read yet; close it, or use it in a `with` block."""

    def __init__(
        self, bus: EventBus, matches: Filter | None, notify: Callable[[], None] | None, limit: int
    ) -> None:
        self._bus = bus
        self._matches = matches
        self._notify = notify
        self._waiting: deque[ServerEvent] = deque(maxlen=limit)
        self._arrived = threading.Condition()
        self._is_closed = False
        self.dropped = 0
        """Events that came while the buffer was full."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exit_info: object) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether no more will come."""
        return self._is_closed

    def wait(self, timeout_s: float = 0.0) -> tuple[ServerEvent, ...]:
        """Give all that came since the last call, waiting for the first; nothing when over."""
        with self._arrived:
            if not self._waiting and not self._is_closed and timeout_s > 0:
                self._arrived.wait(timeout_s)
            found = tuple(self._waiting)
            self._waiting.clear()
        return found

    def close(self) -> None:
        """Read no more."""
        self._bus.forget(self)
        with self._arrived:
            self._is_closed = True
            self._arrived.notify_all()
        if self._notify is not None:
            self._notify()

    def offer(self, event: ServerEvent) -> None:
        """Take an event if it is wanted; called by the bus."""
        if self._matches is not None and not self._matches(event):
            return
        with self._arrived:
            if len(self._waiting) == self._waiting.maxlen:
                self.dropped += 1
            self._waiting.append(event)
            self._arrived.notify_all()
        if self._notify is not None:
            self._notify()


class EventBus:
    """Takes events from any thread and hands them to all subscriptions."""

    def __init__(self, clock: Clock, *, history: int = _HISTORY) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._history: deque[ServerEvent] = deque(maxlen=history)
        self._subscriptions: list[Subscription] = []

    @property
    def last_number(self) -> int:
        """Number of the latest event."""
        return self._number

    def publish(
        self,
        topic: Topic,
        name: str,
        *,
        launch_id: int | None = None,
        run_id: int | None = None,
        run_event: RunEvent | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell everybody; never waits for a reader."""
        if isinstance(run_event, StepLogged) and len(run_event.text) > _LINE:
            run_event = replace(run_event, text=f"{run_event.text[:_LINE]} ...")
        with self._lock:
            self._number += 1
            event = ServerEvent(
                number=self._number,
                at=self._clock.now(),
                topic=topic,
                name=name,
                launch_id=launch_id,
                run_id=run_id,
                run_event=run_event,
                facts=facts or {},
            )
            self._history.append(event)
            # Within the lock, so that every reader sees the same order.
            for subscription in self._subscriptions:
                subscription.offer(event)

    def subscribe(
        self,
        matches: Filter | None = None,
        *,
        after: int | None = None,
        notify: Callable[[], None] | None = None,
        limit: int = _BUFFER,
    ) -> Subscription:
        """Watch from now on, or from behind an event that was seen before.

        Args:
            matches: Which events; all without. Must be quick, and must not publish.
            after: Number of the last event seen.
            notify: Called from any thread when something came, for readers that do not block a
                thread; must not wait.
            limit: Events to keep for a reader that is slow.
        """
        subscription = Subscription(self, matches, notify, limit)
        with self._lock:
            for event in self._history if after is not None else ():
                if after is not None and event.number > after:
                    subscription.offer(event)
            self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Serve a subscription no more."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """End all subscriptions."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()
