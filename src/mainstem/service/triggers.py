# SPDX-License-Identifier: Apache-2.0
"""Asks triggers when they are due: each in a thread of its own, so that one that hangs is alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainstem.errors import LeaseLost
from mainstem.service.bus import EventBus
from mainstem.service.trigger import LeaderWrite, Trigger
from mainstem.types import Clock

_AFTER_FAILURE = timedelta(seconds=30)
_MOST_THREADS = 64


@dataclass(slots=True)
class _Entry:
    trigger: Trigger
    due: datetime | None
    turn: Future[datetime | None] | None = None
    is_called: bool = False
    """Asked for while its turn went on."""


class Triggers:
    """All triggers of the project in force.

    Args:
        write: The leader's transactions.
        clock: Source of time.
        bus: Told of triggers that fail.
        wake: Called from any thread when a turn is over.
    """

    def __init__(
        self, write: LeaderWrite, *, clock: Clock, bus: EventBus, wake: Callable[[], None]
    ) -> None:
        self._write = write
        self._clock = clock
        self._bus = bus
        self._wake = wake
        self._entries: list[_Entry] = []
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="trigger")

    def replace(self, triggers: Sequence[Trigger]) -> None:
        """Ask these from now on, each at once; turns of others that go on are left to end."""
        now = self._clock.now()
        self._entries = [_Entry(trigger, now) for trigger in triggers]

    def call(self, *, of_runs: bool = False) -> None:
        """Let all be asked at once; only those that listen for runs, if a run has ended."""
        now = self._clock.now()
        for entry in self._entries:
            if entry.trigger.hears_runs or not of_runs:
                entry.is_called = entry.turn is not None
                entry.due = now

    def turn(self) -> datetime | None:
        """Ask those that are due, and take what others answered.

        Returns:
            When the next one is due; nothing if none is.
        """
        now = self._clock.now()
        for entry in self._entries:
            if entry.turn is not None and entry.turn.done():
                self._take(entry, entry.turn, now)
            if entry.turn is None and entry.due is not None and entry.due <= now:
                entry.due = None
                entry.turn = self._threads.submit(entry.trigger.turn, self._write, now)
                entry.turn.add_done_callback(lambda _: self._wake())
        return min((e.due for e in self._entries if e.due is not None), default=None)

    def close(self) -> None:
        """Ask nobody any more; a turn that hangs dies with the process."""
        self._entries = []
        self._threads.shutdown(wait=False)

    def _take(self, entry: _Entry, turn: Future[datetime | None], now: datetime) -> None:
        error = turn.exception()
        if error is None:
            entry.due = turn.result()
        else:
            entry.due = now + _AFTER_FAILURE
            if not isinstance(error, LeaseLost):
                facts = {"trigger": entry.trigger.name, "error": str(error)[:2000]}
                self._bus.publish("trigger", "failed", facts=facts)
        if entry.is_called:
            entry.due, entry.is_called = now, False
        entry.turn = None
