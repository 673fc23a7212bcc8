# SPDX-License-Identifier: Apache-2.0
"""Descriptors that a run waits for beside its queue: of attempts that other processes carry out."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from mainstem.runs.workers import LONGEST_WAIT_S

Told = TypeVar("Told")
_AT_ONCE = 4096


class Descriptors(Generic[Told]):
    """Waits until one of several descriptors is readable, or somebody puts in the queue.

    All but `wake` is for one thread.
    """

    def __init__(self) -> None:
        self._told: dict[int, Told] = {}
        self._poll = select.poll()
        self._woken, self._wake = os.pipe()
        for descriptor in (self._woken, self._wake):
            os.set_blocking(descriptor, False)
        self._poll.register(self._woken, select.POLLIN)
        self._is_waiting = False
        self._is_open = True
        # Reentrant: a signal may come in the middle of `close`, and its handler wakes.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._told)

    def add(self, descriptor: int, told: Told) -> None:
        """Tell this, once, when a descriptor is readable."""
        self._told[descriptor] = told
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> Told | None:
        """Tell nothing of a descriptor any more; gives what would have been told."""
        told = self._told.pop(descriptor, None)
        if told is not None:
            self._poll.unregister(descriptor)
        return told

    def wait(self, most_s: float | None, *, is_due: Callable[[], bool]) -> list[Told]:
        """Give what is told of the descriptors that are readable; nothing if woken, or in between.

        Args:
            most_s: How long to wait for the first of them, at most.
            is_due: Something that this thread is woken for has come already: it does not wait.
        """
        self._is_waiting = True  # before `is_due` looks: what comes after that wakes
        try:
            most_s = LONGEST_WAIT_S if most_s is None else min(most_s, LONGEST_WAIT_S)
            ready = self._poll.poll(0 if is_due() else math.ceil(most_s * 1000))
        finally:
            self._is_waiting = False
        if any(descriptor == self._woken for descriptor, _ in ready):
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, _AT_ONCE)
        told = (self.remove(descriptor) for descriptor, _ in ready)
        return [each for each in told if each is not None]

    def wake(self) -> None:
        """End a wait; from any thread or signal handler."""
        if self._is_waiting:
            with self._lock, contextlib.suppress(BlockingIOError):
                if self._is_open:
                    os.write(self._wake, b"x")

    def close(self) -> None:
        """Give the descriptors of our own back."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._woken)
                os.close(self._wake)
